#pragma once

#include "actors/client/node_connections.hpp"
#include "actors/cluster/follow_machine.hpp"
#include "actors/cluster/launch_machine.hpp"

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

/// A client of all nodes of one run: the shell of a `launch_machine`, if it launches the run, and of a
/// `follow_machine`, which takes over when the run begins; these decide whom to tell what.
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
  /// What the gateway says.
  template <class Message>
  void take(const Message& x) {
    if (const auto what = connections_.take(x))
      std::visit(
          [this](auto e) {
            const auto i = index_of(e.node);
            if (i < pending_.size())
              return apply(e);
            e.node = node_at(i - pending_.size());
            question(e);
          },
          *what);
  }
  void tick();
  template <class Event>
  void apply(const Event& e) {
    if (launching())
      launch(e);
    follow(e);
  }
  template <class Event>
  void follow(const Event& e) {
    if (follow_)
      perform(follow_->step(now(), e));
  }
  cluster_status status() const;
  snapshot_promise take_snapshot(worker_id worker);
  result_promise find_result();
  /// Lets go of all connections.
  void close_all() { connections_.close_all(); }

private:
  /// Several nodes may be asked for the result; the best answer counts.
  struct result_search {
    result_promise promise;
    std::vector<node_index> left; ///< to be asked yet, the next one last
    std::shared_ptr<const result_reply> best;
  };
  struct open_question {
    std::optional<worker_id> worker; ///< whose estimate; none: the result
    std::vector<snapshot_promise> snapshots;
    std::shared_ptr<result_search> search;
    nanoseconds asked{0};
  };

  /// Not yet, or it failed.
  bool launching() const { return launch_ && !launch_->has_begun(); }
  template <class Event>
  void launch(const Event& e) {
    perform(launch_->step(now(), e));
    if (launch_->has_failed())
      follow_.reset();
  }
  void begin_following();

  template <class Effect>
  void perform(const std::vector<Effect>& effects) {
    for (const auto& x : effects)
      std::visit([this](const auto& todo) { perform(todo); }, x);
  }
  void perform(const call_node& x) { connections_.perform(x, control_client_actor{self_}); }
  void perform(const tell_node& x) { connections_.perform(x); }
  void perform(const hang_up& x);
  void perform(const run_begins& x);
  void perform(const run_news& x);

  nanoseconds now() const;
  /// A node has two connections: the machine's has its own number, that for questions this one.
  node_index questions_to(node_index node) const { return node_at(index_of(node) + pending_.size()); }
  void question(const node_reached& e);
  void question(const node_not_reached& e) { fail_questions(e.node, e.reason); }
  void question(const node_said& e);
  void question(const node_hung_up& e) { fail_questions(e.node, e.reason); }
  void ask(node_index node, open_question x);
  void send_question(node_index node, const open_question& x);
  void answer(node_index node, const snapshot_reply& x);
  void answer(node_index node, const std::shared_ptr<const result_reply>& x);
  void drop_questions(node_index node, const std::string& reason);
  void fail_questions(node_index node, const std::string& reason);
  void fail(open_question& x, const std::string& reason);
  void search_on(const std::shared_ptr<result_search>& search);

  run_client_actor::stateful_pointer<run_client_state> self_;
  run_client_options options_;
  std::optional<launch_machine> launch_;
  std::optional<follow_machine> follow_; ///< from when the run begins
  node_connections connections_;
  std::chrono::steady_clock::time_point origin_;
  std::vector<std::vector<open_question>> pending_; ///< [nodes], in the order asked
};

run_client_actor::behavior_type run_client(run_client_actor::stateful_pointer<run_client_state> self,
                                           run_client_options options);

} // namespace dybw
