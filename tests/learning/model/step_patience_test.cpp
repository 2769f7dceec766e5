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

TEST_CASE("hang_watch: a run hangs where some are done and the others have made no step for a minute") {
  hang_watch x;
  CHECK_FALSE(x.hangs(0, 10, 1s));
  CHECK_FALSE(x.hangs(0, 10, 100s)); // nobody is done
  CHECK(x.hangs(1, 10, 100s));
  CHECK_FALSE(x.hangs(1, 11, 100s));
  CHECK_FALSE(x.hangs(1, 11, 160s));
  CHECK(x.hangs(2, 11, 161s));
}
