#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace dybw::bench {

/// A stranger who begins so many TLS handshakes a second on a port of loopback, and never shows a
/// certificate, from when it is made until it goes. Each is one canned ClientHello, so that it costs the
/// stranger little.
class handshake_flood {
public:
  handshake_flood(std::uint16_t port, unsigned per_s);
  ~handshake_flood();
  handshake_flood(const handshake_flood&) = delete;
  handshake_flood& operator=(const handshake_flood&) = delete;

  /// Begun up to now.
  std::uint64_t begun() const noexcept { return begun_; }

private:
  void run(std::uint16_t port, unsigned per_s);

  std::atomic<bool> over_ = false;
  std::atomic<std::uint64_t> begun_ = 0;
  std::thread thread_;
};

} // namespace dybw::bench
