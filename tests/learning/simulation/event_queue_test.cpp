#include "learning/simulation/event_queue.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace dybw;
using namespace std::chrono_literals;

TEST_CASE("event_queue: events come in the order of their moments, and the time is theirs") {
  event_queue<int> q;
  q.push(3s, 3);
  q.push(1s, 1);
  q.push(2s, 2);
  CHECK(q.now() == 0s);
  CHECK(q.next_at() == 1s);
  CHECK(q.pop() == 1);
  CHECK(q.now() == 1s);
  CHECK(q.pop() == 2);
  CHECK(q.pop() == 3);
  CHECK(q.empty());
}

TEST_CASE("event_queue: what is pushed for the present moment comes after what was due then already") {
  event_queue<int> q;
  q.push(0s, 1);
  q.push(1s, 3);
  q.push(1s, 4);
  q.push(0s, 2);
  CHECK(q.size() == 4);
  CHECK(q.pop() == 1);
  CHECK(q.pop() == 2);
  CHECK(q.next_at() == 1s);
  CHECK(q.pop() == 3);
  q.push(1s, 5);
  q.push(2s, 7);
  q.push(1s, 6);
  CHECK(q.next_at() == 1s);
  for (auto next = 4; next <= 7; ++next)
    CHECK(q.pop() == next);
  CHECK(q.empty());
  CHECK(q.pushed() == 7);
}

TEST_CASE("event_queue: events of one moment come in the order in which they were pushed") {
  std::mt19937 g{1};
  event_queue<std::pair<int, int>> q;
  for (int i = 0; i < 1000; ++i) {
    const auto t = static_cast<int>(g() % 7);
    q.push(nanoseconds{t}, {t, i});
  }
  auto last = std::pair{-1, -1};
  for (int i = 0; i < 1000; ++i) {
    const auto next = q.pop();
    REQUIRE(next > last);
    last = next;
  }
}
