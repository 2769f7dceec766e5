#pragma once

#include "actors/client/node_lines.hpp"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace dybw {

// --- What happens to a run client: events ---

struct stop_asked_for {};
struct release_asked_for {};

using follow_event = std::variant<node_reached, node_not_reached, node_said, node_hung_up, node_moved,
                                  time_passed, stop_asked_for, release_asked_for>;

// --- What is to be done: effects, to be carried out in order ---

/// The run begins now: what follows is reported.
struct run_begins {};

/// News for the reporter: each once, the rounds of a worker in ascending order.
using run_news = std::variant<round_report, worker_end, evaluation, workers_gone, workers_back>;

using follow_effect = std::variant<call_node, tell_node, hang_up, run_begins, run_news>;

// --- The machine ---

struct follow_machine_options {
  run_spec spec;
  bool launches = false;
  std::optional<node_index> here; ///< see `run_client_options`
};

/// How a run on several nodes is started and followed, without actors, clocks or sockets: events in, effects
/// out.
///
/// Launching: call all nodes, `prepare`, compare what they answer, `connect`, then `subscribe` and `begin`.
/// Each stage waits for every node, within limits; a refusal, a lost connection or a stage
/// that takes too long fails the launch, and every node is told to let go. Following: see `run_client`. Not
/// thread-safe; deterministic.
class follow_machine {
public:
  static constexpr nanoseconds call_patience{std::chrono::seconds{5}};
  static constexpr nanoseconds load_patience{std::chrono::seconds{120}}; ///< for the nodes to load their data
  /// Loading or not, a node answers what is asked of it.
  static constexpr nanoseconds silence_while_loading{std::chrono::seconds{8}};
  static constexpr nanoseconds link_patience{std::chrono::seconds{8}};
  static constexpr nanoseconds call_again_after{std::chrono::seconds{1}};
  static constexpr nanoseconds silence_min{std::chrono::seconds{2}};
  /// How long the rest of a run that is over elsewhere is waited for, on nodes that are gone.
  static constexpr nanoseconds straggler_patience{std::chrono::seconds{5}};
  /// How long a client without a node that answers goes on trying.
  static constexpr nanoseconds nobody_patience{std::chrono::seconds{10}};

  explicit follow_machine(follow_machine_options options);

  /// The first effects. Once, before any `step`.
  std::vector<follow_effect> open(nanoseconds now);
  /// Takes one event that happens at `now` (never earlier than the one before).
  std::vector<follow_effect> step(nanoseconds now, const follow_event& what);

  cluster_status status() const;
  /// The nodes that can be asked for the result, the one that leads the largest part first.
  std::vector<node_index> result_candidates() const;
  bool is_reachable(node_index node) const { return nodes_[index_of(node)].line == line::open; }
  /// Where it listens as far as is known; a restarted node may have moved.
  const endpoint& address_of(node_index node) const { return nodes_[index_of(node)].address; }

private:
  enum class line { closed, calling, open };
  enum class stage { calling, preparing, linking, beginning, following, over, failed };

  struct member {
    endpoint address;
    std::vector<worker_id> workers;
    enum line line = line::closed;
    nanoseconds changed{0}; ///< when `line` did last
    nanoseconds heard{0};   ///< the last sign of life
    bool gone = false;      ///< the reporter knows
    nanoseconds gone_since{0};
    bool answered = false; ///< in the present stage
    prepare_run_reply ready;
    std::string waiting; ///< its longest wait
    report_batch newest; ///< without its reports
    bool has_reported = false;
    std::uint64_t dropped_before = 0; ///< reports dropped in earlier subscriptions
    std::uint64_t dropped = 0;        ///< in this one
  };
  struct worker_progress {
    round_number newest = 0;
    bool ended = false;
  };

  void on(const node_reached& e);
  void on(const node_not_reached& e);
  void on(const node_said& e);
  void on(const node_hung_up& e);
  void on(const node_moved& e);
  void on(const time_passed& e);
  void on(const stop_asked_for& e);
  void on(const release_asked_for& e);

  void hear(node_index id, const prepare_run_reply& x);
  void hear(node_index id, const connect_reply& x);
  void hear(node_index id, const begin_reply& x);
  void hear(node_index id, const report_batch& x);
  void hear(node_index id, const node_status& x);
  template <class Other>
  void hear(node_index, const Other&) {} // nothing that a node says unasked, or nothing to act upon

  bool launching() const noexcept { return stage_ < stage::following; }
  bool is_here(std::size_t i) const { return options_.here && index_of(*options_.here) == i; }
  void watch_launch();
  void enter(stage next);
  void advance_launch();
  std::vector<std::string> unanswered() const;
  void fail(int exit_code, const std::string& why);
  void call(std::size_t i);
  void follow(node_index id);
  void pass_on(node_index id, const report_batch& x);
  void lose(std::size_t i, const std::string& reason);
  void regain(std::size_t i);
  std::vector<worker_id> unfinished(std::size_t i) const;
  void call_lost_nodes();
  void ask_how_it_stands();
  void notice_silence();
  void notice_end();
  bool is_measured_elsewhere(std::size_t i) const;
  std::string name_of(std::size_t i) const;
  template <class Message>
  void tell(std::size_t i, Message message);

  follow_machine_options options_;
  nanoseconds silence_max_;
  stage stage_ = stage::calling;
  nanoseconds now_{0};
  nanoseconds stage_began_{0};
  nanoseconds ticked_{0};
  nanoseconds asked_how_it_stands_{0};
  std::vector<member> nodes_;
  std::vector<worker_progress> workers_;
  double newest_evaluation_s_ = -1;
  bool stopping_ = false;
  bool released_ = false;
  std::string failure_;
  int exit_code_ = 0;
  std::vector<follow_effect> effects_;
};

} // namespace dybw
