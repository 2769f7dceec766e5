#include "actors/trainers/shared_slots.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include <sys/mman.h>
#include <unistd.h>

namespace dybw::test {

TEST_CASE("shared_slots: what is written to a slot is there for whoever maps the descriptor") {
  const auto slots = shared_slots::make(1000);
  const auto block = slots->acquire();
  REQUIRE(block);
  block->values()[0] = 1.5F;
  block->values()[999] = -2;
  const auto slot = slots->slot_of(block->values());
  REQUIRE(slot);
  auto* there =
      static_cast<std::byte*>(mmap(nullptr, slots->bytes(), PROT_READ, MAP_SHARED, slots->descriptor(), 0));
  REQUIRE(there != MAP_FAILED);
  const auto* values = reinterpret_cast<const float*>(there + *slot * slots->stride());
  CHECK(values[0] == 1.5F);
  CHECK(values[999] == -2);
  munmap(there, slots->bytes());
}

TEST_CASE("shared_slots: nobody can make the memory smaller or larger") {
  const auto slots = shared_slots::make(10);
  CHECK(ftruncate(slots->descriptor(), 0) == -1);
  CHECK(errno == EPERM);
  CHECK(ftruncate(slots->descriptor(), static_cast<off_t>(slots->bytes() + 4096)) == -1);
}

TEST_CASE("shared_slots: every block has a slot of its own, until there are none, and others have none") {
  const auto slots = shared_slots::make(10);
  std::vector<std::shared_ptr<float_buffer>> blocks;
  std::vector<std::uint32_t> numbers{shared_slots::for_w, shared_slots::for_next,
                                     shared_slots::for_evaluation};
  for (auto b = slots->acquire(); b; b = slots->acquire()) {
    numbers.push_back(slots->slot_of(b->values()).value());
    blocks.push_back(std::move(b));
  }
  CHECK(numbers.size() == shared_slots::count);
  std::ranges::sort(numbers);
  CHECK(std::ranges::adjacent_find(numbers) == numbers.end());
  for (const auto slot : {shared_slots::for_w, shared_slots::for_next, shared_slots::for_evaluation})
    CHECK(slots->slot_of(slots->values(slot)) == slot);
  const float_buffer elsewhere{10};
  CHECK_FALSE(slots->slot_of(elsewhere.values()));
  CHECK_FALSE(slots->slot_of({}));
}

TEST_CASE("shared_slots: a block outlives them, and the memory goes with the last") {
  auto slots = shared_slots::make(4096);
  const std::weak_ptr<shared_slots> watched = slots;
  auto block = parameter_block{slots->acquire()};
  slots.reset();
  CHECK_FALSE(watched.expired());
  CHECK(block.values().size() == 4096);
  block = {};
  CHECK(watched.expired());
}

TEST_CASE("shared_slots: what there is no memory for fails before anybody touches it") {
  // 1 PiB in all, which no machine has; the address space may refuse it first
  try {
    const auto slots = shared_slots::make(std::size_t{1} << 44U);
    CHECK_THROWS_AS(slots->acquire(), std::bad_alloc);
  } catch (const std::system_error&) {
    MESSAGE("refused at once");
  }
}

} // namespace dybw::test
