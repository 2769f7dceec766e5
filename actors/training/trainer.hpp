#pragma once

#include "actors/actors.hpp"

#include <deque>
#include <exception>

namespace dybw {

/// Does what the job asks for, on this thread. A `learner_failed` becomes the job's `failure`; throws what
/// else a model throws, and `std::bad_alloc`.
void run_job(training_job& job, training_workspace& workspace);
/// Says what a job threw, where CAF alone would only say that something was thrown.
caf::error training_failure(const std::exception_ptr& failure);

struct trainer_state {
  static inline const char* name = "trainer";
  std::optional<training_workspace> workspace;
  trainer_pool_actor pool;
};

/// Spawn with `caf::detached`: a job keeps its thread busy for as long as a gradient takes.
trainer_actor::behavior_type trainer(trainer_actor::stateful_pointer<trainer_state> self,
                                     std::shared_ptr<const training_setup> setup, trainer_pool_actor pool,
                                     std::size_t index);

struct trainer_pool_state {
  static inline const char* name = "trainer_pool";
  std::vector<trainer_actor> trainers;
  std::vector<std::size_t>
      idle; ///< indices into `trainers`, the most recently used last: its caches are warm
  std::deque<training_job_ptr> waiting; ///< at most one job per worker
};

/// Spawns its trainers itself, on threads of their own (`own_threads`) or, in tests, on the scheduler; a
/// trainer that fails takes the pool down, and with it the run.
trainer_pool_actor::behavior_type trainer_pool(trainer_pool_actor::stateful_pointer<trainer_pool_state> self,
                                               std::shared_ptr<const training_setup> setup,
                                               std::size_t trainers, bool own_threads);

} // namespace dybw
