// The worker's job, its results and its checkpoints; all else is in worker.cpp.
#include "actors/training/trainer.hpp"
#include "actors/training/worker.hpp"

#include <spdlog/spdlog.h>

namespace dybw {

void worker_state::submit_job() {
  const auto next =
      slot_->submit(now(), options_.checkpointer && checkpoint_wanted_ && !checkpoint_under_way_);
  fetch_batches();
  if (next.job && !(next.is_small && do_here(next.job)))
    self_->send(options_.trainers, next.job);
  else if (finished_ && slot_->is_idle())
    send_last_word();
}

/// Its process may hang, or be started again: nobody shall wait for that meanwhile.
void worker_state::look_for_stall() {
  if (stalled_ || machine_->current_phase() != phase::computing || !slot_->is_stalled(now()))
    return;
  stalled_ = true;
  spdlog::warn("worker {}: {} is silent in a step that usually takes {:.3g} s; nobody waits for it",
               to_string(id_), slot_->maker(), to_seconds(slot_->usual_step()));
  apply(step_stalled{});
}

void worker_state::fetch_batches() {
  for (auto missing = slot_->ask_ahead(); missing > 0; --missing)
    self_->send(options_.shard, batch_wanted{});
}

/// Returns whether the job is done, or failed and ends the run as it would at a trainer.
bool worker_state::do_here(const training_job_ptr& job) {
  if (!options_.workspaces)
    return false;
  try {
    const auto workspace = options_.workspaces->borrow();
    if (!workspace)
      return false;
    run_job(*job, *workspace);
    self_->send(self_, training_done{job});
  } catch (...) {
    self_->send_exit(options_.trainers, training_failure(std::current_exception()));
  }
  return true;
}

void worker_state::send_report() {
  if (pairs_)
    report_.exchanges = pairs_->take_news();
  if (sent_round_ == report_.mixed.round)
    report_.acknowledged = acknowledged_;
  self_->send(options_.reporter, std::move(report_));
}

/// Has the state after the newest mix written. REQUIRES: that mix is done and no later one has been asked
/// for.
void worker_state::save(training_slot::learner_state state) {
  auto x = std::make_shared<checkpoint>();
  x->run_hash = options_.run_hash;
  x->worker = id_;
  x->workers = workers_;
  x->round = mixed_round_;
  x->local_steps = machine_->counters().steps_used;
  x->epoch = mixed_epoch_;
  x->delays = slot_->delays_drawn();
  x->elapsed = now();
  if (const auto& before = options_.resumed) {
    x->local_steps += before->local_steps;
    x->elapsed += before->elapsed;
  }
  x->parameters = current_;
  x->velocity = std::move(state.velocity);
  x->outer = std::move(state.outer);
  x->correction = std::move(state.correction);
  x->correction_generation = state.correction_generation;
  x->has_learner = slot_->is_opaque();
  x->learner = std::move(state.saved);
  checkpoint_wanted_ = false;
  checkpoint_under_way_ = true;
  saved_round_ = mixed_round_;
  self_->send(options_.checkpointer,
              save_checkpoint{std::move(x), checkpoint_client_actor{worker_actor{self_}}});
}

void worker_state::send_last_word() {
  if (options_.checkpointer && mixed_round_ > saved_round_ && !gave_up_) {
    if (slot_->is_opaque()) { // it may wait for a process, as nobody does here
      slot_->ask_for_state();
      return submit_job();
    }
    save(slot_->state());
  }
  const auto& counters = machine_->counters();
  totals_.completed = finished_->completed;
  totals_.discarded = slot_->discarded();
  totals_.estimates_late = counters.estimates_late;
  totals_.timeouts = counters.timeouts;
  totals_.steps_used = counters.steps_used;
  totals_.steps_discarded = counters.steps_discarded;
  totals_.sweeps_completed = counters.sweeps_completed;
  finished_.reset();
  report_events();
  slot_->close();
  self_->send(options_.reporter,
              worker_finished{totals_, lasting(),
                              std::make_shared<const duration_histogram>(threshold_delays_),
                              pairs_ ? pairs_->take_news() : exchange_news{}});
}

} // namespace dybw
