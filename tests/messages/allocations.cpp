#include "tests/messages/allocations.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<bool> watching{false};
std::atomic<std::size_t> allocations{0};
std::atomic<std::size_t> largest{0};

void note(std::size_t bytes) {
  if (!watching)
    return;
  ++allocations;
  largest = std::max(largest.load(), bytes);
}

void* allocate(std::size_t bytes, std::size_t alignment) {
  note(bytes);
  const auto whole = (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  auto* piece = std::aligned_alloc(alignment, whole);
  if (piece == nullptr)
    throw std::bad_alloc{};
  return piece;
}

} // namespace

// Replacing these is the standard's own way to see every allocation; the libraries of this program use them
// too.
void* operator new(std::size_t bytes) {
  return allocate(bytes, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* piece) noexcept {
  std::free(piece);
}
void operator delete(void* piece, std::size_t) noexcept {
  std::free(piece);
}
void operator delete(void* piece, std::align_val_t) noexcept {
  std::free(piece);
}
void operator delete(void* piece, std::size_t, std::align_val_t) noexcept {
  std::free(piece);
}

namespace dybw::test {

allocation_watch::allocation_watch() {
  allocations = 0;
  largest = 0;
  watching = true;
}

allocation_watch::~allocation_watch() {
  watching = false;
}

std::size_t allocation_watch::count() const {
  return allocations;
}

std::size_t allocation_watch::largest_bytes() const {
  return largest;
}

} // namespace dybw::test
