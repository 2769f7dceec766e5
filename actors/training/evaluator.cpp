#include "actors/training/evaluator.hpp"

#include "actors/system/process_usage.hpp"
#include "actors/thrown.hpp"

#include <algorithm>
#include <numeric>
#include <thread>

namespace dybw {

void evaluator_state::start(evaluator_options options) {
  options_ = std::move(options);
  estimates_ = options_.initial;
  local_steps_.resize(options_.workers.size());
  answered_.resize(options_.workers.size());
  missing_ = answered_.size();
  lost_.resize(options_.workers.size());
  for (const auto& w : options_.workers)
    self_->monitor(w);
  self_->delayed_send(self_, options_.every, evaluation_due{});
}

void evaluator_state::ask() {
  asked_ = true;
  ++question_;
  answered_ = lost_;
  missing_ = static_cast<std::size_t>(std::ranges::count(answered_, false));
  for (std::size_t i = 0; i < options_.workers.size(); ++i)
    if (!lost_[i])
      self_->send(options_.workers[i], snapshot_wanted{});
  self_->delayed_send(self_, std::chrono::seconds{1}, answers_due{question_});
}

void evaluator_state::give_up_on(std::uint64_t question) {
  if (asked_ && question == question_)
    evaluate();
}

void evaluator_state::receive(const snapshot& x) {
  const auto i = index_of(x.worker);
  if (lost_[i])
    return;
  changed_ = changed_ || estimates_[i].values().data() != x.parameters.values().data();
  estimates_[i] = x.parameters;
  local_steps_[i] = x.local_steps;
  note_answer(i);
  if (asked_ && missing_ == 0)
    evaluate();
}

void evaluator_state::note_answer(std::size_t worker) {
  if (!answered_[worker])
    --missing_;
  answered_[worker] = true;
}

/// The steps that it did count; its estimate is nobody's any more.
void evaluator_state::worker_down(const caf::down_msg& down) {
  if (down.reason == caf::exit_reason::user_shutdown)
    return; // the end of the run
  for (std::size_t i = 0; i < options_.workers.size(); ++i)
    if (options_.workers[i].address() == down.source) {
      lost_[i] = true;
      note_answer(i);
      estimates_[i] = {};
      changed_ = true;
    }
  if (asked_ && missing_ == 0)
    evaluate();
}

void evaluator_state::evaluate() {
  asked_ = false;
  if (!std::exchange(changed_, false) ||
      std::none_of(estimates_.begin(), estimates_.end(), [](const auto& x) { return bool{x}; })) {
    self_->delayed_send(self_, options_.every, evaluation_due{});
    return;
  }
  const auto cpu_before = thread_cpu_s();
  const auto began = std::chrono::steady_clock::now();
  const auto taken_at_s = to_seconds(time_since(options_.origin));
  auto e = *options_.bench->evaluate(estimates_);
  e.time_s = taken_at_s;
  e.local_steps = std::accumulate(local_steps_.begin(), local_steps_.end(), std::uint64_t{0});
  // A trainer does it in its own process; meanwhile its worker waits.
  e.cpu_s = options_.bench->asks() ? to_seconds(time_since(began)) : thread_cpu_s() - cpu_before;
  for (const auto& sink : options_.sinks)
    self_->send(sink, e); // before anybody stops, so that it is part of the run
  if (reaches(e, options_.target_accuracy, options_.target)) {
    if (options_.on_target)
      self_->send(options_.on_target, target_reached{});
    else
      for (const auto& w : options_.workers)
        self_->send(w, stop_work{});
    return;
  }
  const auto processors = std::max(1U, std::thread::hardware_concurrency());
  const auto affordable = from_seconds(e.cpu_s / (0.05 * processors));
  self_->delayed_send(self_, std::max(options_.every, affordable), evaluation_due{});
}

evaluator_actor::behavior_type evaluator(evaluator_actor::stateful_pointer<evaluator_state> self,
                                         evaluator_options options) {
  self->set_exception_handler([](std::exception_ptr& thrown) { return thrown_error(thrown); });
  self->state.start(std::move(options));
  self->set_down_handler([self](const caf::down_msg& down) { self->state.worker_down(down); });
  return {
      [self](const evaluation_due&) { self->state.ask(); },
      [self](const answers_due& x) { self->state.give_up_on(x.question); },
      [self](const snapshot& x) { self->state.receive(x); },
  };
}

} // namespace dybw
