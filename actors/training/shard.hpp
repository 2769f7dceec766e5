#pragma once

#include "actors/actors.hpp"
#include "learning/data/mini_batch.hpp"

namespace dybw {

/// State of a shard actor. The next batch is always prepared: a request is answered at once, then the one
/// after it is drawn. The vectors of rows are used again when nobody holds them any more.
struct shard_state {
  static inline const char* name = "shard";

  void start(mini_batch_sampler sampler);
  mini_batch take();

private:
  mini_batch prepare();

  std::optional<mini_batch_sampler> sampler_;
  std::vector<std::shared_ptr<std::vector<std::uint32_t>>> buffers_;
  std::size_t newest_ = 0; ///< handed out last; they come back in the order in which they went
  mini_batch next_;
};

shard_actor::behavior_type shard(shard_actor::stateful_pointer<shard_state> self, mini_batch_sampler sampler);

} // namespace dybw
