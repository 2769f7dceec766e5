#pragma once

#include "learning/base/types.hpp"

#include <cstdint>
#include <optional>
#include <utility>

namespace dybw {

/// Whether a run hangs whose steps are other processes' work: some of its workers are done, and the others
/// have made no step for a minute. A process that hangs has no time-out, but the end of all others is its end
/// as well.
class hang_watch {
public:
  static constexpr nanoseconds patience{std::chrono::seconds{60}};

  /// `steps`: of all workers, so far.
  bool hangs(std::size_t workers_done, std::uint64_t steps, nanoseconds now) noexcept {
    if (std::exchange(steps_, steps) != steps || !moved_at_)
      moved_at_ = now;
    return workers_done > 0 && now - *moved_at_ > patience;
  }

private:
  std::uint64_t steps_ = 0;
  std::optional<nanoseconds> moved_at_;
};

} // namespace dybw
