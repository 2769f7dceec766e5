#pragma once

#include "messages/endpoint.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace dybw::test {

/// A TCP relay on loopback that stands for a network: it can be slow, late, stuck, or cut.
class relay {
public:
  /// Listens, and passes every connection on to `target`.
  explicit relay(endpoint target);
  ~relay();
  relay(const relay&) = delete;
  relay& operator=(const relay&) = delete;

  const endpoint& where() const noexcept { return where_; }

  /// Closes all connections.
  void cut() { ++cuts_; }
  /// Takes and passes on nothing while it holds; connections stay open.
  void hold(bool on) { held_ = on; }
  /// Per direction and connection; 0: no limit.
  void limit(std::uint64_t bytes_per_s) { bytes_per_s_ = bytes_per_s; }
  /// What comes is passed on so much later.
  void delay(std::chrono::milliseconds x) { delay_ms_ = x.count(); }

  std::size_t connections() const { return connections_; }
  std::uint64_t bytes_passed() const { return bytes_passed_; }

private:
  void run();

  endpoint target_;
  endpoint where_;
  int listener_ = -1;
  std::atomic<bool> over_{false};
  std::atomic<bool> held_{false};
  std::atomic<std::uint64_t> cuts_{0};
  std::atomic<std::uint64_t> bytes_per_s_{0};
  std::atomic<std::int64_t> delay_ms_{0};
  std::atomic<std::size_t> connections_{0};
  std::atomic<std::uint64_t> bytes_passed_{0};
  std::thread thread_;
};

} // namespace dybw::test
