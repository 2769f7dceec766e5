#include "actors/monitor/monitor.hpp"

#include <spdlog/spdlog.h>

namespace dybw {

namespace {

constexpr auto tick_every = std::chrono::milliseconds{50};

} // namespace

void monitor_state::start(monitor_options options) {
  options_ = std::move(options);
  origin_ = self_->home_system().clock().now();
  machine_.emplace(options_.node);
  self_->monitor(options_.gateway);
  perform(machine_->open(now()));
  self_->delayed_send(self_, tick_every, monitor_tick{});
}

nanoseconds monitor_state::now() const {
  return std::chrono::duration_cast<nanoseconds>(self_->home_system().clock().now() - origin_);
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

} // namespace dybw
