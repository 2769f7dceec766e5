#include "bench/exchange/peer_process.hpp"

#include <array>
#include <cerrno>
#include <iostream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dybw::bench {

namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error{errno, std::generic_category(), what};
}

} // namespace

peer_process::peer_process(const std::string& subcommand) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    fail("socketpair");
  auto program = std::string{"/proc/self/exe"};
  auto argument = subcommand;
  std::array<char*, 3> words{program.data(), argument.data(), nullptr};
  process_ = fork();
  if (process_ == 0) {
    if (dup2(ends[1], STDIN_FILENO) >= 0 && dup2(ends[1], STDOUT_FILENO) >= 0)
      execv(words[0], words.data());
    _exit(127);
  }
  close(ends[1]);
  socket_ = ends[0];
  if (process_ < 0)
    fail("fork");
}

peer_process::peer_process(peer_process&& other) noexcept
    : process_(std::exchange(other.process_, -1)), socket_(std::exchange(other.socket_, -1)),
      unread_(std::move(other.unread_)) {}

peer_process::~peer_process() {
  if (process_ > 0) {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  if (socket_ >= 0)
    close(socket_);
}

void peer_process::send(const nlohmann::json& line) {
  const auto text = line.dump() + "\n";
  if (::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
    fail("send");
}

nlohmann::json peer_process::receive(clock::time_point deadline) {
  for (;;) {
    if (const auto end = unread_.find('\n'); end != std::string::npos) {
      auto line = nlohmann::json::parse(unread_.substr(0, end));
      unread_.erase(0, end + 1);
      if (line.contains("error"))
        throw std::runtime_error(line["error"].get<std::string>());
      return line;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now()).count();
    pollfd watched{socket_, POLLIN, 0};
    if (left <= 0 || poll(&watched, 1, static_cast<int>(left)) <= 0)
      throw std::runtime_error("a process of the measurement does not answer in time");
    std::array<char, 65536> piece{};
    const auto size = read(socket_, piece.data(), piece.size());
    if (size <= 0)
      throw std::runtime_error("a process of the measurement has ended by itself");
    unread_.append(piece.data(), static_cast<std::size_t>(size));
  }
}

nlohmann::json hear_parent() {
  std::string line;
  if (!std::getline(std::cin, line))
    throw std::runtime_error("the process that started this one is gone");
  return nlohmann::json::parse(line);
}

void tell_parent(const nlohmann::json& line) {
  std::cout << line.dump() << std::endl; // flushed: it is waited for
}

} // namespace dybw::bench
