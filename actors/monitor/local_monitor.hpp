#pragma once

#include "actors/actors.hpp"

#include <optional>

namespace dybw {

/// Watches the runs of this process, one after another.
class local_monitor_state {
public:
  static inline const char* name = "local_monitor";

  explicit local_monitor_state(local_monitor_actor::stateful_pointer<local_monitor_state> self)
      : self_(self) {}

  void start(nanoseconds looks_for);
  void watch(const watch_run& x);
  void run_down(const caf::down_msg& down);
  void tick();
  run_view_ptr view();

private:
  void ask();
  nanoseconds now() const;

  local_monitor_actor::stateful_pointer<local_monitor_state> self_;
  std::chrono::steady_clock::time_point origin_;
  std::optional<run_watch> watch_;
  reporter_actor reports_; ///< of the run that is going on; null: none is
  bool asked_ = false;
  nanoseconds next_question_{0};
  nanoseconds next_sketch_{0};
  nanoseconds looks_for_{0};
  nanoseconds looked_at_{0};
};

/// `looks_for`: see `monitor_state`. (CAF's functions for actors without arguments bind a null reference.)
local_monitor_actor::behavior_type
local_monitor(local_monitor_actor::stateful_pointer<local_monitor_state> self, nanoseconds looks_for);

} // namespace dybw
