#pragma once

#include "actors/client/node_lines.hpp"
#include "learning/monitoring/run_watch.hpp"

#include <deque>
#include <optional>

namespace dybw {

using monitor_event = std::variant<node_reached, node_not_reached, node_said, node_hung_up, time_passed>;
using monitor_effect = std::variant<call_node, tell_node, hang_up>;

/// How a live run is watched over the network, without actors, clocks or sockets: events in, effects out. Its
/// `node_index` is a number of its own, in the order in which it came to know the nodes; 0 is the one it was
/// given.
///
/// It asks the first node which run is going on, calls all nodes of that run, and asks each how its workers
/// stand, one question at a time: what a slow node or a slow monitor does not take is never asked. Nodes that
/// are gone are called again every second; the loss of any, the first one included, costs no more than what
/// lives there. When the nodes have let go of a run it waits for the next one. Which run is watched only the
/// first node says, which the user has named; another one only while that is out of reach and no run is going
/// on: a node that was started again and serves another run does not turn the view away from this one. Not
/// thread-safe; deterministic.
class monitor_machine {
public:
  static constexpr nanoseconds ask_every{std::chrono::milliseconds{250}};
  /// While nobody looks.
  static constexpr nanoseconds ask_seldom_every{std::chrono::seconds{5}};
  static constexpr nanoseconds sketch_every{std::chrono::seconds{1}};
  /// An answer that is missing for so long does not come on this connection.
  static constexpr nanoseconds answer_patience{std::chrono::seconds{5}};
  static constexpr nanoseconds describe_every{std::chrono::seconds{1}};
  /// To hear of nodes that have moved.
  static constexpr nanoseconds describe_again_every{std::chrono::seconds{5}};

  /// How often time passes.
  static constexpr auto tick_every = std::chrono::milliseconds{50};

  explicit monitor_machine(const endpoint& first);

  /// The first effects. Once, before any `step`.
  std::vector<monitor_effect> open(nanoseconds now);
  /// Takes one event that happens at `now` (never earlier than the one before).
  std::vector<monitor_effect> step(nanoseconds now, const monitor_event& what);
  /// Whether anybody looks; ask seldom otherwise.
  void looked_at(bool closely) noexcept { closely_ = closely; }

  run_view view(nanoseconds now) const;

private:
  struct member : node_line {
    std::optional<std::size_t> place; ///< in the run
    std::string why_not;              ///< it is closed
    std::optional<nanoseconds> asked; ///< a question without an answer yet
    nanoseconds next_question{0};
    nanoseconds next_sketch{0};
    bool idle = false; ///< serves no run, as it says
  };

  void on(const node_reached& e);
  void on(const node_not_reached& e) { lose(members_[index_of(e.node)], e.reason); }
  void on(const node_said& e);
  void on(const node_hung_up& e) { lose(members_[index_of(e.node)], e.reason); }
  void on(const time_passed& e);

  void hear(member& m, const describe_reply& x);
  void hear(member& m, const metrics_reply& x);
  template <class Other>
  void hear(member&, const Other&) {} // not asked for

  void call(member& m) { effects_.emplace_back(m.call(now_)); }
  void lose(member& m, const std::string& reason);
  void drop(member& m);
  void ask(member& m);
  template <class Question>
  void ask(member& m, Question question);
  void begin(member& first, const describe_reply& x);
  bool may_change_run(const member& m) const;
  void follow_moves(const run_spec& spec);
  void note_end();
  member& add_member(const endpoint& address);
  member& member_at(const endpoint& address);

  std::deque<member> members_; // stay where they are
  run_id run_ = 0;
  std::optional<run_watch> watch_;
  bool closely_ = true;
  bool ever_reached_ = false;
  nanoseconds now_{0};
  nanoseconds next_describe_{0};
  std::vector<monitor_effect> effects_;
};

} // namespace dybw
