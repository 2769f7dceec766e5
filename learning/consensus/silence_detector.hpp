#pragma once

#include "learning/base/types.hpp"

#include <cstddef>
#include <vector>

namespace dybw {

/// A shell's failure detector: neighbours that gave no sign of life for `suspect_after` are lost, and heard
/// again at the next one. Tells the own process's pauses from others' silence: if it was not asked itself for
/// longer than `suspect_after`, nothing can be said of the others. Pure; neighbours by index 0 .. count-1.
class silence_detector {
public:
  silence_detector(std::size_t neighbours, nanoseconds suspect_after);

  /// How often to send signs of life and to call `check`: a sixth of `suspect_after`.
  nanoseconds heartbeat_every() const noexcept { return suspect_after_ / 6; }

  /// Begins at this moment, everybody just heard. `asleep` as for `check`.
  void begin(nanoseconds now, nanoseconds asleep = {});

  /// A sign of life. Returns whether the neighbour had been lost.
  bool heard(std::size_t neighbour, nanoseconds now);

  /// Gives a neighbour up at once (its connection closed).
  void give_up(std::size_t neighbour) {
    any_lost_ = true;
    lost_[neighbour] = true;
  }

  /// Whether it was given up and gave no sign of life since.
  bool is_lost(std::size_t neighbour) const { return lost_[neighbour]; }

  /// Whether anybody ever was: without, and where nobody asks `check`, signs of life mean nothing.
  bool any_lost() const noexcept { return any_lost_; }

  struct verdict {
    bool paused = false;           ///< this process itself was stopped
    std::vector<std::size_t> lost; ///< newly lost neighbours; empty if paused
  };
  /// `asleep`: for how long the machine has been suspended in all, which `now` does not count.
  verdict check(nanoseconds now, nanoseconds asleep = {});

private:
  bool any_lost_ = false;
  nanoseconds suspect_after_;
  nanoseconds last_check_{0};
  nanoseconds asleep_{0}; ///< then
  std::vector<nanoseconds> last_heard_;
  std::vector<bool> lost_;
};

} // namespace dybw
