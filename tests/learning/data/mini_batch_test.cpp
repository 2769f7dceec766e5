#include "learning/data/dataset.hpp"
#include "learning/data/mini_batch.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace dybw;

namespace {

using row_list = std::vector<std::uint32_t>;

row_list some_rows(std::size_t count) {
  row_list rows;
  for (std::size_t i = 0; i < count; ++i)
    rows.push_back(static_cast<std::uint32_t>(3 * i + 7));
  return rows;
}

row_list next_epoch(mini_batch_sampler& sampler, std::uint64_t epoch, std::size_t batch_size) {
  row_list seen;
  for (std::size_t i = 0; i < sampler.batches_per_epoch(); ++i) {
    const auto batch = sampler.next();
    CHECK(sampler.epoch() == epoch);
    CHECK(batch.size() >= 1);
    if (i + 1 < sampler.batches_per_epoch())
      CHECK(batch.size() == batch_size);
    seen.insert(seen.end(), batch.begin(), batch.end());
  }
  return seen;
}

} // namespace

TEST_CASE("mini_batch_sampler: each epoch deals every row exactly once, the last batch what is left") {
  for (const std::size_t size : {1, 2, 5, 64, 65, 127, 128})
    for (const std::size_t batch_size : {1, 3, 64, 1'000}) {
      CAPTURE(size);
      CAPTURE(batch_size);
      mini_batch_sampler sampler{some_rows(size), batch_size, random_generator{1}};
      CHECK(sampler.epoch() == 0);
      CHECK(sampler.batches_per_epoch() == (size + batch_size - 1) / batch_size);
      for (std::uint64_t epoch = 0; epoch < 4; ++epoch) {
        auto seen = next_epoch(sampler, epoch, batch_size);
        std::sort(seen.begin(), seen.end());
        CHECK(seen == some_rows(size));
      }
    }
}

TEST_CASE("mini_batch_sampler: every epoch, the first too, has an order of its own") {
  mini_batch_sampler sampler{some_rows(50), 8, random_generator{1}};
  const auto first = next_epoch(sampler, 0, 8);
  const auto second = next_epoch(sampler, 1, 8);
  CHECK(first != some_rows(50));
  CHECK(second != first);
}

TEST_CASE("mini_batch_sampler: the same generator deals the same batches, another one others") {
  mini_batch_sampler once{some_rows(50), 8, random_generator{1}};
  mini_batch_sampler again{some_rows(50), 8, random_generator{1}};
  mini_batch_sampler other{some_rows(50), 8, random_generator{2}};
  const auto first = next_epoch(once, 0, 8);
  CHECK(first == next_epoch(again, 0, 8));
  CHECK(first != next_epoch(other, 0, 8));
}

TEST_CASE("mini_batch_sampler: the largest batch size takes the whole shard at once") {
  mini_batch_sampler sampler{some_rows(5), std::numeric_limits<std::size_t>::max(), random_generator{1}};
  CHECK(sampler.batches_per_epoch() == 1);
  CHECK(sampler.next().size() == 5);
  CHECK(sampler.next().size() == 5);
  CHECK(sampler.epoch() == 1);
}

TEST_CASE("mini_batch_sampler: skipped batches are those that would have been dealt") {
  for (std::uint64_t count : {0U, 1U, 6U, 7U, 8U, 100U}) {
    mini_batch_sampler dealt{some_rows(50), 8, random_generator{1}};
    mini_batch_sampler skipped{some_rows(50), 8, random_generator{1}};
    for (std::uint64_t i = 0; i < count; ++i)
      dealt.next();
    skipped.skip(count);
    CHECK(skipped.epoch() == dealt.epoch());
    for (int i = 0; i < 20; ++i)
      CHECK(std::ranges::equal(skipped.next(), dealt.next()));
    CHECK(skipped.epoch() == dealt.epoch());
  }
}

TEST_CASE(
    "mini_batch_sampler: half of the rows are mirrored, others in each epoch, and skipping changes nothing") {
  constexpr std::size_t size = 1000;
  mini_batch_sampler sampler{some_rows(size), 10, random_generator{3}, true};
  mini_batch_sampler later{some_rows(size), 10, random_generator{3}, true};
  later.skip(100);
  const auto is_mirrored = [](std::uint32_t row) { return (row & dataset::mirrored) != 0; };
  auto first = next_epoch(sampler, 0, 10);
  CHECK(std::ranges::count_if(first, is_mirrored) == doctest::Approx(500).epsilon(0.1));
  auto second = next_epoch(sampler, 1, 10);
  CHECK(next_epoch(later, 1, 10) == second);
  std::ranges::sort(first);
  std::ranges::sort(second);
  CHECK(first != second);
  for (auto* rows : {&first, &second}) {
    for (auto& row : *rows)
      row &= ~dataset::mirrored;
    std::ranges::sort(*rows);
    CHECK(*rows == some_rows(size));
  }
}
