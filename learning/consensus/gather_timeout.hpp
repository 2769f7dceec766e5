#pragma once

#include "learning/types.hpp"

#include <algorithm>
#include <cstdlib>

namespace dybw {

/// Smoothed mean and deviation of observed times, with the gains of RFC 6298 (1/8 and 1/4), and the bound on
/// an honest wait that follows from them: 10 x (mean + 4 x deviation), at least one second. The factor 10
/// keeps honest straggling steps below it (docs/protocol.md).
class pace_estimator {
public:
  void observe(nanoseconds t) noexcept {
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
    return std::max<nanoseconds>(10 * (mean_ + 4 * deviation_), std::chrono::seconds{1});
  }

private:
  nanoseconds mean_{0};
  nanoseconds deviation_{0};
  bool observed_ = false;
};

} // namespace dybw
