#include "tests/program/local_port.hpp"

#include <cerrno>
#include <system_error>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dybw::test {

local_port::local_port(kind how) {
  const auto fail = [](const char* what) { throw std::system_error{errno, std::generic_category(), what}; };
  socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  if (socket_ < 0 || bind(socket_, raw, size) != 0 || getsockname(socket_, raw, &size) != 0)
    fail("bind");
  number_ = ntohs(address.sin_port);
  if (how == kind::closed)
    return; // bound, so that nobody else gets it
  if (listen(socket_, 16) != 0)
    fail("listen");
  if (how == kind::garbage)
    server_ = std::jthread{[this] { serve_garbage(); }};
}

local_port::~local_port() {
  shutdown(socket_, SHUT_RDWR); // wakes `accept`
  if (server_.joinable())
    server_.join();
  close(socket_);
}

void local_port::serve_garbage() const {
  for (;;) {
    const auto connection = accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0)
      return;
    const std::string text = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    static_cast<void>(send(connection, text.data(), text.size(), MSG_NOSIGNAL));
    shutdown(connection, SHUT_WR);
    char rest[512];
    while (recv(connection, rest, sizeof rest, 0) > 0) {
    }
    close(connection);
  }
}

} // namespace dybw::test
