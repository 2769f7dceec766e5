#include "learning/consensus/gather_timeout.hpp"

#include <doctest/doctest.h>

using namespace dybw;
using namespace std::chrono_literals;

TEST_CASE("pace_estimator: the bound is ten times the mean plus four deviations") {
  auto p = pace_estimator{};
  CHECK_FALSE(p.observed());
  p.observe(2s); // mean 2 s, deviation 1 s
  CHECK(p.observed());
  CHECK(p.bound() == 10 * (2s + 4 * 1s));
}

TEST_CASE("pace_estimator: the bound is never below a second") {
  auto p = pace_estimator{};
  for (int i = 0; i < 100; ++i)
    p.observe(1ms);
  CHECK(p.bound() == 1s);
}

TEST_CASE("pace_estimator: honest straggling steps stay below the bound, rare ones too") {
  auto p = pace_estimator{};
  for (int i = 0; i < 400; ++i) {
    const auto t = i % 40 == 39 ? nanoseconds{8s} : nanoseconds{200ms};
    if (i > 40)
      CHECK(t < p.bound());
    p.observe(t);
  }
}

TEST_CASE("pace_estimator: the longest saturated time does not overflow the bound") {
  auto p = pace_estimator{};
  for (int i = 0; i < 10; ++i) {
    p.observe(from_seconds(1e300));
    p.observe(0s);
  }
  CHECK(p.bound() > 1h);
}

TEST_CASE("gather_timeout: what is not known is ten of the first steps, at least ten seconds, and fades") {
  auto timeout = gather_timeout{4, false, false};
  timeout.observe_step(1s); // a single gradient step, where the next are several
  timeout.observe_step(2s);
  timeout.observe_step(1h);
  CHECK(timeout.limit(0) == 20s);
  CHECK(timeout.limit(4) == 20s); // a straggler's pace takes a round per edge to reach everybody
  CHECK(timeout.limit(4 + 64) == 10s);
  CHECK(timeout.limit(4 + 64 * 1000) == 1s);
  CHECK(gather_timeout{4, false, false}.limit(0) == 10s);
}

TEST_CASE("gather_timeout: a neighbour is waited for as its pace says, an unknown one long") {
  auto timeout = gather_timeout{4, false, false};
  timeout.observe_step(2s);
  auto pace = pace_estimator{};
  CHECK(timeout.limit(pace) == 20s);
  pace.observe(1s);
  CHECK(timeout.limit(pace) == pace.bound());
}

TEST_CASE(
    "gather_timeout: under DTUR the longest wait of a sweep counts, and nothing fades before the first") {
  auto timeout = gather_timeout{2, true, false};
  timeout.observe_step(2s);
  timeout.observe_wait(5s, 0);
  CHECK(timeout.limit(1000) == 20s);
  timeout.observe_wait(1s, 1);
  auto expected = pace_estimator{};
  expected.observe(5s);
  CHECK(timeout.limit(1000) == expected.bound());
}

TEST_CASE("gather_timeout: who waits for everybody waits ten times as long, and learns from every wait") {
  auto timeout = gather_timeout{2, true, true};
  timeout.observe_step(2s);
  CHECK(timeout.limit(0) == 200s);
  timeout.observe_wait(40s, 0);
  auto expected = pace_estimator{};
  expected.observe(40s);
  CHECK(timeout.limit(1000) == expected.bound());
}
