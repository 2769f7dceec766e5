#include "tests/apps/web/raw_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <utility>

namespace dybw::test {

raw_client::raw_client(const endpoint& to, int receive_buffer_bytes)
    : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer_bytes > 0)
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(to.port);
  inet_pton(AF_INET, to.host.c_str(), &address.sin_addr);
  if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(descriptor_);
    throw std::runtime_error{"cannot connect to " + to_string(to)};
  }
}

raw_client::~raw_client() {
  if (descriptor_ >= 0)
    ::close(descriptor_);
}

raw_client::raw_client(raw_client&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

void raw_client::send(const std::string& text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    const auto n = ::send(descriptor_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n <= 0)
      return;
    sent += static_cast<std::size_t>(n);
  }
}

std::string raw_client::receive(const std::string& until, std::chrono::milliseconds at_most) {
  using clock = std::chrono::steady_clock;
  const auto end = clock::now() + at_most;
  std::string text;
  while (until.empty() || text.find(until) == std::string::npos) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - clock::now());
    pollfd one{descriptor_, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&one, 1, static_cast<int>(left.count())) <= 0)
      break;
    std::array<char, 65536> block{};
    const auto n = ::recv(descriptor_, block.data(), block.size(), 0);
    if (n <= 0)
      break;
    text.append(block.data(), static_cast<std::size_t>(n));
  }
  return text;
}

bool raw_client::is_closed(std::chrono::milliseconds at_most) {
  const auto begin = std::chrono::steady_clock::now();
  receive_all(at_most);
  return std::chrono::steady_clock::now() - begin < at_most;
}

void raw_client::end_of_requests() {
  ::shutdown(descriptor_, SHUT_WR);
}

} // namespace dybw::test
