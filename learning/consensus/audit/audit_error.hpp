#pragma once

#include <cmath>
#include <limits>

namespace dybw {

/// How far off something is; infinitely far if that is not finite. A NaN would be within every bound, and
/// lost in a maximum.
inline double audit_error(double off) noexcept {
  return std::isfinite(off) ? std::abs(off) : std::numeric_limits<double>::infinity();
}

/// .. relative to the size of what was added up; 0 where there is nothing.
inline double audit_error(double moved, double size) noexcept {
  if (!std::isfinite(moved) || !std::isfinite(size))
    return std::numeric_limits<double>::infinity();
  return size > 0 ? std::abs(moved) / size : 0;
}

} // namespace dybw
