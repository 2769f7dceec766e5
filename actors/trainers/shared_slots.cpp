#include "actors/trainers/shared_slots.hpp"

#include <cerrno>
#include <new>
#include <system_error>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace dybw {

namespace {

constexpr std::uint64_t page_bytes = 4096;

[[noreturn]] void fail(const char* what) {
  throw std::system_error{errno, std::generic_category(), what};
}

} // namespace

std::shared_ptr<shared_slots> shared_slots::make(std::size_t parameters) {
  return std::shared_ptr<shared_slots>{new shared_slots{parameters}};
}

shared_slots::shared_slots(std::size_t parameters)
    : parameters_(parameters),
      stride_((parameters * sizeof(float) + page_bytes - 1) / page_bytes * page_bytes + page_bytes) {
  descriptor_ = memfd_create("dybw", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor_ < 0)
    fail("no memory to share with a trainer");
  // Neither side can cut off what the other reads.
  if (ftruncate(descriptor_, static_cast<off_t>(bytes())) != 0 ||
      fcntl(descriptor_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    close(descriptor_);
    fail("no memory to share with a trainer");
  }
  auto* at = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
  if (at == MAP_FAILED) {
    close(descriptor_);
    fail("no memory to share with a trainer");
  }
  memory_ = static_cast<std::byte*>(at);
}

shared_slots::~shared_slots() {
  munmap(memory_, bytes());
  close(descriptor_);
}

/// Pages are there before anybody touches them: where memory is short this fails, instead of a signal later.
std::span<float> shared_slots::values(std::uint32_t slot) {
  const auto at = slot * stride_;
  while (!there_[slot] && fallocate(descriptor_, 0, static_cast<off_t>(at), static_cast<off_t>(stride_)) != 0)
    if (errno != EINTR)
      throw std::bad_alloc{};
  there_[slot] = true;
  return {reinterpret_cast<float*>(memory_ + at), parameters_};
}

void shared_slots::release(std::uint32_t slot) noexcept {
  constexpr std::uint64_t much = 1U << 24U;
  if (!there_[slot] || stride_ < much)
    return;
  there_[slot] = fallocate(descriptor_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                           static_cast<off_t>(slot * stride_), static_cast<off_t>(stride_)) != 0;
}

std::shared_ptr<float_buffer> shared_slots::acquire() {
  if (next_ == count)
    return nullptr;
  const auto memory = values(next_);
  ++next_;
  return std::make_shared<float_buffer>(memory, shared_from_this());
}

std::optional<std::uint32_t> shared_slots::slot_of(std::span<const float> values) const noexcept {
  const auto* at = reinterpret_cast<const std::byte*>(values.data());
  if (values.empty() || at < memory_ || at >= memory_ + bytes())
    return std::nullopt;
  return static_cast<std::uint32_t>(static_cast<std::uint64_t>(at - memory_) / stride_);
}

} // namespace dybw
