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
