#include "actors/transport/listening_socket.hpp"

#include <cerrno>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace dybw {

namespace {

using address_list = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

address_list look_up(const endpoint& where) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* first = nullptr;
  const auto error = ::getaddrinfo(where.host.c_str(), std::to_string(where.port).c_str(), &hints, &first);
  if (error != 0)
    throw listen_failure{::gai_strerror(error)};
  return {first, &::freeaddrinfo};
}

bool is_reachable_from_here_only(const sockaddr& address) {
  if (address.sa_family == AF_INET)
    return (ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24U) == 127;
  return address.sa_family == AF_INET6 &&
         IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
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

} // namespace

listening_socket::listening_socket(const endpoint& where, bool only_loopback) {
  const auto found = look_up(where);
  int error = 0;
  for (const auto* address = found.get(); address != nullptr && descriptor_ < 0; address = address->ai_next)
    if (!only_loopback || is_reachable_from_here_only(*address->ai_addr))
      error = bind_and_listen(*address, descriptor_);
  if (descriptor_ >= 0)
    return;
  if (error != 0)
    throw listen_failure{std::generic_category().message(error), error};
  listen_failure failure{"other machines can reach it"};
  failure.exposed = true;
  throw failure;
}

listening_socket::~listening_socket() {
  if (descriptor_ >= 0)
    ::close(descriptor_);
}

std::uint16_t listening_socket::port() const {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

} // namespace dybw
