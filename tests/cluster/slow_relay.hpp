#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace dybw::test {

/// A slow link: a TCP relay on loopback that hands on what it takes after a delay and at most so many bytes
/// per second, each way and connection. Holds at most one second's worth of bytes, then stops reading, as a
/// router's queue would. Runs on a thread of its own until destroyed.
class slow_relay {
public:
  slow_relay(std::uint16_t target_port, std::chrono::milliseconds delay, double bytes_per_s);
  ~slow_relay();
  slow_relay(const slow_relay&) = delete;
  slow_relay& operator=(const slow_relay&) = delete;

  std::uint16_t port() const noexcept;
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
  std::uint64_t bytes() const noexcept; ///< handed on so far

private:
  class loop;
  std::unique_ptr<loop> loop_;
};

} // namespace dybw::test
