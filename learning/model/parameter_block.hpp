#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <vector>

namespace dybw {

/// float32 values in one cache-line aligned piece.
class float_buffer {
public:
  static constexpr std::align_val_t alignment{64};

  explicit float_buffer(std::size_t count)
      : data_(static_cast<float*>(::operator new(count * sizeof(float), alignment))), count_(count) {}
  /// In memory that somebody else keeps, aligned likewise, until `owner` is let go of.
  float_buffer(std::span<float> memory, std::shared_ptr<void> owner)
      : data_(memory.data(), free_aligned{std::move(owner)}), count_(memory.size()) {}

  std::span<float> values() noexcept { return {data_.get(), count_}; }
  std::span<const float> values() const noexcept { return {data_.get(), count_}; }

private:
  struct free_aligned {
    std::shared_ptr<void> owner; ///< null: it is ours
    void operator()(float* p) const noexcept {
      if (!owner)
        ::operator delete(p, alignment);
    }
  };
  std::unique_ptr<float, free_aligned> data_;
  std::size_t count_;
};

/// A parameter vector that nobody changes any more: a cheap handle, shared between a worker, its neighbours
/// in the same process and the evaluation, without a copy. The default value means "none". Safe to pass
/// between threads.
class parameter_block {
public:
  parameter_block() = default;
  explicit parameter_block(std::shared_ptr<const float_buffer> buffer) : buffer_(std::move(buffer)) {}

  explicit operator bool() const noexcept { return buffer_ != nullptr; }
  /// [parameter_count]; empty for none.
  std::span<const float> values() const noexcept {
    return buffer_ ? buffer_->values() : std::span<const float>{};
  }

private:
  std::shared_ptr<const float_buffer> buffer_;
};

/// A block with these values; none for none.
inline parameter_block copy_of(std::span<const float> values) {
  if (values.empty())
    return {};
  auto buffer = std::make_shared<float_buffer>(values.size());
  std::ranges::copy(values, buffer->values().begin());
  return parameter_block{std::move(buffer)};
}

/// Buffers of one size, used again once nobody but the pool holds them, so that a running worker allocates
/// none. Used by one thread at a time; the blocks made of its buffers may be let go anywhere.
class buffer_pool {
public:
  using allocator = std::function<std::shared_ptr<float_buffer>(std::size_t count)>;

  /// `allocate`: where new buffers come from; null: the heap.
  explicit buffer_pool(std::size_t count, allocator allocate = {})
      : count_(count), allocate_(std::move(allocate)) {}

  /// A buffer with unspecified values.
  std::shared_ptr<float_buffer> acquire() {
    const auto free =
        std::find_if(buffers_.begin(), buffers_.end(), [](const auto& b) { return b.use_count() == 1; });
    if (free != buffers_.end()) {
      std::atomic_thread_fence(std::memory_order_acquire); // after the last reader's release of its reference
      return *free;
    }
    return buffers_.emplace_back(allocate_ ? allocate_(count_) : std::make_shared<float_buffer>(count_));
  }

  std::size_t size() const noexcept { return buffers_.size(); }

private:
  std::size_t count_;
  allocator allocate_;
  std::vector<std::shared_ptr<float_buffer>> buffers_;
};

} // namespace dybw
