#include "actors/monitor/local_monitor.hpp"

#include "actors/monitor/monitor_machine.hpp"

namespace dybw {

namespace {

constexpr auto answer_patience = std::chrono::seconds{2};

} // namespace

void local_monitor_state::start(nanoseconds looks_for) {
  looks_for_ = looks_for;
  origin_ = self_->home_system().clock().now();
  self_->delayed_send(self_, monitor_machine::tick_every, monitor_tick{});
}

nanoseconds local_monitor_state::now() const {
  return std::chrono::duration_cast<nanoseconds>(self_->home_system().clock().now() - origin_);
}

void local_monitor_state::watch(const watch_run& x) {
  watch_.emplace(x.plan);
  reports_ = x.reports;
  self_->monitor(reports_);
  asked_ = false;
  next_question_ = next_sketch_ = now();
}

void local_monitor_state::run_down(const caf::down_msg& down) {
  if (!reports_ || down.source != reports_.address())
    return;
  reports_ = nullptr;
  watch_->over(now());
}

void local_monitor_state::tick() {
  self_->delayed_send(self_, monitor_machine::tick_every, monitor_tick{});
  if (!reports_)
    return;
  if (!asked_ && now() >= next_question_)
    ask();
  watch_->tick(now());
}

void local_monitor_state::ask() {
  const auto closely = now() - looked_at_ < looks_for_;
  next_question_ = now() + (closely ? monitor_machine::ask_every : monitor_machine::ask_seldom_every);
  const auto sketch = now() >= next_sketch_;
  if (sketch)
    next_sketch_ = now() + monitor_machine::sketch_every;
  asked_ = true;
  watch_->asked(0, now());
  self_->request(reports_, answer_patience, metrics_wanted{sketch})
      .then(
          [this, of = reports_](const process_metrics_ptr& x) {
            if (of != reports_)
              return; // of the run before
            asked_ = false;
            watch_->take(0, now(), *x);
          },
          [this, of = reports_](const caf::error&) {
            if (of == reports_)
              asked_ = false; // it is busy; again soon
          });
}

run_view_ptr local_monitor_state::view() {
  looked_at_ = now();
  if (watch_)
    return std::make_shared<const run_view>(watch_->view(now()));
  auto nothing = std::make_shared<run_view>();
  nothing->now = run_view::state::idle;
  nothing->trouble = "no run has begun yet";
  return nothing;
}

local_monitor_actor::behavior_type
local_monitor(local_monitor_actor::stateful_pointer<local_monitor_state> self, nanoseconds looks_for) {
  self->state.start(looks_for);
  self->set_down_handler([self](const caf::down_msg& down) { self->state.run_down(down); });
  return {
      [self](const monitor_tick&) { self->state.tick(); },
      [self](const view_wanted&) { return self->state.view(); },
      [self](const watch_run& x) { self->state.watch(x); },
  };
}

} // namespace dybw
