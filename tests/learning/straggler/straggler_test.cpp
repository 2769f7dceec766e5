#include "learning/straggler/straggler.hpp"

#include "tests/learning/graph/support.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

using namespace dybw;
using namespace std::chrono_literals;
using dybw::testing::refusal;

namespace {

std::set<std::size_t> slow_workers(const std::string& text, std::size_t workers, std::uint64_t seed) {
  std::set<std::size_t> slow;
  for (std::size_t i = 0; i < workers; ++i) {
    const auto model = make_straggler(text, workers, worker_at(i), seed);
    const auto factor = model->factor(0s);
    CHECK(model->factor(5s) == factor); // for the whole run
    if (factor != 1)
      slow.insert(i);
  }
  return slow;
}

} // namespace

TEST_CASE("straggler: none never slows anybody") {
  const auto model = make_straggler("none", 4, worker_at(3), 1);
  for (int i = 0; i < 100; ++i)
    CHECK(model->factor(i * 1s) == 1);
}

TEST_CASE("straggler: slow hits the same COUNT workers, more of them with a greater COUNT") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::set<std::size_t> fewer;
    for (std::size_t count = 0; count <= 10; ++count) {
      const auto slow = slow_workers("slow:" + std::to_string(count) + ":4", 10, seed);
      CHECK(slow.size() == count);
      CHECK(std::includes(slow.begin(), slow.end(), fewer.begin(), fewer.end()));
      fewer = slow;
    }
  }
  CHECK(make_straggler("slow:4:2.5", 4, worker_at(1), 1)->factor(0s) == 2.5);
}

TEST_CASE("straggler: over the seeds slow hits every worker alike") {
  std::vector<int> hit(8);
  for (std::uint64_t seed = 1; seed <= 4000; ++seed)
    for (const auto i : slow_workers("slow:2:3", 8, seed))
      ++hit[i];
  for (const auto times : hit) // 1,000 expected, standard deviation 27
    CHECK(std::abs(times - 1000) < 137);
}

TEST_CASE("straggler: random slows the given share of the steps, each afresh") {
  constexpr int steps = 100'000;
  const auto model = make_straggler("random:0.2:6", 4, worker_at(2), 9);
  int slow = 0;
  int pairs = 0;
  auto last_was_slow = false;
  for (int i = 0; i < steps; ++i) {
    const auto factor = model->factor(i * 1ms);
    REQUIRE((factor == 1 || factor == 6));
    slow += factor == 6;
    pairs += factor == 6 && last_was_slow;
    last_was_slow = factor == 6;
  }
  CHECK(std::abs(slow - 0.2 * steps) < 5 * std::sqrt(0.2 * 0.8 * steps));
  CHECK(std::abs(pairs - 0.04 * steps) < 5 * std::sqrt(0.04 * 1.4 * steps)); // neighbouring pairs overlap
  CHECK(make_straggler("random:0:6", 4, worker_at(2), 9)->factor(0s) == 1);
  CHECK(make_straggler("random:1:6", 4, worker_at(2), 9)->factor(0s) == 6);
}

TEST_CASE("straggler: bursts are on for ON of ON+OFF seconds, in stretches of mean ON") {
  const auto model = make_straggler("bursts:2,6:5", 4, worker_at(0), 3);
  constexpr int samples = 8'000'000; // every 10 ms for 80,000 s: about 10,000 cycles
  int on = 0;
  int starts = 0;
  auto was_on = false;
  for (int i = 0; i < samples; ++i) {
    const auto factor = model->factor(i * 10ms);
    REQUIRE((factor == 1 || factor == 5));
    const auto is_on = factor == 5;
    on += is_on;
    starts += is_on && !was_on;
    was_on = is_on;
  }
  // Standard deviation of the share: sqrt(2 * share * (1 - share) * correlation time / time), 1.5 s of 80,000
  // s.
  CHECK(std::abs(static_cast<double>(on) / samples - 0.25) < 5 * 0.00266);
  CHECK(on * 0.01 / starts == doctest::Approx(2).epsilon(0.05)); // 5 of 1 %
}

TEST_CASE("straggler: bursts begin in the stationary state and keep to it over any pause") {
  for (const auto now : {0s, 100s, 1'000'000'000s}) {
    int on = 0;
    for (std::size_t i = 0; i < 4000; ++i)
      on += make_straggler("bursts:1,3:2", 4000, worker_at(i), 5)->factor(now) == 2;
    CHECK(std::abs(on - 1000) < 5 * 27.4);
  }
}

TEST_CASE("straggler: bursts lie at the same times however often they are asked for") {
  const auto often = make_straggler("bursts:0.5,1:2", 4, worker_at(1), 3);
  const auto seldom = make_straggler("bursts:0.5,1:2", 4, worker_at(1), 3);
  for (int i = 0; i < 10'000; ++i) {
    const auto factor = often->factor(i * 10ms);
    if (i % 37 == 0)
      CHECK(seldom->factor(i * 10ms) == factor);
  }
}

TEST_CASE("straggler: workers and seeds have bursts of their own") {
  const auto course = [](std::size_t id, std::uint64_t seed) {
    const auto model = make_straggler("bursts:1,1:2", 4, worker_at(id), seed);
    std::vector<double> factors;
    for (int i = 0; i < 100; ++i)
      factors.push_back(model->factor(i * 1s));
    return factors;
  };
  CHECK(course(0, 1) == course(0, 1));
  CHECK(course(0, 1) != course(1, 1));
  CHECK(course(0, 1) != course(0, 2));
}

TEST_CASE("straggler: wrong input is refused in a line, alike when checked and when made") {
  const auto refused = [](const std::string& text) {
    const auto checked = refusal([&] { check_straggler(text, 8); });
    CHECK(refusal([&] { make_straggler(text, 8, worker_at(5), 1); }) == checked);
    return checked;
  };
  CHECK(refused("slow:9:2") ==
        "2 --straggler=slow:9:2 must have COUNT for 8 workers from 0 to 8, a whole number, found "
        "\"9\"; choose for example --straggler slow:1:5");
  CHECK(refused("fast") == "2 --straggler=fast must be none, slow:COUNT:FACTOR, random:PROBABILITY:FACTOR or "
                           "bursts:ON,OFF:FACTOR, found \"fast\"; choose for example --straggler slow:1:5");
  for (const std::string text : {"",
                                 "none:",
                                 "slow",
                                 "slow:1",
                                 "slow:1:0.5",
                                 "slow:-1:2",
                                 "slow:1.5:2",
                                 "slow:1:2:",
                                 "slow:1:inf",
                                 "slow:1:nan",
                                 "slow::2",
                                 "random:0.1",
                                 "random:1.1:2",
                                 "random:-0.1:2",
                                 "random:a:2",
                                 "random:0.1:",
                                 "random:0.1:0.9",
                                 "bursts:1:2",
                                 "bursts:1,2",
                                 "bursts:1,2,3:4",
                                 "bursts:0,2:4",
                                 "bursts:2,0:4",
                                 "bursts:1,-2:4",
                                 "bursts:1,2:0"}) {
    const auto message = refused(text);
    CAPTURE(message);
    CHECK(message.starts_with("2 --straggler=" + text + " must "));
    CHECK(message.find("; choose for example --straggler ") != std::string::npos);
  }
  for (const auto* text : {"none", "slow:0:1", "slow:8:1e3", "random:0.5:1", "bursts:1e-3,2:4"})
    CHECK(refused(text) == "accepted");
}
