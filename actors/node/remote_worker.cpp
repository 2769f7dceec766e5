#include "actors/node/remote_worker.hpp"

#include <utility>

namespace dybw {

namespace {

constexpr int rest_factor = 9; ///< rests so many times as long as fetching took

} // namespace

caf::typed_response_promise<snapshot> remote_worker_state::take_snapshot() {
  auto promise = self_->make_response_promise<snapshot>();
  if (!fetching_ && std::chrono::steady_clock::now() < next_) {
    promise.deliver(newest_);
    return promise;
  }
  waiting_.push_back(promise);
  if (!fetching_)
    fetch();
  return promise;
}

void remote_worker_state::fetch() {
  fetching_ = true;
  asked_ = std::chrono::steady_clock::now();
  self_->request(client_, patience, newest_.worker, snapshot_wanted{})
      .then([this](const snapshot& x) { arrived(x); },
            [this](const caf::error&) {
              arrived(snapshot{newest_.worker, {}, newest_.local_steps});
            });
}

void remote_worker_state::arrived(const snapshot& x) {
  newest_ = x;
  fetching_ = false;
  const auto now = std::chrono::steady_clock::now();
  next_ = now + rest_factor * (now - asked_);
  for (auto& promise : std::exchange(waiting_, {}))
    promise.deliver(newest_);
}

estimate_source_actor::behavior_type
remote_worker(estimate_source_actor::stateful_pointer<remote_worker_state> self,
              const run_client_actor& client, worker_id worker) {
  self->state.start(client, worker);
  return {
      [](const stop_work&) {},
      [self](const snapshot_wanted&) { return self->state.take_snapshot(); },
  };
}

} // namespace dybw
