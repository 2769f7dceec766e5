#pragma once

#include "actors/client/node_lines.hpp"

#include <optional>
#include <utility>

namespace dybw {

using follow_event = std::variant<node_reached, node_not_reached, node_said, node_hung_up, node_moved,
                                  time_passed, stop_work, release_run>;

/// News for the reporter: each once, the rounds of a worker in ascending order.
using run_news = std::variant<round_report, worker_end, evaluation, workers_gone, workers_back>;

using follow_effect = std::variant<call_node, tell_node, hang_up, run_news>;

struct follow_machine_options {
  run_spec spec;
  std::optional<node_index> here; ///< see `run_client_options`
  bool launched = false;          ///< from here: people are shown how it stands
};

/// How a run that has begun on several nodes is followed to its end, without actors, clocks or sockets:
/// events in, effects out. See `run_client`. Not thread-safe; deterministic.
class follow_machine {
public:
  static constexpr nanoseconds ask_every{std::chrono::seconds{1}};
  /// How long the rest of a run that is over elsewhere is waited for, on nodes that are gone.
  static constexpr nanoseconds straggler_patience{std::chrono::seconds{5}};
  /// How long a client without a node that answers goes on trying.
  static constexpr nanoseconds nobody_patience{std::chrono::seconds{10}};

  /// `lines`: to all nodes of the run, as they stand.
  follow_machine(follow_machine_options options, const std::vector<node_line>& lines);

  /// The first effects. Once, before any `step`.
  std::vector<follow_effect> open(nanoseconds now);
  /// Takes one event that happens at `now` (never earlier than the one before).
  std::vector<follow_effect> step(nanoseconds now, const follow_event& what);

  /// Adds what it knows to what is known from the launch.
  cluster_status status(cluster_status known = {}) const;
  /// The nodes that can be asked for the result, the one that leads the largest part first.
  std::vector<node_index> result_candidates() const;
  const node_line& line_to(node_index node) const { return nodes_[index_of(node)]; }

private:
  struct member : node_line {
    explicit member(node_line line) : node_line(std::move(line)) {}

    std::vector<worker_id> workers;
    bool gone = false; ///< the reporter knows
    nanoseconds gone_since{0};
    std::string waiting; ///< its longest wait
    std::string left;    ///< why it leaves the run; empty: it does not
    report_batch newest; ///< without its reports
    bool has_reported = false;
    std::uint64_t dropped_before = 0; ///< reports dropped in earlier subscriptions
    std::uint64_t dropped = 0;        ///< in this one
    bool starts_over = false;         ///< no batch of this subscription has come: the first tells all ends
  };
  struct worker_progress {
    round_number newest = 0;
    bool ended = false;
    bool crashed = false; ///< .. by an error
  };

  void on(const node_reached& e);
  void on(const node_not_reached& e) { lose_line(e.node, e.reason); }
  void on(const node_said& e);
  void on(const node_hung_up& e) { lose_line(e.node, e.reason); }
  void on(const node_moved& e);
  void on(const time_passed& e);
  void on(const stop_work& e);
  void on(const release_run& e);

  void hear(member& n, const report_batch& x);
  void hear(member& n, const node_status& x);
  void hear(member& n, const begin_reply&) { n.heard = now_; }
  template <class Other>
  void hear(member&, const Other&) {} // nothing that a node says unasked, or nothing to act upon

  member& at(node_index node) { return nodes_[index_of(node)]; }
  bool is_here(const member& n) const { return options_.here == n.node; }
  /// Its reports can be had.
  static bool answers(const member& n) { return n.is_open() && !n.gone; }
  void subscribe(member& n);
  void pass_on(member& n, const report_batch& x);
  void lose_line(node_index node, const std::string& reason);
  void lose(member& n, const std::string& reason);
  void regain(member& n);
  void note_new_lives(member& n, const report_batch& first);
  std::vector<worker_id> unfinished(const member& n) const;
  void ask_how_it_stands();
  void notice_desertion();
  void notice_end();
  bool is_measured_elsewhere(const member& n) const;
  /// In place: GCC 14 takes a temporary of so many kinds for uninitialised.
  template <class News>
  void pass(News&& news) {
    effects_.emplace_back(std::in_place_type<run_news>, std::forward<News>(news));
  }
  template <class Message>
  void tell(const member& n, Message message) {
    if (n.is_open())
      effects_.emplace_back(n.tell(std::move(message)));
  }

  follow_machine_options options_;
  nanoseconds silence_max_;
  nanoseconds now_{0};
  nanoseconds ticked_{0};
  nanoseconds asked_how_it_stands_{0};
  nanoseconds somebody_at_{0}; ///< when somebody answered last who has not left
  std::vector<member> nodes_;
  std::vector<worker_progress> workers_;
  double newest_evaluation_s_ = -1;
  bool stopping_ = false;
  bool over_ = false;
  bool deserted_ = false;
  bool released_ = false;
  std::string failure_;
  int exit_code_ = 0;
  std::vector<follow_effect> effects_;
};

} // namespace dybw
