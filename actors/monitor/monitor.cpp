#include "actors/monitor/monitor.hpp"

namespace dybw {

void monitor_state::start(monitor_options options) {
  options_ = std::move(options);
  origin_ = self_->home_system().clock().now();
  connections_ = node_connections{options_.gateway};
  self_->monitor(options_.gateway);
  perform(machine_.emplace(options_.node).open(now()));
  self_->delayed_send(self_, monitor_machine::tick_every, monitor_tick{});
}

nanoseconds monitor_state::now() const {
  return std::chrono::duration_cast<nanoseconds>(self_->home_system().clock().now() - origin_);
}

void monitor_state::perform(const std::vector<monitor_effect>& effects) {
  for (const auto& x : effects)
    std::visit([this](const auto& todo) { perform(todo); }, x);
}

void monitor_state::perform(const call_node& x) {
  connections_.perform(x, control_client_actor{node_monitor_actor{self_}});
}

void monitor_state::tick() {
  machine_->looked_at(now() - looked_at_ < looks_for);
  perform(machine_->step(now(), time_passed{}));
  self_->delayed_send(self_, monitor_machine::tick_every, monitor_tick{});
}

run_view_ptr monitor_state::view() {
  looked_at_ = now();
  return std::make_shared<const run_view>(machine_->view(now()));
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
      [self](const control_opened& x) { self->state.take(x); },
      [self](const control_failed& x) { self->state.take(x); },
      [self](const control_received& x) { self->state.take(x); },
      [self](const control_closed& x) { self->state.take(x); },
  };
}

} // namespace dybw
