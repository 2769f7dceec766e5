#pragma once

#include <nlohmann/json.hpp>

#include <chrono>
#include <string>

#include <sys/types.h>

namespace dybw::bench {

/// This program once more, in a process of its own, doing another subcommand. Parent and child talk in lines
/// of JSON: the child's standard input and output are the two ends of one socket. It ends with its owner at
/// the latest: it is killed by its own process id.
class peer_process {
public:
  using clock = std::chrono::steady_clock;

  /// Throws std::system_error.
  explicit peer_process(const std::string& subcommand);
  ~peer_process();
  peer_process(peer_process&& other) noexcept;
  peer_process& operator=(peer_process&&) = delete;

  void send(const nlohmann::json& line);
  /// The next line. Throws std::runtime_error if the process ends or it is `deadline` before there is one,
  /// and with what it says if the line has a member "error".
  nlohmann::json receive(clock::time_point deadline);

  pid_t id() const noexcept { return process_; }

private:
  pid_t process_ = -1;
  int socket_ = -1;
  std::string unread_;
};

/// The child's side: the next line from its parent. Throws std::runtime_error if that is gone.
nlohmann::json hear_parent();
void tell_parent(const nlohmann::json& line);

} // namespace dybw::bench
