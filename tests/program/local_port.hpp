#pragma once

#include <cstdint>
#include <string>
#include <thread>

namespace dybw::test {

/// A TCP port on loopback that behaves as a test wants.
class local_port {
public:
  enum class kind {
    closed,  ///< nobody listens
    silent,  ///< takes connections and never says anything
    garbage, ///< says something that is not our protocol to whoever connects, and hangs up
  };

  /// Throws std::system_error.
  explicit local_port(kind how);
  ~local_port();
  local_port(const local_port&) = delete;
  local_port& operator=(const local_port&) = delete;

  std::uint16_t number() const noexcept { return number_; }
  /// "127.0.0.1:PORT"
  std::string address() const { return "127.0.0.1:" + std::to_string(number_); }

private:
  void serve_garbage() const;

  int socket_ = -1;
  std::uint16_t number_ = 0;
  std::jthread server_;
};

} // namespace dybw::test
