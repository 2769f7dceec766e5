#pragma once

#include "messages/endpoint.hpp"

#include <arpa/inet.h>
#include <chrono>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace dybw::test {

/// A socket that closes itself.
class owned_socket {
public:
  explicit owned_socket(int socket = -1) noexcept : socket_(socket) {}
  ~owned_socket() { reset(); }
  owned_socket(owned_socket&& x) noexcept : socket_(std::exchange(x.socket_, -1)) {}
  owned_socket& operator=(owned_socket&& x) noexcept {
    reset();
    socket_ = std::exchange(x.socket_, -1);
    return *this;
  }
  int get() const noexcept { return socket_; }
  void reset() {
    if (socket_ >= 0)
      ::close(std::exchange(socket_, -1));
  }

private:
  int socket_;
};

inline sockaddr_in loopback_address(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline owned_socket listen_on_loopback(std::uint16_t& port, int backlog = 64) {
  owned_socket listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  auto address = loopback_address(0);
  socklen_t size = sizeof(address);
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener.get(), backlog) != 0 ||
      ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error{"cannot listen on loopback"};
  port = ntohs(address.sin_port);
  return listener;
}

/// Invalid if nobody listens there.
inline owned_socket connect_to_loopback(std::uint16_t port) {
  owned_socket x{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const auto address = loopback_address(port);
  if (::connect(x.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    x.reset();
  return x;
}

inline bool send_all(const owned_socket& to, const std::vector<char>& what) {
  for (std::size_t sent = 0; sent < what.size();) {
    const auto n = ::send(to.get(), what.data() + sent, what.size() - sent, MSG_NOSIGNAL);
    if (n <= 0)
      return false;
    sent += static_cast<std::size_t>(n);
  }
  return true;
}

struct heard {
  std::vector<char> bytes;
  bool closed = false;
};

/// All that comes until the other side closes, or for so long.
inline heard listen_to(const owned_socket& from, std::chrono::milliseconds within) {
  heard result;
  const auto end = std::chrono::steady_clock::now() + within;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd waiting{from.get(), POLLIN, 0};
    if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0)
      return result;
    char chunk[4096];
    const auto n = ::recv(from.get(), chunk, sizeof(chunk), 0);
    if (n <= 0) {
      result.closed = true;
      return result;
    }
    result.bytes.insert(result.bytes.end(), chunk, chunk + n);
  }
}

} // namespace dybw::test
