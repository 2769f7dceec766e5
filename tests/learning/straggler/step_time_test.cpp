#include "learning/straggler/step_time.hpp"

#include "tests/learning/graph/support.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace dybw;
using namespace std::chrono_literals;
using dybw::testing::refusal;
using dybw::testing::text_file;

TEST_CASE("step_time: a step takes base times factor") {
  step_clock clock{"const:0.05", "slow:4:3", 4, worker_at(2), 1};
  CHECK(clock.has_base());
  CHECK(clock.step(0s) == 150ms);
  CHECK(clock.step(7s) == 150ms);
}

TEST_CASE("step_time: with a base the delay is the virtual step, whatever was measured") {
  step_clock delayed{"exp:0.05", "random:0.5:4", 4, worker_at(2), 1};
  step_clock stepped{"exp:0.05", "random:0.5:4", 4, worker_at(2), 1};
  for (int i = 0; i < 100; ++i)
    CHECK(delayed.delay_after(i * 1s, 17ms) == stepped.step(i * 1s));
}

TEST_CASE("step_time: without a base the delay is what the factor adds to the measured time") {
  step_clock slow{"", "slow:4:3", 4, worker_at(2), 1};
  CHECK_FALSE(slow.has_base());
  CHECK(slow.delay_after(0s, 20ms) == 40ms);
  step_clock plain{"", "none", 4, worker_at(2), 1};
  CHECK(plain.delay_after(0s, 20ms) == 0ns);
}

TEST_CASE("step_time: a straggler that computes has its factor in gradients, and does not wait") {
  step_clock slow{"", "computed:slow:4:2.5", 4, worker_at(2), 1};
  CHECK(slow.computed(0s) == 2.5);
  CHECK(slow.drawn() == 1);
  CHECK(slow.delay_after(0s, 20ms) == 0ns);
  CHECK(slow.drawn() == 1);
  step_clock waits{"", "slow:4:2.5", 4, worker_at(2), 1};
  CHECK(waits.computed(0s) == 1);
  CHECK(waits.drawn() == 0);
}

TEST_CASE("step_time: a stride is so many steps one after the other, each with a time of its own") {
  step_clock strides{"exp:0.05", "bursts:0.2,0.2:4", 4, worker_at(2), 1, {.gradients = 5}};
  step_clock steps{"exp:0.05", "bursts:0.2,0.2:4", 4, worker_at(2), 1};
  step_clock delays{"exp:0.05", "bursts:0.2,0.2:4", 4, worker_at(2), 1, {.gradients = 5}};
  auto now = 0ns;
  for (int i = 0; i < 40; ++i) {
    const auto made = strides.next_stride(now);
    CHECK(made.gradients == 5);
    CHECK(delays.delay_after(now, 3ms, 5) == made.takes);
    const auto begun = now;
    for (int k = 0; k < 5; ++k)
      now += steps.step(now);
    CHECK(made.takes == now - begun);
  }
  CHECK(strides.drawn() == 200);
  CHECK(strides.mean_rate() == steps.mean_rate());

  step_clock slow{"", "slow:4:3", 4, worker_at(2), 1};
  CHECK(slow.delay_after(0s, 20ms, 4) == 40ms);
  step_clock computing{"", "computed:slow:4:2.5", 4, worker_at(2), 1};
  CHECK(computing.computed(0s, 4) == 10);
  CHECK(computing.delay_after(0s, 20ms, 4) == 0ns);
  CHECK(computing.drawn() == 4);

  // Bursts come and go while the gradients are computed.
  step_clock bursts{"", "bursts:1,1:4", 1, worker_at(0), 1};
  const auto delay = bursts.delay_after(0s, 1000s, 1000);
  CHECK(delay > 300s);
  CHECK(delay < 2700s);
  step_clock computed_bursts{"", "computed:bursts:1,1:4", 1, worker_at(0), 1};
  const auto made = computed_bursts.computed(0s, 1000, 1s);
  CHECK(made > 1300);
  CHECK(made < 3700);
}

TEST_CASE("step_time: a stride with a time ends with the step that is under way when it is over") {
  const stride_rule rule{.time = 1s};
  step_clock quick{"const:0.3", "none", 2, worker_at(0), 1, rule};
  CHECK(quick.next_stride(0s).gradients == 4);
  CHECK(quick.next_stride(0s).takes == 1200ms);
  step_clock slow{"const:0.3", "slow:2:4", 2, worker_at(0), 1, rule};
  CHECK(slow.next_stride(0s).gradients == 1);
  CHECK(slow.next_stride(0s).takes == 1200ms);
  step_clock endless{"const:0", "none", 2, worker_at(0), 1, rule};
  CHECK(endless.next_stride(0s).gradients == stride_rule::gradients_max);
  CHECK(rule.planned(0s) == 1);
  CHECK(rule.planned(300ms) == 4);
  CHECK(rule.planned(250ms) == 4);
  CHECK(rule.planned(2s) == 1);
  CHECK(rule.planned(1ns) == stride_rule::gradients_max);
  CHECK(stride_rule{.gradients = 7}.planned(300ms) == 7);
}

TEST_CASE("step_time: the mean rate is that of many steps without a pause") {
  const text_file trace{"1\n0.5\n3\n0.25\n"};
  for (const std::string base :
       {"const:1", "exp:1", "shifted-exp:0.5,0.5", "uniform:0.2,1.8", "pareto:0.5,2.5", "lognormal:-0.5,0.8"})
    for (const std::string straggler :
         {"none", "slow:3:4", "random:0.2:5", "bursts:20,40:4", "bursts:0.5,1:6", "bursts:2,3:3"}) {
      CAPTURE(base);
      CAPTURE(straggler);
      double steps = 0;
      double seconds = 0;
      for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        step_clock clock{base, straggler, 3, worker_at(0), seed};
        auto now = 0ns;
        for (int i = 0; i < 40'000; ++i)
          now += clock.step(now);
        steps += 40'000;
        seconds += to_seconds(now);
      }
      const step_clock clock{base, straggler, 3, worker_at(0), 1};
      CHECK(clock.mean_rate() * seconds / steps == doctest::Approx(1).epsilon(0.02));
    }
  const step_clock traced{"trace:" + trace.path(), "slow:1:2", 1, worker_at(0), 1};
  CHECK(traced.mean_rate() == doctest::Approx(1 / (2 * 4.75 / 4)));
  CHECK(step_clock{"pareto:1,0.9", "none", 1, worker_at(0), 1}.mean_rate() == 0);
}

TEST_CASE("step_time: base and straggler draw from streams of their own, each worker from its own") {
  const auto steps = [](const std::string& straggler, std::size_t id, std::uint64_t seed) {
    step_clock clock{"exp:1", straggler, 4, worker_at(id), seed};
    std::vector<nanoseconds> found;
    for (int i = 0; i < 200; ++i)
      found.push_back(clock.step(i * 1s));
    return found;
  };
  const auto plain = steps("none", 1, 7);
  const auto slowed = steps("random:0.5:2", 1, 7);
  int slow = 0;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const auto doubled = std::abs((slowed[i] - 2 * plain[i]).count()) <= 1; // rounded once each
    CHECK((doubled || slowed[i] == plain[i]));
    slow += doubled;
  }
  CHECK(slow > 50);
  CHECK(slow < 150);
  CHECK(steps("none", 1, 7) == plain);
  CHECK(steps("none", 2, 7) != plain);
  CHECK(steps("none", 1, 8) != plain);
}

TEST_CASE("step_time: workers start a trace at different lines") {
  const text_file file{"1\n2\n3\n"};
  for (std::size_t i = 0; i < 6; ++i) {
    step_clock clock{"trace:" + file.path(), "none", 6, worker_at(i), 1};
    CHECK(clock.step(0s) == static_cast<int>(i % 3 + 1) * 1s);
  }
}

TEST_CASE("step_time: a step too long for the clock saturates") {
  step_clock clock{"const:1000000000", "slow:1:1000", 1, worker_at(0), 1};
  CHECK(clock.step(0s) == 9'200'000'000s);
}

TEST_CASE("step_time: the options can be checked before anything starts") {
  const auto refused = [](const std::string& base, const std::string& straggler) {
    const auto checked = refusal([&] { check_step_options(base, straggler, 4); });
    CHECK(refusal([&] { step_clock{base, straggler, 4, worker_at(3), 1}; }) == checked);
    return checked;
  };
  CHECK(refused("", "none") == "accepted");
  CHECK(refused("exp:1", "slow:4:2") == "accepted");
  CHECK(refused("exp:0", "none").starts_with("2 --step-time=exp:0 must "));
  CHECK(refused("", "slow:5:2").starts_with("2 --straggler=slow:5:2 must "));
  CHECK(refused("", "computed:slow:4:2") == "accepted");
  CHECK(refused("", "computed:lazy").starts_with("2 --straggler=computed:lazy must "));
  CHECK(refused("exp:1", "computed:slow:4:2").find("leave out one of the two") != std::string::npos);
  CHECK(refused("trace:no/such/file", "none").starts_with("3 cannot read"));
}

TEST_CASE("step_time: skipped draws are those that would have been made") {
  for (const auto* base : {"exp:0.05", ""})
    for (const auto* straggler : {"none", "slow:2:3", "random:0.5:4", "bursts:0.5,1:3"}) {
      CAPTURE(straggler);
      step_clock drawn{base, straggler, 4, worker_at(2), 1};
      step_clock skipped{base, straggler, 4, worker_at(2), 1};
      for (int i = 0; i < 57; ++i)
        drawn.delay_after(i * 100ms, 10ms);
      CHECK(drawn.drawn() == 57);
      skipped.skip(57);
      CHECK(skipped.drawn() == 57);
      for (int i = 57; i < 200; ++i)
        CHECK(skipped.delay_after(i * 100ms, 10ms) == drawn.delay_after(i * 100ms, 10ms));
    }
}
