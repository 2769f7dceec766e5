#pragma once

#include <algorithm>
#include <cmath>

namespace dybw {

/// Whether a worker's gradients tell its neighbours anything that they do not know: how far its steps point
/// the way in which averaging moved it while it computed them. Neighbours with the same kind of data go that
/// way by themselves, so a slow worker's gradient need not make up for its rareness, nor a quick one's be
/// held back (docs/adaptive.md). Smoothed, as one mini-batch's gradient is mostly noise. Not thread-safe.
class step_agreement {
public:
  step_agreement() = default;
  /// As remembered: `value()` of another.
  explicit step_agreement(double value) : value_(value) {}

  /// The cosine of the angle between a step and that movement, in [-1,1].
  void observe(double cosine) noexcept { value_ += smoothing * (cosine - value_); }

  /// What a gradient is to count for that may count for `scale` (above 0): between `scale`, if the data
  /// differs, and 1, if it does not. With the same data the cosine is the larger the more steps of others,
  /// and so the less of their noise, are in the movement: what must be exceeded grows with the scale.
  double temper(double scale) const noexcept {
    const auto middle = std::clamp(0.1 + 0.25 * std::log2(scale), -0.1, 0.4);
    const auto share = std::clamp(0.5 + (middle - value_) / width, 0.0, 1.0);
    return std::pow(scale, share);
  }

  double value() const noexcept { return value_; }

private:
  static constexpr double smoothing = 0.2;
  static constexpr double width = 0.2; ///< of the range of cosines that decide neither way

  double value_ = 0; ///< at first the data is taken to differ
};

} // namespace dybw
