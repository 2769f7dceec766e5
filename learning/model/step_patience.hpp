#pragma once

#include "learning/base/types.hpp"

#include <algorithm>
#include <optional>

namespace dybw {

/// How long a step that another process makes may take before that one may hang or be gone: ten times what
/// its steps usually take, at least a second. A single step, however long, changes little what is usual;
/// after a few that is their pace.
class step_patience {
public:
  void observe(nanoseconds took) noexcept {
    if (!usual_)
      usual_ = took;
    else
      usual_ = took > *usual_ ? std::min(took, 2 * *usual_) : (*usual_ + took) / 2;
  }

  /// None before any step was observed.
  std::optional<nanoseconds> usual() const noexcept { return usual_; }
  nanoseconds limit() const noexcept {
    constexpr nanoseconds least = std::chrono::seconds{1};
    return usual_ ? std::max(10 * *usual_, least) : nanoseconds::max();
  }

private:
  std::optional<nanoseconds> usual_;
};

} // namespace dybw
