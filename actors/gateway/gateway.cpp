#include "actors/gateway/gateway.hpp"

#include "actors/gateway/gateway_broker.hpp"
#include "learning/base/error.hpp"

#include <caf/io/middleman.hpp>

#include <arpa/inet.h>
#include <cerrno>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace dybw {

namespace {

using addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

[[noreturn]] void refuse_port(const endpoint& where, const std::string& why, const std::string& mend) {
  throw input_error{input_fault::network, "cannot listen on " + to_string(where) + " (" + why + ")", "",
                    mend};
}

addresses look_up(const endpoint& where) {
  auto hints = addrinfo{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* first = nullptr;
  const auto error = ::getaddrinfo(where.host.c_str(), std::to_string(where.port).c_str(), &hints, &first);
  if (error != 0)
    refuse_port(where, ::gai_strerror(error), "give an address of this machine, for example 127.0.0.1:7400");
  return {first, &::freeaddrinfo};
}

/// An error number, or 0.
int bind_and_listen(const addrinfo& address, int& out) {
  const auto socket = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0)
    return errno;
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); // after a crash the port is free at once
  if (::bind(socket, address.ai_addr, address.ai_addrlen) != 0 || ::listen(socket, SOMAXCONN) != 0) {
    const auto error = errno;
    ::close(socket);
    return error;
  }
  out = socket;
  return 0;
}

int open_port(const endpoint& where) {
  const auto found = look_up(where);
  int error = 0;
  for (const auto* address = found.get(); address != nullptr; address = address->ai_next) {
    int socket = -1;
    error = bind_and_listen(*address, socket);
    if (error == 0)
      return socket;
  }
  refuse_port(where, std::generic_category().message(error),
              error == EADDRINUSE      ? "choose another port, or end the program that uses it"
              : error == EACCES        ? "choose a port from 1024 upwards"
              : error == EADDRNOTAVAIL ? "give an address of this machine"
                                       : "check the address");
}

std::uint16_t port_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

bool is_any_address(const std::string& host) {
  return host == "0.0.0.0" || host == "::" || host == "*";
}

std::string own_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string{name.data()} : "localhost";
}

endpoint advertised_address(const gateway_options& options, int listener) {
  if (listener < 0)
    return {};
  auto x = options.advertise.value_or(*options.listen);
  if (!options.advertise && is_any_address(x.host))
    x.host = own_name();
  if (x.port == 0)
    x.port = port_of(listener);
  return x;
}

} // namespace

bool is_loopback(const std::string& host) {
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1)
    return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  if (::inet_pton(AF_INET6, host.c_str(), &v6) == 1)
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
  return host == "localhost";
}

opened_gateway open_gateway(caf::actor_system& system, const gateway_options& options) {
  const auto listener = options.listen ? open_port(*options.listen) : -1;
  opened_gateway opened;
  opened.advertised = advertised_address(options, listener);
  caf::actor_config config{&system.middleman().backend()};
  opened.handle = system.spawn_class<gateway_broker, caf::no_spawn_options>(config, options, listener);
  return opened;
}

} // namespace dybw
