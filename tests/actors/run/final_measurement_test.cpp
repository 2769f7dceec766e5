#include "actors/run/final_measurement.hpp"
#include "actors/trainers/own_learners.hpp"
#include "tests/actors/support/small_table.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

namespace dybw::test {

namespace {

/// How often the end was looked at, and how often somebody was asked for a score.
struct scoring_counts {
  std::atomic<int> looks{0};
  std::atomic<int> evaluations{0};
};

/// Needs for each evaluation as long as it takes that so many looks are taken, and some time more.
class slow_scorer final : public learner {
public:
  slow_scorer(scoring_counts& counts, int looks) : counts_(counts), looks_(looks) {}

  dybw::layout layout() const override { return {array_layout{"w", {2}}}; }
  void initialise(std::uint64_t, std::span<float> w) override { std::ranges::fill(w, 0.5F); }
  step_result step(const step_context&, std::span<const float> w, std::span<float> next) override {
    std::ranges::copy(w, next.begin());
    return {0, 1};
  }
  std::optional<score> evaluate(std::span<const float> w) override {
    const auto enough = ++counts_.evaluations * looks_;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{5};
    while (counts_.looks < enough && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    std::this_thread::sleep_for(std::chrono::milliseconds{100}); // what was said is taken note of
    return score{{"accuracy", w[0]}};
  }

private:
  scoring_counts& counts_;
  int looks_;
};

constexpr std::size_t scored_ones = 3;

run_inputs slowly_scored(scoring_counts& counts, int looks) {
  run_config config;
  config.workers = scored_ones;
  config.topology = "complete";
  config.policies = {"full"};
  config.threads = 1;
  config.model = "learner";
  config.own_learner = true;
  auto inputs = plan_run(config);
  use_learners(inputs, std::make_shared<own_learners>(
                           [&counts, looks](const dybw::place&) {
                             return std::make_unique<slow_scorer>(counts, looks);
                           },
                           own_learner_options{scored_ones, config.seed, "", config.partition}));
  return inputs;
}

finished_run run_to_measure() {
  finished_run run;
  run.result.per_worker.resize(scored_ones);
  return run;
}

} // namespace

TEST_CASE("final_measurement: while learners are asked for scores, the share that is done is told") {
  scoring_counts counts;
  const auto inputs = slowly_scored(counts, 2);
  auto run = run_to_measure();
  std::vector<double> shares;
  measure_final(run, inputs, inputs.initial, [&](double done) {
    shares.push_back(done);
    ++counts.looks;
    return false;
  });
  REQUIRE(shares.size() >= 2);
  CHECK(std::ranges::is_sorted(shares));
  CHECK(shares.front() == 0);
  CHECK(shares.back() > 0);
  CHECK(shares.back() < 1);
  CHECK_FALSE(run.result.interrupted);
  CHECK(run.result.test_accuracy == 0.5);
  CHECK(run.result.scored_workers == scored_ones);
  REQUIRE(run.result.evaluations.size() == 1);
  CHECK(run.result.evaluations[0].scored_workers == scored_ones);
}

TEST_CASE("final_measurement: who watches can make an end while learners are asked for scores") {
  scoring_counts counts;
  const auto inputs = slowly_scored(counts, 1);
  auto run = run_to_measure();
  measure_final(run, inputs, inputs.initial, [&](double) {
    ++counts.looks;
    return true;
  });
  CHECK(run.result.interrupted);
  CHECK(counts.evaluations.load() <= static_cast<int>(scored_ones)); // the average is waited for
  CHECK(run.result.test_accuracy == 0.5);
  CHECK(run.result.scored_workers < scored_ones);
  CHECK(run.result.evaluations.empty());
}

TEST_CASE("final_measurement: an end that nobody watches is measured all the same") {
  scoring_counts counts;
  const auto inputs = slowly_scored(counts, 0);
  auto run = run_to_measure();
  measure_final(run, inputs, inputs.initial, {});
  CHECK(counts.evaluations.load() == 1 + static_cast<int>(scored_ones));
  CHECK(run.result.scored_workers == scored_ones);
}

TEST_CASE("final_measurement: estimates that are not finite have not kept their mean") {
  const temporary_directory place;
  auto config = table_config(place);
  config.policies = {"full"};
  config.sgd.step_size = 0;
  config.threads = 2;
  auto inputs = prepare_run(config);
  const std::vector<float> odd(inputs.model->parameter_count(), std::numeric_limits<float>::quiet_NaN());
  inputs.initial.assign(config.workers, copy_of(odd));
  finished_run run;
  run.result.per_worker.resize(config.workers);
  measure_final(run, inputs, inputs.initial, {});
  REQUIRE(run.result.mixing.mean_drift);
  CHECK_FALSE(*run.result.mixing.mean_drift <= 1);
}

} // namespace dybw::test
