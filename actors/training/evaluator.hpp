#pragma once

#include "actors/actors.hpp"
#include "learning/model/test_bench.hpp"

namespace dybw {

struct evaluator_options {
  std::shared_ptr<test_bench> bench;          ///< for the evaluator alone
  std::vector<estimate_source_actor> workers; ///< or a remote_worker for those of other nodes
  std::vector<parameter_block> initial;       ///< [workers], w_j(0); none: does not count before it answers
  std::vector<evaluation_sink_actor> sinks;   ///< get each evaluation
  run_origin origin;
  nanoseconds every{0};
  std::optional<double> target_accuracy;
  std::optional<score_target> target;
  target_listener_actor on_target; ///< who is told when it is reached; null: the workers, to stop
};

class evaluator_state {
public:
  static inline const char* name = "evaluator";

  explicit evaluator_state(evaluator_actor::stateful_pointer<evaluator_state> self) : self_(self) {}

  void start(evaluator_options options);
  void ask();
  void give_up_on(std::uint64_t question);
  void receive(const snapshot& x);
  void worker_down(const caf::down_msg& down);

private:
  void evaluate();
  void note_answer(std::size_t worker);

  evaluator_actor::stateful_pointer<evaluator_state> self_;
  evaluator_options options_;
  std::vector<parameter_block> estimates_; ///< the newest of each worker
  bool changed_ = true;                    ///< one of them is another than those measured last
  std::vector<std::uint64_t> local_steps_;
  std::vector<bool> answered_;
  std::size_t missing_ = 0; ///< that have not answered
  std::vector<bool> lost_;  ///< ended: not asked, and not averaged any more
  std::uint64_t question_ = 0;
  bool asked_ = false;
};

/// Spawn with `caf::detached`.
evaluator_actor::behavior_type evaluator(evaluator_actor::stateful_pointer<evaluator_state> self,
                                         evaluator_options options);

} // namespace dybw
