#pragma once

#include <algorithm>
#include <cmath>

namespace dybw {

/// How far apart a worker and its neighbours lately were when they averaged, in gradient steps of the worker:
/// the consensus distance, on the scale on which it matters (docs/adaptive.md). Not thread-safe.
class disagreement {
public:
  disagreement() = default;
  /// As remembered: `value()` of another.
  explicit disagreement(double value) : value_(value) {}

  /// An exchange found this. 0, before any step was made, says nothing, nor does what is no number. A step
  /// that happened to be tiny makes it large, so one exchange alone does not count for much.
  void observe(double strides) noexcept {
    if (!(strides > 0) || !std::isfinite(strides))
      return;
    if (value_ == 0)
      value_ = std::min(strides, first_max);
    else
      value_ += smoothing * (std::min(strides, leap_max * value_) - value_);
  }
  /// 0 before the first.
  double value() const noexcept { return value_; }

private:
  static constexpr double smoothing = 0.1;
  static constexpr double first_max = 10;
  static constexpr double leap_max = 4;

  double value_ = 0;
};

} // namespace dybw
