#include "learning/data/mini_batch.hpp"

#include "learning/data/dataset.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace dybw {

mini_batch_sampler::mini_batch_sampler(std::vector<std::uint32_t> rows, std::size_t batch_size,
                                       random_generator generator, bool mirrors)
    : rows_(std::move(rows)), mirrors_(mirrors), batch_size_(batch_size), generator_(generator) {
  assert(!rows_.empty());
  assert(batch_size_ >= 1);
  begin_epoch();
}

void mini_batch_sampler::begin_epoch() {
  std::shuffle(rows_.begin(), rows_.end(), generator_);
  if (!mirrors_)
    return;
  for (auto& row : rows_)
    row = (row & ~dataset::mirrored) | (generator_() >> 63 != 0 ? dataset::mirrored : 0);
}

std::span<const std::uint32_t> mini_batch_sampler::next() {
  if (position_ == rows_.size()) {
    begin_epoch();
    position_ = 0;
    ++epoch_;
  }
  const auto count = std::min(batch_size_, rows_.size() - position_);
  const auto batch = std::span<const std::uint32_t>{rows_}.subspan(position_, count);
  position_ += count;
  return batch;
}

void mini_batch_sampler::skip(std::uint64_t count) {
  for (; count > 0; --count)
    next();
}

std::size_t mini_batch_sampler::batches_per_epoch() const noexcept {
  return (rows_.size() - 1) / batch_size_ + 1; // rounded up, without overflow for a huge batch
}

} // namespace dybw
