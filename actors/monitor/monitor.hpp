#pragma once

#include "actors/client/node_connections.hpp"
#include "actors/monitor/monitor_machine.hpp"

namespace dybw {

struct monitor_options {
  gateway_actor gateway; ///< dials the nodes
  endpoint node;         ///< any node of the run
};

/// The shell of a `monitor_machine`. It asks several times per second while somebody asks it for the view,
/// and seldom otherwise, so that a page nobody looks at costs nothing.
class monitor_state {
public:
  static inline const char* name = "monitor";
  /// Somebody who asked for the view within this time looks.
  static constexpr nanoseconds looks_for{std::chrono::seconds{10}};

  explicit monitor_state(node_monitor_actor::stateful_pointer<monitor_state> self) : self_(self) {}

  void start(monitor_options options);
  /// What the gateway says.
  template <class Message>
  void take(const Message& x) {
    if (const auto what = connections_.take(x))
      std::visit([this](const auto& e) { perform(machine_->step(now(), e)); }, *what);
  }
  void tick();
  run_view_ptr view();
  void close_all() { connections_.close_all(); }

private:
  void perform(const std::vector<monitor_effect>& effects);
  void perform(const call_node& x);
  template <class Effect>
  void perform(const Effect& x) {
    connections_.perform(x);
  }
  nanoseconds now() const;

  node_monitor_actor::stateful_pointer<monitor_state> self_;
  monitor_options options_;
  std::optional<monitor_machine> machine_;
  node_connections connections_;
  std::chrono::steady_clock::time_point origin_;
  nanoseconds looked_at_{0};
};

node_monitor_actor::behavior_type monitor(node_monitor_actor::stateful_pointer<monitor_state> self,
                                          monitor_options options);

} // namespace dybw
