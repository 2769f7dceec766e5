#pragma once

#include "actors/client/node_lines.hpp"
#include "learning/monitoring/run_watch.hpp"

#include <optional>
#include <variant>
#include <vector>

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
/// lives there. When the nodes have let go of a run it waits for the next one. Not thread-safe;
/// deterministic.
class monitor_machine {
public:
  static constexpr nanoseconds call_patience{std::chrono::seconds{5}};
  static constexpr nanoseconds call_again_after{std::chrono::seconds{1}};
  static constexpr nanoseconds ask_every{std::chrono::milliseconds{250}};
  /// While nobody looks.
  static constexpr nanoseconds ask_seldom_every{std::chrono::seconds{5}};
  static constexpr nanoseconds sketch_every{std::chrono::seconds{1}};
  /// An answer that is missing for so long does not come on this connection.
  static constexpr nanoseconds answer_patience{std::chrono::seconds{5}};
  static constexpr nanoseconds describe_every{std::chrono::seconds{1}};
  /// To hear of nodes that have moved.
  static constexpr nanoseconds describe_again_every{std::chrono::seconds{5}};

  explicit monitor_machine(endpoint first);

  /// The first effects. Once, before any `step`.
  std::vector<monitor_effect> open(nanoseconds now);
  /// Takes one event that happens at `now` (never earlier than the one before).
  std::vector<monitor_effect> step(nanoseconds now, const monitor_event& what);
  /// Whether anybody looks; ask seldom otherwise.
  void looked_at(bool closely) noexcept { closely_ = closely; }

  run_view view(nanoseconds now) const;

private:
  enum class line { closed, calling, open };
  struct member {
    endpoint address;
    std::optional<std::size_t> place; ///< in the run
    enum line line = line::closed;
    nanoseconds changed{0};           ///< when `line` did last
    std::string why_not;              ///< `closed`
    std::optional<nanoseconds> asked; ///< a question without an answer yet
    nanoseconds next_question{0};
    nanoseconds next_sketch{0};
    bool idle = false; ///< serves no run, as it says
  };

  void on(const node_reached& e);
  void on(const node_not_reached& e);
  void on(const node_said& e);
  void on(const node_hung_up& e);
  void on(const time_passed& e);

  void hear(std::size_t i, const describe_reply& x);
  void hear(std::size_t i, const metrics_reply& x);
  template <class Other>
  void hear(std::size_t, const Other&) {} // not asked for

  void call(std::size_t i);
  void lose(std::size_t i, const std::string& reason);
  void drop_line(std::size_t i);
  void ask(std::size_t i);
  template <class Question>
  void ask(std::size_t i, Question question);
  void begin(std::size_t i, const describe_reply& x);
  void follow_moves(const run_spec& spec);
  void note_end();
  std::size_t member_at(const endpoint& address);

  std::vector<member> members_;
  run_id run_ = 0;
  std::optional<run_watch> watch_;
  bool closely_ = true;
  bool ever_reached_ = false;
  nanoseconds now_{0};
  nanoseconds next_describe_{0};
  std::vector<monitor_effect> effects_;
};

} // namespace dybw
