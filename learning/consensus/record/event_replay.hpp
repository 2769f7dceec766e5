#pragma once

#include "learning/consensus/record/event_text.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dybw {

/// Plays the events of a recorded run into machines of its kind, which must do the same again: in real time
/// nothing decides what a worker does but its events and their moments. Not thread-safe.
class event_replay {
public:
  /// What all workers shared; what differs is filled in.
  explicit event_replay(machine_options shared);

  /// Where a machine did otherwise than was recorded.
  struct difference {
    worker_id worker{};
    std::string recorded;
    std::string replayed;
  };

  /// Takes the next line. Throws `std::invalid_argument` for one that is no event of such a run, and then
  /// says why. After a difference a worker's later events tell nothing.
  std::optional<difference> take(std::string_view line);

  /// The last line, as long as the text that was given lives.
  const event_line& line() const noexcept { return line_; }
  std::uint64_t events() const noexcept { return events_; }
  std::size_t workers_seen() const noexcept;
  /// The record of a round that the last line ended; null if it ended none.
  const round_record* ended() const noexcept { return ended_; }

private:
  struct replayed_worker {
    std::unique_ptr<worker_machine> machine;
    nanoseconds now{0};
  };

  machine_options shared_;
  std::vector<replayed_worker> workers_;
  event_line line_;
  std::uint64_t events_ = 0;
  const round_record* ended_ = nullptr;
};

} // namespace dybw
