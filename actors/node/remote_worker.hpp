#pragma once

#include "actors/actors.hpp"

namespace dybw {

/// Stands in for a worker of another node: gets its estimate over a control connection, for the evaluator.
/// Fetching takes at most a tenth of the time, so that it does not take the links from the training: in
/// between, the last estimate is the answer. Who cannot be reached is answered without parameters. Stops are
/// not its business.
class remote_worker_state {
public:
  static inline const char* name = "remote_worker";
  static constexpr nanoseconds patience{std::chrono::seconds{65}};

  explicit remote_worker_state(estimate_source_actor::stateful_pointer<remote_worker_state> self)
      : self_(self) {}

  void start(const run_client_actor& client, worker_id worker) {
    client_ = client;
    newest_.worker = worker;
  }
  caf::typed_response_promise<snapshot> take_snapshot();

private:
  void fetch();
  void arrived(const snapshot& x);

  estimate_source_actor::stateful_pointer<remote_worker_state> self_;
  run_client_actor client_;
  snapshot newest_;
  bool fetching_ = false;
  std::vector<caf::typed_response_promise<snapshot>> waiting_;
  std::chrono::steady_clock::time_point asked_;
  std::chrono::steady_clock::time_point next_{};
};

estimate_source_actor::behavior_type
remote_worker(estimate_source_actor::stateful_pointer<remote_worker_state> self,
              const run_client_actor& client, worker_id worker);

} // namespace dybw
