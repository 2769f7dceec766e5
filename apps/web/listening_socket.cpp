#include "apps/web/listening_socket.hpp"

#include "learning/base/error.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <system_error>

namespace dybw {

namespace {

constexpr int backlog = 512;

[[noreturn]] void refuse(const endpoint& address, const std::string& why, int error) {
  const auto what = "cannot serve HTTP on " + to_string(address) + ": " + why;
  if (error == EADDRINUSE)
    throw input_error{input_fault::network, what, "", "give another port, or stop the program that uses it"};
  throw input_error{
      input_fault::configuration, what, "",
      "give an address of this machine and a port from 1024, for example --http=127.0.0.1:7480"};
}

std::string reason(int error) {
  return std::system_category().message(error);
}

bool is_loopback(const sockaddr& address) {
  if (address.sa_family == AF_INET)
    return (ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24U) == 127;
  return address.sa_family == AF_INET6 &&
         IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

using address_list = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

address_list look_up(const endpoint& address) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const auto port = std::to_string(address.port);
  const auto error = getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found);
  if (error != 0)
    refuse(address, gai_strerror(error), 0);
  return {found, freeaddrinfo};
}

std::uint16_t port_of(int descriptor) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &size);
  return ntohs(bound.ss_family == AF_INET ? reinterpret_cast<const sockaddr_in&>(bound).sin_port
                                          : reinterpret_cast<const sockaddr_in6&>(bound).sin6_port);
}

} // namespace

listening_socket::listening_socket(const endpoint& address, bool only_loopback) : address_(address) {
  const auto found = look_up(address);
  if (only_loopback && !is_loopback(*found->ai_addr))
    refuse(address, "other machines can reach it, so it needs a token (DYBW_HTTP_TOKEN)", 0);
  descriptor_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0)
    refuse(address, reason(errno), errno);
  // A port whose connections of the run before are still being forgotten can be used at once.
  const int yes = 1;
  setsockopt(descriptor_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(descriptor_, found->ai_addr, found->ai_addrlen) != 0 || ::listen(descriptor_, backlog) != 0) {
    const auto error = errno;
    ::close(descriptor_);
    refuse(address, reason(error), error);
  }
  address_.port = port_of(descriptor_);
}

listening_socket::~listening_socket() {
  ::close(descriptor_);
}

} // namespace dybw
