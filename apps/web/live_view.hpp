#pragma once

#include "actors/actors.hpp"
#include "apps/web/view_source.hpp"

#include <caf/actor_system.hpp>

#include <mutex>

namespace dybw {

/// What a monitor shows, for threads that are no actors: a terminal, a web server. Any number of threads may
/// ask; those that ask at about the same time get the same view. The monitor ends with it.
class live_view {
public:
  live_view(caf::actor_system& system, monitor_actor monitor);
  ~live_view();
  live_view(const live_view&) = delete;
  live_view& operator=(const live_view&) = delete;

  /// The newest; the one before if the monitor does not answer within a second, and `lost` if it is gone.
  run_view_ptr now();
  view_source source() {
    return [this] { return now(); };
  }

private:
  caf::actor_system& system_;
  monitor_actor monitor_;
  std::mutex mutex_;
  run_view_ptr newest_;
  std::chrono::steady_clock::time_point asked_;
};

} // namespace dybw
