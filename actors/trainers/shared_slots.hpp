#pragma once

#include "learning/model/parameter_block.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace dybw {

/// Parameter blocks in memory that a trainer process shares: a sealed memfd, cut into slots of one block
/// each. Nothing of it stays when both processes are gone. A slot takes memory once it is used. The blocks
/// made of it keep it alive; safe to use from any thread, but for `acquire`, which is one thread's at a time.
class shared_slots : public std::enable_shared_from_this<shared_slots> {
public:
  /// For what is copied in and out where a block lies elsewhere: w (and the starting values), w~, and what is
  /// to be evaluated.
  static constexpr std::uint32_t for_w = 0;
  static constexpr std::uint32_t for_next = 1;
  static constexpr std::uint32_t for_evaluation = 2;
  static constexpr std::uint32_t count = 16; ///< of slots, the three included

  /// Throws `std::system_error`.
  static std::shared_ptr<shared_slots> make(std::size_t parameters);
  ~shared_slots();
  shared_slots(const shared_slots&) = delete;
  shared_slots& operator=(const shared_slots&) = delete;

  int descriptor() const noexcept { return descriptor_; }
  std::uint64_t bytes() const noexcept { return stride_ * count; }
  std::uint64_t stride() const noexcept { return stride_; }

  /// The values of one of the three, or of one that was acquired. Throws `std::bad_alloc` if there is no
  /// memory for it.
  std::span<float> values(std::uint32_t slot);
  /// Gives its memory back, if that is much: what it holds is not needed any more.
  void release(std::uint32_t slot) noexcept;
  /// A slot that nobody has had; null if there is none left. Throws `std::bad_alloc`.
  std::shared_ptr<float_buffer> acquire();
  /// Which slot these values are; none: they lie elsewhere.
  std::optional<std::uint32_t> slot_of(std::span<const float> values) const noexcept;

private:
  explicit shared_slots(std::size_t parameters);

  std::size_t parameters_;
  std::uint64_t stride_;
  int descriptor_ = -1;
  std::byte* memory_ = nullptr;
  std::uint32_t next_ = for_evaluation + 1;
  std::array<bool, count> there_{}; ///< its memory is; each is one thread's at a time
};

} // namespace dybw
