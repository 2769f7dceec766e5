#pragma once

#include "learning/base/types.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace dybw {

inline constexpr auto* hang_text = "some workers are done, and the trainers of all others hang: the run ends";

/// Whether a run hangs whose steps are other processes' work: some of its workers have ended in good order,
/// and the others have made no step for five minutes, and for ten times as long as ever before. A process
/// that hangs has no time-out, but the end of all others is its end as well.
class hang_watch {
public:
  static constexpr nanoseconds patience_least{std::chrono::minutes{5}};

  /// To be asked several times a minute. `steps`: of all workers, so far. `occupied`: see `learner_group`.
  bool hangs(std::size_t workers_ended, std::uint64_t steps, bool occupied, nanoseconds now) noexcept {
    const auto was_stopped_itself = asked_at_ && now - *asked_at_ > patience_least / 2;
    asked_at_ = now;
    if (steps != steps_ || occupied || !moved_at_ || was_stopped_itself) {
      if (moved_at_ && !occupied && !was_stopped_itself)
        longest_ = std::max(longest_, now - *moved_at_);
      steps_ = steps;
      moved_at_ = now;
    }
    return workers_ended > 0 && steps_ > 0 && now - *moved_at_ > std::max(patience_least, 10 * longest_);
  }

private:
  std::uint64_t steps_ = 0;
  std::optional<nanoseconds> asked_at_;
  std::optional<nanoseconds>
      moved_at_;           ///< when a step was last seen, or, before any, when it was first asked
  nanoseconds longest_{0}; ///< from there to the next
};

} // namespace dybw
