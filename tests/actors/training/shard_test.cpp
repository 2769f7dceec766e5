#include "actors/training/shard.hpp"
#include "tests/actors/support/small_training.hpp"
#include "tests/actors/support/test_system.hpp"

#include <doctest/doctest.h>

#include <set>

namespace dybw::test {

namespace {

mini_batch_sampler sampler_of(std::size_t rows, std::size_t batch) {
  return {rows_from(100, rows), batch, make_generator(7, random_stream::mini_batches, 0)};
}

} // namespace

TEST_CASE("shard: hands out every row once per epoch, batch after batch, as the sampler deals them") {
  test_system actors;
  const auto shard_handle = actors.spawn(shard, sampler_of(10, 4));
  auto twin = sampler_of(10, 4);
  for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
    std::multiset<std::uint32_t> seen;
    for (const std::size_t size : {4, 4, 2}) {
      const auto batch = actors.ask<mini_batch>(shard_handle, batch_wanted{});
      const auto expected = twin.next();
      CHECK(std::ranges::equal(*batch.rows, expected));
      CHECK(batch.rows->size() == size);
      CHECK(batch.epoch == epoch);
      seen.insert(batch.rows->begin(), batch.rows->end());
    }
    const auto all = rows_from(100, 10);
    CHECK(std::ranges::equal(seen, all));
  }
}

TEST_CASE("shard: a batch keeps its rows while anybody holds it") {
  test_system actors;
  const auto shard_handle = actors.spawn(shard, sampler_of(64, 4));
  std::vector<mini_batch> held;
  std::vector<std::vector<std::uint32_t>> copies;
  for (int i = 0; i < 8; ++i) {
    held.push_back(actors.ask<mini_batch>(shard_handle, batch_wanted{}));
    copies.push_back(*held.back().rows);
  }
  for (std::size_t i = 0; i < held.size(); ++i)
    CHECK(*held[i].rows == copies[i]);
}

TEST_CASE("shard: the vectors of batches that nobody holds are used again") {
  test_system actors;
  const auto shard_handle = actors.spawn(shard, sampler_of(64, 4));
  std::set<const void*> vectors;
  for (int i = 0; i < 100; ++i)
    vectors.insert(actors.ask<mini_batch>(shard_handle, batch_wanted{}).rows.get());
  CHECK(vectors.size() <= 3);
}

TEST_CASE("shard: the next batch is ready before it is asked for") {
  shard_state state;
  state.start(sampler_of(4, 4));
  const auto first = state.take();
  // `take` returned what was prepared and drew the next one: that of epoch 1 is already in a vector of its
  // own.
  const auto second = state.take();
  CHECK(first.epoch == 0);
  CHECK(second.epoch == 1);
  CHECK(first.rows != second.rows);
}

} // namespace dybw::test
