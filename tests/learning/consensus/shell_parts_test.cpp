#include "learning/consensus/estimate_slots.hpp"
#include "learning/consensus/flow_window.hpp"
#include "learning/consensus/silence_detector.hpp"

#include <doctest/doctest.h>

#include <memory>

using namespace dybw;
using namespace std::chrono_literals;

TEST_CASE("silence_detector: a neighbour is lost after suspect_after without a sign of life, and told once") {
  auto d = silence_detector{2, 3s};
  d.begin(0s);
  for (auto t = nanoseconds{500ms}; t <= 3s; t += 500ms) {
    CHECK_FALSE(d.heard(1, t));
    CHECK(d.check(t).lost.empty());
  }
  CHECK(d.check(3500ms).lost == std::vector<std::size_t>{0});
  CHECK(d.check(4s).lost.empty());
}

TEST_CASE("silence_detector: a machine that was suspended was stopped, although its clock stood still") {
  auto d = silence_detector{1, 3s};
  d.begin(100ms, 70s); // it has slept before
  CHECK_FALSE(d.check(600ms, 70s).paused);
  CHECK_FALSE(d.check(1100ms, 72s).paused); // for a moment
  CHECK(d.check(1600ms, 75s).paused);
  CHECK_FALSE(d.check(2100ms, 75s).paused);
  CHECK(d.check(4500ms, 75s).lost.empty()); // heard afresh at the pause
}

TEST_CASE("silence_detector: a lost neighbour is heard again once") {
  auto d = silence_detector{1, 3s};
  d.begin(0s);
  d.give_up(0);
  CHECK(d.is_lost(0));
  CHECK(d.heard(0, 1s));
  CHECK_FALSE(d.is_lost(0));
  CHECK_FALSE(d.heard(0, 2s));
}

TEST_CASE("silence_detector: a pause of the own process says nothing about the others") {
  auto d = silence_detector{2, 3s};
  d.begin(0s);
  CHECK_FALSE(d.check(3s).paused);
  const auto verdict = d.check(6001ms);
  CHECK(verdict.paused);
  CHECK(verdict.lost.empty());
  // and their time starts afresh
  CHECK(d.check(9s).lost.empty());
  CHECK(d.check(9100ms).lost.size() == 2);
}

TEST_CASE("silence_detector: signs of life go out six times per suspect_after") {
  CHECK(silence_detector{1, 3s}.heartbeat_every() == 500ms);
}

TEST_CASE("flow_window: at most two blocks are under way on a link") {
  auto w = flow_window{};
  CHECK(w.try_send(1));
  CHECK(w.try_send(2));
  CHECK_FALSE(w.try_send(3));
  w.received(1);
  CHECK(w.try_send(4));
  CHECK_FALSE(w.try_send(5));
}

TEST_CASE("flow_window: what was under way on a broken link is forgotten, late receipts change nothing") {
  auto w = flow_window{};
  w.try_send(1);
  w.try_send(2);
  w.reset();
  CHECK(w.try_send(3));
  w.received(1);
  w.received(2);
  CHECK(w.try_send(4));
  CHECK_FALSE(w.try_send(5));
}

TEST_CASE("estimate_slots: the block in use outlives newer ones until its round is released") {
  using block = std::shared_ptr<int>;
  auto slots = estimate_slots<block>{};
  slots.offer(4, std::make_shared<int>(4));
  slots.use(4);
  slots.offer(5, std::make_shared<int>(5));
  CHECK(*slots.used(4) == 4);
  slots.release(4);
  slots.use(5);
  CHECK(*slots.used(5) == 5);
}

TEST_CASE("estimate_slots: never more than two blocks are kept, none after release") {
  using block = std::shared_ptr<int>;
  auto slots = estimate_slots<block>{};
  std::vector<std::weak_ptr<int>> given;
  const auto kept = [&] {
    std::size_t n = 0;
    for (const auto& g : given)
      n += g.expired() ? 0u : 1u;
    return n;
  };
  for (round_number k = 1; k <= 10; ++k) {
    auto b = std::make_shared<int>(static_cast<int>(k));
    given.push_back(b);
    slots.offer(k, std::move(b));
    if (k % 3 == 1)
      slots.use(k);
    CHECK(kept() <= 2);
  }
  slots.release(10);
  CHECK(kept() == 0);
}
