#pragma once

#include "learning/base/types.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace dybw {

/// How long gradient steps that another process makes may take before that one may hang or be gone: ten times
/// what they usually take, at least a second. A single one, however long, changes little what is usual; after
/// a few that is their pace.
class step_patience {
public:
  /// So many in a row.
  void observe(nanoseconds together, std::uint32_t gradients = 1) noexcept {
    const auto took = together / gradients;
    if (!usual_)
      usual_ = took;
    else
      usual_ = took > *usual_ ? std::min(took, 2 * *usual_) : (*usual_ + took) / 2;
  }

  /// Of one gradient step. None before any was observed.
  std::optional<nanoseconds> usual() const noexcept { return usual_; }
  /// Of so many in a row.
  nanoseconds limit(std::uint32_t gradients = 1) const noexcept {
    constexpr nanoseconds least = std::chrono::seconds{1};
    return usual_ ? std::max(10 * *usual_ * gradients, least) : nanoseconds::max();
  }

private:
  std::optional<nanoseconds> usual_;
};

} // namespace dybw
