#include "actors/training/pairwise_blocks.hpp"
#include "tests/actors/support/small_training.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

namespace {

constexpr auto one = worker_id{1};
constexpr auto two = worker_id{2};

exchange_half half_of(worker_id worker, worker_id neighbour) {
  exchange_half half;
  half.worker = worker;
  half.neighbour = neighbour;
  half.first = one;
  half.number = 7;
  half.weight = 0.5;
  return half;
}

} // namespace

TEST_CASE("pairwise_blocks: both ends of an exchange add opposite amounts of what they told each other") {
  const auto setup = small_setup();
  const auto block = [&](float value) { return filled_block(*setup->model, value); };
  pairwise_blocks first{setup.get()}, second{setup.get()};
  first.tell(two, block(1), true);
  REQUIRE(second.take(one, block(1), true));
  second.tell(one, block(3), false);
  REQUIRE(first.take(two, block(3), true));
  // Both have moved on since they told.
  const auto at_second = second.absorb(block(5), {half_of(two, one), false});
  const auto at_first = first.absorb(block(2), {half_of(one, two), true});
  CHECK(at_second.values()[0] == 4); // 5 + (1 - 3) / 2
  CHECK(at_first.values()[0] == 3);  // 2 + (3 - 1) / 2
  const auto news_of_first = first.take_news().halves, news_of_second = second.take_news().halves;
  REQUIRE(news_of_first.size() == 1);
  REQUIRE(news_of_second.size() == 1);
  CHECK(news_of_first[0].number == 7);
  CHECK(news_of_first[0].projection == doctest::Approx(-news_of_second[0].projection));
  CHECK(news_of_first[0].size > 0);
}

TEST_CASE("pairwise_blocks: what was told with an offer and with an answer is held apart") {
  const auto setup = small_setup();
  const auto block = [&](float value) { return filled_block(*setup->model, value); };
  pairwise_blocks blocks{setup.get()};
  blocks.tell(two, block(1), true);
  blocks.tell(two, block(2), false);
  blocks.take(two, block(4), true);
  CHECK(blocks.absorb(block(0), {half_of(one, two), false}).values()[0] == 1); // (4 - 2) / 2
  blocks.take(two, block(5), true);
  CHECK(blocks.absorb(block(0), {half_of(one, two), true}).values()[0] == 2); // (5 - 1) / 2
}

TEST_CASE("pairwise_blocks: a message without a block of our size means nothing, if one is needed") {
  const auto setup = small_setup();
  pairwise_blocks blocks{setup.get()};
  CHECK_FALSE(blocks.take(two, {}, true));
  CHECK_FALSE(blocks.take(two, parameter_block{std::make_shared<float_buffer>(1)}, true));
  CHECK(blocks.take(two, {}, false));
  CHECK(blocks.take(two, filled_block(*setup->model, 1), true));
}

TEST_CASE("pairwise_blocks: a block may come ahead of its message, and serves one exchange") {
  const auto setup = small_setup();
  const auto own = filled_block(*setup->model, 1);
  pairwise_blocks blocks{setup.get()};
  blocks.hold(two, filled_block(*setup->model, 3));
  CHECK(blocks.take(two, {}, true));
  CHECK_FALSE(blocks.take(one, {}, true)); // another's
  blocks.tell(two, own, false);
  CHECK(blocks.absorb(own, {half_of(one, two), false}).values()[0] == 2);
  CHECK_FALSE(blocks.take(two, {}, true));
}

TEST_CASE("pairwise_blocks: a step adds the way it went to wherever the estimate is by then") {
  const auto setup = small_setup();
  const auto block = [&](float value) { return filled_block(*setup->model, value); };
  pairwise_blocks blocks{setup.get()};
  CHECK(blocks.add_step(block(4), block(1), block(3), {1, 1}).values()[0] == 6);
}

TEST_CASE("pairwise_blocks: news is taken once") {
  pairwise_blocks blocks{nullptr};
  blocks.give_up({two});
  CHECK(blocks.take_news().given_up == std::vector{two});
  CHECK(blocks.take_news().given_up.empty());
}

TEST_CASE("pairwise_blocks: without a model nothing moves, and exchanges are news all the same") {
  pairwise_blocks blocks{nullptr};
  CHECK(blocks.take(two, {}, true));
  CHECK_FALSE(blocks.absorb({}, {half_of(one, two), true}));
  CHECK_FALSE(blocks.add_step({}, {}, {}, {1, 0.5}));
  const auto news = blocks.take_news();
  REQUIRE(news.halves.size() == 1);
  CHECK(news.halves[0].size == 0);
}

} // namespace dybw::test
