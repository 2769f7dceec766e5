#include "learning/monitoring/process_metrics.hpp"

#include <cmath>

namespace dybw {

worker_metrics counters_of(const run_statistics& statistics, worker_id id) {
  const auto& sums = statistics.of(id);
  worker_metrics x;
  x.worker = id;
  x.rounds = sums.compute_s.count();
  x.timeouts = sums.timeouts;
  x.backup_workers = static_cast<std::uint64_t>(std::llround(sums.backup_workers.sum()));
  x.loss = sums.loss.sum();
  x.compute = from_seconds(sums.compute_s.sum());
  x.wait = from_seconds(sums.wait_s.sum());
  x.gradients = x.local_steps = sums.gradients;
  return x;
}

void note_status(worker_metrics& x, const machine_status& status, const machine_counters& counters,
                 nanoseconds now) {
  x.answers = true;
  x.local_steps = counters.steps_used;
  x.estimates_late = counters.estimates_late;
  x.phase = status.phase;
  x.in_phase = now - status.since;
  x.round = status.round;
  if (status.timeout)
    x.timeout_in = *status.timeout - now;
  x.component = static_cast<std::uint32_t>(status.component);
  x.lowest = status.lowest;
  x.waits.clear();
  for (const auto& cause : status.waiting_for)
    x.waits.push_back({cause.neighbour, cause.what, now - cause.since});
}

} // namespace dybw
