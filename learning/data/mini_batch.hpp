#pragma once

#include "learning/base/random.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace dybw {

/// Deals a shard's rows in mini-batches: a fresh seeded permutation per epoch, every row exactly once per
/// epoch. The last batch of an epoch holds what is left (at least one row) and the next batch starts the next
/// epoch, if asked as itself or mirrored, with even odds. Not thread-safe; each shard has its own.
class mini_batch_sampler {
public:
  /// REQUIRES: `rows` is not empty, `batch_size >= 1`.
  mini_batch_sampler(std::vector<std::uint32_t> rows, std::size_t batch_size, random_generator generator,
                     bool mirrors = false);

  /// The next batch, rows as `dataset::gather` takes them; valid until the next call. No allocation.
  std::span<const std::uint32_t> next();

  /// As many batches as if `next` had been called `count` times: to go on from a checkpoint.
  void skip(std::uint64_t count);

  /// Epochs begun so far minus one: 0 while the first pass lasts. The epoch of the batch last returned.
  std::uint64_t epoch() const noexcept { return epoch_; }
  std::size_t batches_per_epoch() const noexcept;

private:
  void begin_epoch();

  std::vector<std::uint32_t> rows_;
  bool mirrors_;
  std::size_t batch_size_;
  std::size_t position_ = 0;
  std::uint64_t epoch_ = 0;
  random_generator generator_;
};

} // namespace dybw
