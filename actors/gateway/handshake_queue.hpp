#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace dybw {

/// Whose TLS handshake may begin: after a burst of `handshakes_at_once` no more than `handshakes_per_s`, so
/// that strangers who begin them without end do not take the time of what is linked up. The others wait, and
/// the sources take turns: many connections of one do not keep another's waiting. Who is new joins behind
/// those that were there before. Reads no clock. Not thread-safe.
class handshake_queue {
public:
  using moment = std::chrono::steady_clock::time_point;

  /// `handle` is what the multiplexer calls the connection, `address` where it comes from.
  void add(std::int64_t handle, const std::string& address);
  void remove(std::int64_t handle);
  /// Those that may begin now, and wait no more. To be asked whenever one was added, and every now and then.
  std::vector<std::int64_t> due(moment now);

private:
  struct waiting {
    std::int64_t handle = 0;
    std::string source;
  };

  void forget_sources();

  std::vector<waiting> waiting_;               ///< in the order of arrival
  std::map<std::string, std::uint64_t> turns_; ///< the last turn of a source, or that before it came
  std::uint64_t turn_ = 0;
  std::chrono::nanoseconds allowance_{0}; ///< time of handshakes to come
  bool asked_ = false;
  moment asked_at_{};
};

} // namespace dybw
