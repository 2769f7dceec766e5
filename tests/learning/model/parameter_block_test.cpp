#include "learning/model/parameter_block.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <set>
#include <thread>

namespace dybw {

TEST_CASE("float_buffer: is aligned to a cache line, whatever its size") {
  for (const std::size_t count : {0, 1, 15, 16, 7850}) {
    const float_buffer buffer{count};
    CHECK(buffer.values().size() == count);
    CHECK(reinterpret_cast<std::uintptr_t>(buffer.values().data()) % 64 == 0);
  }
}

TEST_CASE("parameter_block: by default it is none and has no values") {
  const parameter_block none;
  CHECK_FALSE(none);
  CHECK(none.values().empty());
}

TEST_CASE("parameter_block: copies share one buffer, which goes with the last of them") {
  auto buffer = std::make_shared<float_buffer>(3);
  const std::weak_ptr<float_buffer> watched = buffer;
  auto first = parameter_block{std::move(buffer)};
  const auto second = first;
  CHECK(first);
  CHECK(first.values().data() == second.values().data());
  first = parameter_block{};
  CHECK_FALSE(watched.expired());
  {
    const auto third = second;
    const_cast<parameter_block&>(second) = parameter_block{};
    CHECK_FALSE(watched.expired());
  }
  CHECK(watched.expired());
}

TEST_CASE("buffer_pool: a buffer that anybody holds is not handed out again, one that nobody holds is") {
  buffer_pool pool{8};
  auto first = pool.acquire();
  const auto* address = first.get();
  CHECK(first->values().size() == 8);
  const auto block = parameter_block{std::move(first)};
  auto second = pool.acquire();
  CHECK(second.get() != address);
  CHECK(pool.size() == 2);
  auto shared = block;
  const_cast<parameter_block&>(block) = parameter_block{};
  CHECK(pool.acquire().get() != address); // `shared` still holds it; what this returned is free again
  CHECK(pool.size() == 3);
  shared = parameter_block{};
  CHECK(pool.acquire().get() == address);
  CHECK(pool.size() == 3);
}

TEST_CASE("buffer_pool: never grows beyond what is held at once") {
  buffer_pool pool{4};
  for (int i = 0; i < 1000; ++i) {
    const auto a = pool.acquire();
    const auto b = pool.acquire();
    const auto c = parameter_block{pool.acquire()};
  }
  CHECK(pool.size() == 3);
}

TEST_CASE("buffer_pool: blocks outlive their pool") {
  parameter_block kept;
  {
    buffer_pool pool{2};
    auto buffer = pool.acquire();
    buffer->values()[1] = 7;
    kept = parameter_block{std::move(buffer)};
  }
  CHECK(kept.values()[1] == 7);
}

TEST_CASE("buffer_pool: blocks may be let go on another thread while the pool hands out buffers") {
  buffer_pool pool{64};
  for (int i = 0; i < 200; ++i) {
    auto buffer = pool.acquire();
    for (auto& x : buffer->values())
      x = static_cast<float>(i);
    auto block = parameter_block{std::move(buffer)};
    float seen = -1;
    std::thread reader{[&seen, held = std::move(block)]() mutable {
      seen = held.values()[63];
      held = parameter_block{};
    }};
    auto next = pool.acquire(); // may or may not be the reader's, never while it reads
    for (auto& x : next->values())
      x = -1;
    reader.join();
    CHECK(seen == static_cast<float>(i));
  }
  CHECK(pool.size() <= 2);
}

} // namespace dybw
