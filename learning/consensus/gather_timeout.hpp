#pragma once

#include "learning/base/types.hpp"

#include <algorithm>
#include <cstdlib>

namespace dybw {

/// Smoothed mean and deviation of observed times, with the gains of RFC 6298 (1/8 and 1/4), and the bound on
/// an honest wait that follows from them: 10 x (mean + 4 x deviation), at least one second. The factor 10
/// keeps honest straggling steps below it (docs/protocol.md). Rare stragglers are forgotten by a smoothed
/// mean before they strike again: so it is at least 10 x the longest time observed, which fades slowly.
class pace_estimator {
public:
  static constexpr nanoseconds time_max = std::chrono::hours{24 * 365}; ///< no bound overflows

  void observe(nanoseconds t) noexcept {
    t = std::min(t, time_max);
    longest_ = std::max(t, longest_ - longest_ / 256);
    if (!observed_) {
      mean_ = t;
      deviation_ = t / 2;
      observed_ = true;
      return;
    }
    deviation_ += (nanoseconds{std::abs((t - mean_).count())} - deviation_) / 4;
    mean_ += (t - mean_) / 8;
  }

  bool observed() const noexcept { return observed_; }

  nanoseconds bound() const noexcept {
    return std::max<nanoseconds>({10 * (mean_ + 4 * deviation_), 10 * longest_, std::chrono::seconds{1}});
  }

private:
  nanoseconds mean_{0};
  nanoseconds deviation_{0};
  nanoseconds longest_{0};
  bool observed_ = false;
};

} // namespace dybw
