#pragma once

#include "actors/run/run_host.hpp"

namespace dybw {

struct run_lead_options {
  gateway_actor gateway;
  std::shared_ptr<const run_inputs> inputs;
  run_spec spec;
  std::vector<worker_actor> here; ///< [workers], null for those of other nodes
  std::shared_ptr<const topology> graph;
  bool late = false;                ///< takes over in the middle of the run
  std::filesystem::path evals_file; ///< empty: none
  evaluation_sink_actor on_evaluation;
  target_listener_actor on_target;
};

/// What the leading node has beside its own workers: a client that follows the other nodes, a reporter that
/// sees all workers, the evaluator. They end with it. Not thread-safe.
class run_lead {
public:
  run_lead(caf::actor_system& system, run_lead_options options);
  ~run_lead();
  run_lead(const run_lead&) = delete;
  run_lead& operator=(const run_lead&) = delete;

  void begin(run_origin origin);

  /// What the workers here report; the other nodes' comes by the client.
  void take(const local_reports& x);

  /// No evaluation any more. It asks the workers of other nodes, which stay as long as somebody asks: two
  /// leads that go on would keep each other for ever.
  void stop_evaluating();

  const run_client_actor& client() const noexcept { return client_; }
  const reporter_actor& reports() const noexcept { return reports_; }
  /// Null before the beginning, without a model, and once it is not to evaluate any more.
  const evaluator_actor& evaluator() const noexcept { return evaluator_; }
  bool is_evaluator(const caf::strong_actor_ptr& sender) const { return evaluator_ && evaluator_ == sender; }

private:
  template <class Handle>
  Handle adopt(Handle handle) {
    actors_.push_back(caf::actor_cast<caf::actor>(handle));
    return handle;
  }

  caf::actor_system& system_;
  run_lead_options options_;
  run_client_actor client_;
  reporter_actor reports_;
  evaluator_actor evaluator_; ///< null before the beginning, and without a model
  std::vector<caf::actor> actors_;
  std::size_t lost_ = 0; ///< workers here that are known to be lost
};

} // namespace dybw
