#include "learning/model/evaluation_budget.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace dybw;
using namespace std::chrono_literals;

TEST_CASE("evaluation_budget: few workers are measured whenever it is due, once each has made a step") {
  evaluation_budget budget{6};
  const auto at = [](int s) {
    return evaluation_budget::state{s * 1s, static_cast<std::uint64_t>(6 * s),
                                    static_cast<std::uint64_t>(6 * 64 * s)};
  };
  REQUIRE(budget.allows(at(1)));
  budget.spend(at(1), 10'000, 10'000); // twenty times what the gradients cost
  CHECK_FALSE(budget.allows({1500ms, 9, 576}));
  CHECK(budget.allows(at(2)));
}

TEST_CASE("evaluation_budget: in a long run they come to 5 % of the gradients, and the time is told to 1 %") {
  evaluation_budget budget{6};
  std::uint64_t spent = 0;
  std::uint64_t taken = 0;
  nanoseconds last{0};
  nanoseconds widest{0};
  evaluation_budget::state x;
  for (int s = 1; s <= 1'000'000; ++s) {
    x = {s * 1s, static_cast<std::uint64_t>(6 * s), static_cast<std::uint64_t>(6 * 64 * s)};
    if (!budget.allows(x))
      continue;
    if (s > 1000)
      widest = std::max(widest, (x.now - last) * 100 / (x.now / 1s));
    last = x.now;
    budget.spend(x, 10'000, 10'000);
    spent += 20'024;
    ++taken;
  }
  const auto gradients = 3 * x.samples;
  CHECK(static_cast<double>(spent) < 0.06 * static_cast<double>(gradients));
  CHECK(taken > 1000);
  CHECK(widest <= 1100ms); // in hundredths of the time so far
}

TEST_CASE("evaluation_budget: many workers are scored within 5 % of the gradients, however often it is due") {
  evaluation_budget budget{1000};
  std::uint64_t scored = 0;
  evaluation_budget::state x;
  for (int half = 1; half <= 200; ++half) {
    x = {half * 500ms, static_cast<std::uint64_t>(500 * half), static_cast<std::uint64_t>(500 * 10 * half)};
    if (!budget.allows(x))
      continue;
    const auto scores = budget.allows_scores(x, false);
    budget.spend(x, 2'000, scores ? 16'000 : 0);
    scored += scores ? 16'000 : 0;
  }
  CHECK(scored > 0);
  CHECK(20 * scored <= 3 * x.samples + 20 * 16'000); // the last one may be beyond
  CHECK(budget.allows_scores(x, true));
}

TEST_CASE("evaluation_budget: the same work, the same decisions") {
  const auto decisions = [] {
    evaluation_budget budget{40};
    std::vector<bool> all;
    for (int i = 1; i < 500; ++i) {
      const evaluation_budget::state x{i * 250ms, static_cast<std::uint64_t>(10 * i),
                                       static_cast<std::uint64_t>(170 * i)};
      all.push_back(budget.allows(x));
      if (all.back())
        budget.spend(x, 1'000, budget.allows_scores(x, false) ? 9'000 : 0);
    }
    return all;
  };
  CHECK(decisions() == decisions());
}
