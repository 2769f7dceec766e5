#pragma once

#include "actors/client/node_lines.hpp"

namespace dybw {

using launch_event = std::variant<node_reached, node_not_reached, node_said, node_hung_up, time_passed,
                                  stop_work, release_run>;

/// The run begins now: what follows is reported, and is for a `follow_machine` as well.
struct run_begins {};

using launch_effect = std::variant<call_node, tell_node, hang_up, run_begins>;

/// How a run on several nodes is started, without actors, clocks or sockets: events in, effects out.
///
/// Calls all nodes, `prepare`, compares what they answer, `connect`, then `begin`. Each stage waits for every
/// node, within limits; a refusal, a lost connection or a stage that takes too long fails the launch, and
/// every node is told to let go. Only once the run begins may a node be lost. Not thread-safe; deterministic.
class launch_machine {
public:
  static constexpr nanoseconds load_patience{std::chrono::seconds{120}}; ///< for the nodes to load their data
  /// Loading or not, a node answers what is asked of it.
  static constexpr nanoseconds silence_while_loading{std::chrono::seconds{8}};
  static constexpr nanoseconds link_patience{std::chrono::seconds{8}};
  static constexpr nanoseconds ask_every{std::chrono::seconds{1}};

  explicit launch_machine(run_spec spec);

  /// The first effects. Once, before any `step`.
  std::vector<launch_effect> open(nanoseconds now);
  /// Takes one event that happens at `now` (never earlier than the one before).
  std::vector<launch_effect> step(nanoseconds now, const launch_event& what);

  /// Every node has begun, or is lost since it was told to.
  bool has_begun() const noexcept { return stage_ == stage::begun; }
  bool has_failed() const noexcept { return stage_ == stage::failed; }
  cluster_status status() const;
  /// For who follows the run.
  std::vector<node_line> lines() const { return {nodes_.begin(), nodes_.end()}; }

private:
  enum class stage { calling, preparing, linking, beginning, begun, failed };

  struct member : node_line {
    explicit member(node_line line) : node_line(std::move(line)) {}

    bool answered = false; ///< in the present stage
    prepare_run_reply ready;
  };

  void on(const node_reached& e);
  void on(const node_not_reached& e);
  void on(const node_said& e);
  void on(const node_hung_up& e);
  void on(const time_passed& e);
  void on(const stop_work& e);
  void on(const release_run& e);

  void hear(member& n, const prepare_run_reply& x);
  void hear(member& n, const connect_reply& x) { note_answer(n, stage::linking, x.refusal); }
  void hear(member& n, const begin_reply& x) { note_answer(n, stage::beginning, x.refusal); }
  template <class Other>
  void hear(member&, const Other&) {} // a sign of life

  member& at(node_index node) { return nodes_[index_of(node)]; }
  bool is_over() const noexcept { return stage_ >= stage::begun; }
  void note_answer(member& n, stage asked_in, const std::string& refusal, int exit_code = 0);
  void advance();
  void enter(stage next);
  void fail(int exit_code, const std::string& why);
  nanoseconds stage_patience() const;
  std::vector<std::string> unanswered() const;
  template <class Message>
  void tell(const member& n, Message message) {
    if (n.is_open())
      effects_.emplace_back(n.tell(std::move(message)));
  }

  run_spec spec_;
  stage stage_ = stage::calling;
  nanoseconds now_{0};
  nanoseconds stage_began_{0};
  nanoseconds ticked_{0};
  nanoseconds asked_how_it_stands_{0};
  std::vector<member> nodes_;
  std::string failure_;
  int exit_code_ = 0;
  std::vector<launch_effect> effects_;
};

} // namespace dybw
