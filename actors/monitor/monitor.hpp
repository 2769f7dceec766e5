#pragma once

#include "actors/monitor/monitor_machine.hpp"

#include <map>

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
  void opened(const control_opened& x);
  void failed(const control_failed& x);
  void receive(const control_received& x);
  void closed(const control_closed& x);
  void tick();
  run_view_ptr view();
  void close_all();

private:
  void apply(const monitor_event& what);
  void perform(const std::vector<monitor_effect>& effects);
  void perform(const call_node& x);
  void perform(const tell_node& x);
  void perform(const hang_up& x);
  nanoseconds now() const;

  node_monitor_actor::stateful_pointer<monitor_state> self_;
  monitor_options options_;
  std::optional<monitor_machine> machine_;
  std::chrono::steady_clock::time_point origin_;
  std::uint64_t newest_key_ = 0;
  std::map<std::uint64_t, node_index> calls_; ///< by key
  std::map<connection_id, node_index> lines_;
  nanoseconds looked_at_{0};
};

node_monitor_actor::behavior_type monitor(node_monitor_actor::stateful_pointer<monitor_state> self,
                                          monitor_options options);

} // namespace dybw
