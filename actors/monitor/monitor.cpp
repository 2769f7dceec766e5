#include "actors/monitor/monitor.hpp"

#include <spdlog/spdlog.h>

namespace dybw {

namespace {

constexpr auto tick_every = std::chrono::milliseconds{50};
constexpr auto answer_patience = std::chrono::seconds{2};

template <class Self>
std::chrono::steady_clock::time_point clock_of(Self* self) {
  return self->home_system().clock().now();
}

} // namespace

// --- Of nodes ---

void monitor_state::start(monitor_options options) {
  options_ = std::move(options);
  origin_ = clock_of(self_);
  machine_.emplace(options_.node);
  self_->monitor(options_.gateway);
  perform(machine_->open(now()));
  self_->delayed_send(self_, tick_every, monitor_tick{});
}

nanoseconds monitor_state::now() const {
  return std::chrono::duration_cast<nanoseconds>(clock_of(self_) - origin_);
}

void monitor_state::apply(const monitor_event& what) {
  perform(machine_->step(now(), what));
}

void monitor_state::perform(const std::vector<monitor_effect>& effects) {
  for (const auto& x : effects)
    std::visit([this](const auto& todo) { perform(todo); }, x);
}

void monitor_state::perform(const call_node& x) {
  calls_.emplace(++newest_key_, x.node);
  self_->send(options_.gateway,
              open_control{newest_key_, x.to, control_client_actor{node_monitor_actor{self_}}, x.patience});
}

void monitor_state::perform(const tell_node& x) {
  for (const auto& [connection, node] : lines_)
    if (node == x.node)
      self_->send(options_.gateway, send_control{connection, x.message});
}

void monitor_state::perform(const hang_up& x) {
  std::erase_if(calls_, [&](const auto& c) { return c.second == x.node; });
  std::erase_if(lines_, [&](const auto& l) {
    if (l.second != x.node)
      return false;
    self_->send(options_.gateway, close_control{l.first});
    return true;
  });
}

void monitor_state::opened(const control_opened& x) {
  const auto found = calls_.find(x.key);
  if (found == calls_.end()) { // not wanted any more
    self_->send(options_.gateway, close_control{x.connection});
    return;
  }
  const auto node = found->second;
  calls_.erase(found);
  lines_.emplace(x.connection, node);
  apply(node_reached{node});
}

void monitor_state::failed(const control_failed& x) {
  const auto found = calls_.find(x.key);
  if (found == calls_.end())
    return;
  const auto node = found->second;
  calls_.erase(found);
  apply(node_not_reached{node, x.reason});
}

void monitor_state::receive(const control_received& x) {
  if (const auto found = lines_.find(x.connection); found != lines_.end())
    apply(node_said{found->second, x.message});
}

void monitor_state::closed(const control_closed& x) {
  const auto found = lines_.find(x.connection);
  if (found == lines_.end())
    return;
  const auto node = found->second;
  lines_.erase(found);
  apply(node_hung_up{node, x.reason});
}

void monitor_state::tick() {
  machine_->looked_at(now() - looked_at_ < looks_for);
  apply(time_passed{});
  self_->delayed_send(self_, tick_every, monitor_tick{});
}

run_view_ptr monitor_state::view() {
  looked_at_ = now();
  return std::make_shared<const run_view>(machine_->view(now()));
}

void monitor_state::close_all() {
  for (const auto& [connection, node] : lines_)
    self_->send(options_.gateway, close_control{connection});
  lines_.clear();
}

node_monitor_actor::behavior_type monitor(node_monitor_actor::stateful_pointer<monitor_state> self,
                                          monitor_options options) {
  self->state.start(std::move(options));
  self->set_exit_handler([self](caf::exit_msg& x) {
    self->state.close_all();
    self->quit(std::move(x.reason));
  });
  self->set_down_handler([self](const caf::down_msg& down) { self->quit(down.reason); });
  return {
      [self](const monitor_tick&) { self->state.tick(); },
      [self](const view_wanted&) { return self->state.view(); },
      [self](const control_opened& x) { self->state.opened(x); },
      [self](const control_failed& x) { self->state.failed(x); },
      [self](const control_received& x) { self->state.receive(x); },
      [self](const control_closed& x) { self->state.closed(x); },
  };
}

// --- Of this process ---

void local_monitor_state::start(nanoseconds looks_for) {
  looks_for_ = looks_for;
  origin_ = clock_of(self_);
  self_->delayed_send(self_, tick_every, monitor_tick{});
}

nanoseconds local_monitor_state::now() const {
  return std::chrono::duration_cast<nanoseconds>(clock_of(self_) - origin_);
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
  self_->delayed_send(self_, tick_every, monitor_tick{});
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
