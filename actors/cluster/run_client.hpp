#pragma once

#include "actors/cluster/follow_machine.hpp"

#include <map>

namespace dybw {

struct run_client_options {
  gateway_actor gateway;   ///< dials the nodes
  reporter_actor reporter; ///< gets what the nodes report
  run_spec spec;           ///< `self` does not matter
  /// Whether the run is still to be started: connect, prepare, link, begin. Otherwise it is only followed.
  bool launches = false;
  /// The node that this process is, if it is one: it is not called, and what its own workers report reaches
  /// `reporter` without the client.
  std::optional<node_index> here;
  /// The size of every estimate, where it is known: one of another size counts as not found.
  std::optional<std::uint64_t> parameters{};
};

/// A client of all nodes of one run: the shell of a `follow_machine`, which decides whom to tell what.
///
/// To launch a run it goes through `cluster_phase` in order; whatever goes wrong before the run began ends in
/// `failed`, with one line and an exit code in the status, after every node was told to let go. It tells the
/// reporter the run's origin (`watch_workers` without workers) before anything else.
///
/// From then on it passes every round, last word and evaluation that the nodes report on to the reporter, at
/// most once and the rounds of each worker in ascending order, whatever connections break. A node that is
/// silent for `suspect_after` (at least two seconds) or whose connection closes is gone (`workers_gone`)
/// until its reports come again (`workers_back`); it is called again every second. Who follows a run from its
/// middle misses what was before; several clients of one run do not disturb each other.
///
/// Estimates and results travel on connections of their own, opened when first asked for, so that a large one
/// does not hold up the signs of life. A question is answered, or fails with a reason, within
/// `question_patience`; another one for the same estimate waits for the first one's answer.
class run_client_state {
public:
  static inline const char* name = "run_client";
  static constexpr nanoseconds question_patience{std::chrono::seconds{60}};

  using snapshot_promise = caf::typed_response_promise<snapshot>;
  using result_promise = caf::typed_response_promise<std::shared_ptr<const result_reply>>;

  explicit run_client_state(run_client_actor::stateful_pointer<run_client_state> self) : self_(self) {}

  void start(run_client_options options);
  void opened(const control_opened& x);
  void failed(const control_failed& x);
  void receive(const control_received& x);
  void closed(const control_closed& x);
  void tick();
  void apply(const follow_event& what);
  cluster_status status() const { return machine_->status(); }
  snapshot_promise take_snapshot(worker_id worker);
  result_promise find_result();
  /// Lets go of all connections.
  void close_all();

private:
  /// What a connection is for.
  struct purpose {
    node_index node{};
    bool questions = false; ///< else: the machine's
  };
  /// Several nodes may be asked for the result; the best answer counts.
  struct result_search {
    result_promise promise;
    std::vector<node_index> left; ///< to be asked yet, the next one last
    std::shared_ptr<const result_reply> best;
  };
  struct question {
    std::optional<worker_id> worker; ///< whose estimate; none: the result
    std::vector<snapshot_promise> snapshots;
    std::shared_ptr<result_search> search;
    nanoseconds asked{0};
  };
  /// A node's connection for questions.
  struct question_line {
    bool calling = false;
    std::optional<connection_id> connection;
    std::vector<question> pending; ///< in the order asked
  };

  void perform(const call_node& x);
  void perform(const tell_node& x);
  void perform(const hang_up& x);
  void perform(const run_begins& x);
  void perform(const run_news& x);
  void report(const worker_end& x);
  template <class News>
  void report(const News& x) {
    self_->send(options_.reporter, x);
  }

  nanoseconds now() const;
  void call(purpose why, const endpoint& to, nanoseconds patience);
  void send(connection_id to, control_message message);
  void ask(node_index node, question x);
  void send_question(node_index node, const question& x);
  void answer(node_index node, const snapshot_reply& x);
  void answer(node_index node, const std::shared_ptr<const control_message>& message);
  void fail_questions(node_index node, const std::string& reason);
  void fail(question& x, const std::string& reason);
  void drop_question_line(node_index node, const std::string& reason);
  void search_on(const std::shared_ptr<result_search>& search);

  run_client_actor::stateful_pointer<run_client_state> self_;
  run_client_options options_;
  std::optional<follow_machine> machine_;
  std::chrono::steady_clock::time_point origin_;
  std::uint64_t newest_key_ = 0;
  std::map<std::uint64_t, purpose> calls_; ///< by key
  std::map<connection_id, purpose> purposes_;
  std::vector<std::optional<connection_id>> lines_; ///< [nodes], the machine's
  std::vector<question_line> question_lines_;       ///< [nodes]
};

run_client_actor::behavior_type run_client(run_client_actor::stateful_pointer<run_client_state> self,
                                           run_client_options options);

} // namespace dybw
