#include "actors/training/trainer.hpp"

#include "actors/system/process_usage.hpp"
#include "actors/thrown.hpp"

#include <algorithm>
#include <cmath>
#include <new>

namespace dybw {

namespace {

/// The first rows, as large a part of them as `share` says, at least one.
std::span<const std::uint32_t> part_of(std::span<const std::uint32_t> rows, double share) {
  const auto count =
      static_cast<std::size_t>(std::ceil(std::min(share, 1.0) * static_cast<double>(rows.size())));
  return rows.first(count);
}

} // namespace

namespace {

void do_what_is_wanted(training_job& job, training_workspace& workspace) {
  if (job.wants_mix) {
    job.mix_began = std::chrono::steady_clock::now();
    job.mixed = job.local->mix(job.neighbours, workspace, job.generation);
    job.mix_ended = std::chrono::steady_clock::now();
    job.neighbours.clear(); // lets go of the neighbours' blocks
  }
  if (job.wants_state) {
    job.velocity = job.local->velocity();
    job.outer = job.local->outer();
    job.correction = job.local->correction();
    job.correction_generation = job.local->correction_generation();
    job.saved = job.local->save();
  }
  if (job.wants_step && !job.step_dropped) {
    const auto begin = std::chrono::steady_clock::now();
    const auto cpu_before = thread_cpu_s();
    job.stepped = job.from
                      ? job.local->step_from(job.from, job.rows, job.completed, workspace, &job.step_dropped)
                      : job.local->step(job.rows, job.completed, workspace, &job.step_dropped);
    for (auto more = job.gradients - job.steps; more > 0 && !job.step_dropped; more -= 1)
      job.local->repeat_gradient(part_of(job.rows.back(), more), workspace);
    job.took = time_since(begin);
    if (job.local->waits())
      job.maker = job.local->maker();
    job.cpu = job.local->waits() ? job.took : from_seconds(thread_cpu_s() - cpu_before);
    job.coded.clear(); // of a step that was dropped
    for (const auto& base : job.bases)
      job.coded.push_back(job.coder->encode(job.stepped.estimate, base));
  }
}

} // namespace

void run_job(training_job& job, training_workspace& workspace) {
  try {
    do_what_is_wanted(job, workspace);
  } catch (const learner_failed& failed) {
    job.failure = failed.what();
  }
}

caf::error training_failure(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::bad_alloc&) {
    return caf::make_error(caf::sec::runtime_error, "out of memory; choose a smaller --batch or --model");
  } catch (...) {
    return thrown_error(failure);
  }
}

trainer_actor::behavior_type trainer(trainer_actor::stateful_pointer<trainer_state> self,
                                     std::shared_ptr<const training_setup> setup, trainer_pool_actor pool,
                                     std::size_t index) {
  self->set_exception_handler([](std::exception_ptr& failure) { return training_failure(failure); });
  self->state.workspace.emplace(*setup);
  self->state.pool = std::move(pool);
  return {[self, index](const training_job_ptr& job) {
    run_job(*job, *self->state.workspace);
    const auto client = job->client;
    self->send(client, training_done{job});
    self->send(self->state.pool, trainer_idle{index});
  }};
}

trainer_pool_actor::behavior_type trainer_pool(trainer_pool_actor::stateful_pointer<trainer_pool_state> self,
                                               std::shared_ptr<const training_setup> setup,
                                               std::size_t trainers, bool own_threads) {
  auto& state = self->state;
  for (std::size_t i = 0; i < trainers; ++i) {
    state.trainers.push_back(own_threads ? self->spawn<caf::linked + caf::detached>(trainer, setup, self, i)
                                         : self->spawn<caf::linked>(trainer, setup, self, i));
    state.idle.push_back(i);
  }
  return {
      [self](const training_job_ptr& job) {
        auto& s = self->state;
        if (s.idle.empty()) {
          s.waiting.push_back(job);
          return;
        }
        self->send(s.trainers[s.idle.back()], job);
        s.idle.pop_back();
      },
      [self](const trainer_idle& x) {
        auto& s = self->state;
        if (s.waiting.empty()) {
          s.idle.push_back(x.index);
          return;
        }
        self->send(s.trainers[x.index], s.waiting.front());
        s.waiting.pop_front();
      },
  };
}

} // namespace dybw
