#include "actors/training/shard.hpp"

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
  newest_ = buffers_.empty() ? 0 : (newest_ + 1) % buffers_.size();
  if (buffers_.empty() || buffers_[newest_].use_count() > 1) // all are under way, but for rare exceptions
    buffers_.insert(buffers_.begin() + static_cast<std::ptrdiff_t>(newest_),
                    std::make_shared<std::vector<std::uint32_t>>());
  std::atomic_thread_fence(std::memory_order_acquire); // after the last reader's release of its reference
  auto buffer = buffers_[newest_];
  buffer->assign(rows.begin(), rows.end());
  return mini_batch{std::move(buffer), sampler_->epoch()};
}

shard_actor::behavior_type shard(shard_actor::stateful_pointer<shard_state> self,
                                 mini_batch_sampler sampler) {
  self->state.start(std::move(sampler));
  return {[self](const batch_wanted&) { return self->state.take(); }};
}

} // namespace dybw
