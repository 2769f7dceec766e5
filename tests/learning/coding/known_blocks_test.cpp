#include "learning/base/random.hpp"
#include "learning/coding/known_blocks.hpp"

#include <doctest/doctest.h>

#include <memory>

namespace dybw {

namespace {

using handle = std::shared_ptr<const int>;

handle made(int x) {
  return std::make_shared<const int>(x);
}

} // namespace

TEST_CASE("told_blocks: changes may count from blocks that the other end says it has") {
  told_blocks<handle> told;
  CHECK(told.known().empty());
  const auto one = made(1);
  told.told(1, one);
  told.told(2, made(2));
  CHECK(told.known().empty());
  told.kept(1);
  REQUIRE(told.known().size() == 1);
  CHECK(told.knows(one));
  told.told(3, made(3));
  told.kept(3); // what is not acknowledged by then has come all the same, but is not needed
  told.kept(2);
  REQUIRE(told.known().size() == 2);
  CHECK(told.known().back().number == 3);
  CHECK(told.use(told.known().back().block).number == 3);
  CHECK(told.known().size() == 1);
  CHECK_FALSE(told.knows(one)); // the other end lets go of it
}

TEST_CASE("told_blocks: a block that goes whole leaves those known that came before it") {
  // Else, where a round trip takes longer than a step, no receipt would ever come in time.
  told_blocks<handle> told;
  told.told(1, made(1));
  told.told(2, made(2));
  told.kept(1);
  told.told(3, made(3));
  REQUIRE(told.known().size() == 1);
  CHECK(told.use(told.known().back().block).number == 1);
}

TEST_CASE("told_blocks: after a loss the next goes whole, whatever receipts are under way") {
  told_blocks<handle> told;
  told.told(1, made(1));
  told.kept(1);
  told.told(2, made(2));
  told.reset();
  CHECK(told.known().empty());
  told.kept(2);
  CHECK(told.known().empty());
}

TEST_CASE("told_blocks: holds no more than what may be counted from and two under way") {
  told_blocks<handle> told;
  std::weak_ptr<const int> first;
  for (round_number i = 1; i <= 6; ++i) {
    auto x = made(static_cast<int>(i));
    if (i == 1)
      first = x;
    told.told(i, std::move(x));
    told.kept(i);
  }
  CHECK(first.expired());
  CHECK(told.known().size() == told_blocks<handle>::known_max);
  CHECK(told.known().back().number == 6);
}

TEST_CASE("heard_blocks: keeps what changes may still count from, and lets go of the rest") {
  heard_blocks<handle> heard;
  CHECK(heard.find(1) == nullptr);
  heard.keep(1, made(1), 0);
  heard.keep(2, made(2), 0); // sent before the receipt of the first
  heard.keep(3, made(3), 1);
  REQUIRE(heard.find(1) != nullptr);
  CHECK(**heard.find(2) == 2);
  heard.keep(4, made(4), 3); // the sender has heard of the third
  CHECK(heard.find(1) == nullptr);
  CHECK(heard.find(2) == nullptr);
  CHECK(heard.find(3) != nullptr);
  heard.keep(2, made(22), 4); // a block that another neighbour was told first has a lower number
  CHECK(heard.find(3) == nullptr);
  CHECK(**heard.find(2) == 22);
  heard.keep(4, made(44), 0); // of a process that was started again
  CHECK(**heard.find(4) == 44);
}

TEST_CASE("heard_blocks: stays small whatever a sender counts from") {
  heard_blocks<handle> heard;
  for (round_number i = 1; i <= 20; ++i)
    heard.keep(i, made(0), 0);
  std::size_t kept = 0;
  for (round_number i = 1; i <= 20; ++i)
    kept += heard.find(i) != nullptr ? 1 : 0;
  CHECK(kept == heard_blocks<handle>::kept_max);
  CHECK(heard.find(20) != nullptr);
}

TEST_CASE("coded_link: what is under way at most, the receiver still has when it is counted from") {
  told_blocks<handle> told;
  heard_blocks<handle> heard;
  std::vector<round_number> receipts; // on their way back
  round_number number = 0;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    const auto dice = split_mix(i) % 4;
    if (dice == 0 && !receipts.empty()) {
      told.kept(receipts.front());
      receipts.erase(receipts.begin());
    } else if (receipts.size() < told_blocks<handle>::under_way_max) {
      const auto& known = told.known();
      const auto base = known.empty() ? numbered_block<handle>{}
                                      : told.use(handle{known[split_mix(i + 7) % known.size()].block});
      REQUIRE((base.number == 0 || heard.find(base.number) != nullptr));
      auto block = made(static_cast<int>(++number));
      told.told(number, block);
      heard.keep(number, std::move(block), base.number);
      receipts.push_back(number);
    }
  }
  CHECK(number > 1000);
}

TEST_CASE("choose_bases: one for all where it can be, though some receipts are late") {
  coded_link<handle> a;
  coded_link<handle> b;
  coded_link<handle> fresh;
  const std::vector<handle> blocks{made(1), made(2), made(3)};
  for (round_number i = 1; i <= 3; ++i) {
    for (auto* x : {&a, &b})
      x->told.told(i, blocks[i - 1]);
    a.told.kept(i);
    if (i == 1)
      b.told.kept(i);
  }
  choose_bases(std::vector{&a, &b, &fresh});
  CHECK(a.base.number == 1);
  CHECK(b.base.number == 1);
  CHECK(fresh.base.number == 0);
  b.told.kept(3);
  choose_bases(std::vector{&a, &b, &fresh});
  CHECK(a.base.number == 3);
  CHECK(b.base.number == 3);
  fresh.told.told(4, made(4));
  fresh.told.kept(4);
  choose_bases(std::vector{&a, &b, &fresh}); // none for all: to each its newest
  CHECK(a.base.number == 3);
  CHECK(b.base.number == 3); // .. together where they can be
  CHECK(fresh.base.number == 4);
}

} // namespace dybw
