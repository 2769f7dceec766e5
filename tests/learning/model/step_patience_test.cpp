#include "learning/model/hang_watch.hpp"
#include "learning/model/step_patience.hpp"

#include <doctest/doctest.h>

using namespace dybw;
using namespace std::chrono_literals;

TEST_CASE("step_patience: ten usual steps, a second at least, and none before a step was seen") {
  step_patience x;
  CHECK_FALSE(x.usual());
  CHECK(x.limit() == nanoseconds::max());
  x.observe(10ms);
  CHECK(x.limit() == 1s);
  x.observe(310ms);
  x.observe(310ms);
  CHECK(x.limit() == 1s);
  for (auto i = 0; i < 5; ++i)
    x.observe(310ms);
  CHECK(x.limit() == 3100ms);
}

TEST_CASE("step_patience: one step that hung for an hour makes nobody wait for ten") {
  step_patience x;
  x.observe(200ms);
  x.observe(1h);
  CHECK(x.limit() == 4s);
  x.observe(200ms);
  x.observe(200ms);
  CHECK(x.limit() == 2500ms);
}

TEST_CASE("hang_watch: a run hangs where some have ended and the others have made no step for five minutes") {
  hang_watch x;
  const auto after = [&](std::size_t ended, std::uint64_t steps, std::chrono::seconds from,
                         std::chrono::seconds to) { // asked every ten seconds
    auto hangs = false;
    for (auto at = from; at <= to; at += 10s)
      hangs = x.hangs(ended, steps, false, at);
    return hangs;
  };
  CHECK_FALSE(x.hangs(1, 0, false, 0s));
  CHECK_FALSE(after(0, 5, 1s, 401s)); // nobody has ended
  CHECK(after(1, 5, 410s, 410s));
  CHECK_FALSE(x.hangs(1, 5, true, 420s)); // one of the others is being started again
  CHECK_FALSE(after(1, 5, 430s, 720s));
  CHECK(after(1, 5, 730s, 730s));
  CHECK_FALSE(x.hangs(1, 6, false, 740s));
}

TEST_CASE("hang_watch: before the first step nothing is known") {
  hang_watch x;
  for (auto at = 0s; at < 2000s; at += 10s)
    CHECK_FALSE(x.hangs(1, 0, false, at));
}

TEST_CASE("hang_watch: where steps take minutes, so does the patience") {
  hang_watch x;
  std::uint64_t steps = 0;
  auto at = 0s;
  for (; at < 400s; at += 10s) {
    steps += at > 0s && at % 100s == 0s ? 1 : 0;
    CHECK_FALSE(x.hangs(1, steps, false, at));
  }
  for (; at < 1200s; at += 10s)
    CHECK_FALSE(x.hangs(1, steps, false, at));
  for (; at < 1500s; at += 10s)
    x.hangs(1, steps, false, at);
  CHECK(x.hangs(1, steps, false, at));
}

TEST_CASE("hang_watch: who was stopped itself does not know how long the others took") {
  hang_watch x;
  CHECK_FALSE(x.hangs(1, 4, false, 10s));
  CHECK_FALSE(x.hangs(1, 5, false, 20s));
  CHECK_FALSE(x.hangs(1, 5, false, 900s));
}
