#include "actors/training/shard.hpp"

#include <algorithm>
#include <atomic>

namespace dybw {

void shard_state::start(mini_batch_sampler sampler) {
  sampler_.emplace(std::move(sampler));
  next_ = prepare();
}

mini_batch shard_state::take() {
  return std::exchange(next_, prepare());
}

mini_batch shard_state::prepare() {
  const auto rows = sampler_->next();
  const auto unused =
      std::find_if(buffers_.begin(), buffers_.end(), [](const auto& b) { return b.use_count() == 1; });
  std::atomic_thread_fence(std::memory_order_acquire); // after the last reader's release of its reference
  auto buffer = unused != buffers_.end()
                    ? *unused
                    : buffers_.emplace_back(std::make_shared<std::vector<std::uint32_t>>());
  buffer->assign(rows.begin(), rows.end());
  return mini_batch{std::move(buffer), sampler_->epoch()};
}

shard_actor::behavior_type shard(shard_actor::stateful_pointer<shard_state> self,
                                 mini_batch_sampler sampler) {
  self->state.start(std::move(sampler));
  return {[self](const batch_wanted&) { return self->state.take(); }};
}

} // namespace dybw
