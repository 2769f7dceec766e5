#include "learning/model/test_bench.hpp"

#include "learning/model/make_model.hpp"
#include "tests/support/contrary_crew.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace dybw {

namespace {

/// Samples of two features; the label says whether the first is the larger.
std::shared_ptr<const dataset> comparisons(std::size_t samples) {
  std::mt19937_64 generator{2};
  std::uniform_real_distribution<float> feature{0, 1};
  auto data = std::make_shared<dataset>();
  data->features = 2;
  data->classes = 2;
  std::vector<float> values(samples * 2);
  for (auto& x : values)
    x = feature(generator);
  for (std::size_t i = 0; i < samples; ++i)
    data->labels.push_back(values[2 * i] > values[2 * i + 1] ? 1 : 0);
  data->values = std::move(values);
  return data;
}

/// Softmax parameters (rows of the classes, then biases) that classify every such sample rightly, or with -1
/// wrongly.
std::vector<float> perfect(float sign) {
  return {-500 * sign, 500 * sign, 500 * sign, -500 * sign, 0, 0};
}

parameter_block block_of(std::vector<float> values) {
  auto buffer = std::make_shared<float_buffer>(values.size());
  std::ranges::copy(values, buffer->values().begin());
  return parameter_block{std::move(buffer)};
}

} // namespace

TEST_CASE("test_bench: counts hits and means the loss, over any number of samples") {
  for (const std::size_t samples : {1, 255, 256, 257, 1000}) {
    CAPTURE(samples);
    auto bench = test_bench{make_model("softmax", {2, 2}), comparisons(samples)};
    CHECK(bench.samples() == samples);
    CHECK(bench.score(perfect(1), samples).accuracy == 1);
    CHECK(bench.score(perfect(-1), samples).accuracy == 0);
    const auto undecided = bench.score(std::vector<float>(6, 0.0F), samples);
    CHECK(undecided.loss == doctest::Approx(std::log(2)));
    CHECK(bench.score(perfect(1), samples).loss < undecided.loss);
    CHECK(bench.score(perfect(-1), samples).loss > undecided.loss);
  }
}

TEST_CASE(
    "test_bench: a score on part of the samples is on the first ones in the order that the seed draws") {
  const auto data = comparisons(700);
  const auto learner = make_model("softmax", {2, 2});
  auto bench = test_bench{learner, data, 1};
  auto again = test_bench{learner, data, 1};
  auto other = test_bench{learner, data, 2};
  const std::vector<float> leaning{1, -1, 0.3F, 2, 0.1F, -0.2F};
  CHECK(bench.score(leaning, 300).loss == again.score(leaning, 300).loss);
  CHECK(bench.score(leaning, 300).loss != other.score(leaning, 300).loss);
  CHECK(bench.score(leaning, 300).loss != bench.score(leaning, 700).loss);
  CHECK(bench.score(leaning, 700).accuracy == other.score(leaning, 700).accuracy); // all, in whatever order
  CHECK(bench.score(leaning, 700).loss == doctest::Approx(other.score(leaning, 700).loss));
  CHECK(bench.score(leaning, 100'000).loss == bench.score(leaning, 700).loss);
  const auto none = bench.score(leaning, 0);
  CHECK(none.accuracy == 0);
  CHECK(none.loss == 0);
}

TEST_CASE("test_bench: averages estimates and measures their mean squared distance from the average") {
  auto bench = test_bench{make_model("softmax", {2, 2}), comparisons(10)};
  const std::vector<parameter_block> estimates{block_of({1, 0, 0, 0, 0, 0}), block_of({3, 0, 0, 0, 0, 4})};
  const auto average = bench.average_of(estimates);
  CHECK(std::vector<float>(average.parameters.begin(), average.parameters.end()) ==
        std::vector<float>{2, 0, 0, 0, 0, 2});
  CHECK(average.consensus_distance == doctest::Approx(1 + 4));
  const auto alone = bench.average_of(std::span{estimates}.first(1));
  CHECK(alone.parameters[0] == 1);
  CHECK(alone.consensus_distance == 0);
}

namespace {

parameter_block random_block(std::uint64_t seed) {
  std::mt19937_64 generator{seed};
  std::normal_distribution<float> normal;
  std::vector<float> values(6);
  for (auto& x : values)
    x = normal(generator);
  return block_of(values);
}

std::vector<parameter_block> random_blocks(std::size_t count) {
  std::vector<parameter_block> blocks;
  for (std::size_t i = 0; i < count; ++i)
    blocks.push_back(random_block(i));
  return blocks;
}

} // namespace

TEST_CASE("test_bench: one worker alone is as good as the average, whatever the samples") {
  for (const std::size_t samples : {40, 700, 3000, 12'000})
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      CAPTURE(samples);
      auto bench = test_bench{make_model("softmax", {2, 2}), comparisons(samples), seed};
      const std::vector<parameter_block> alone{random_block(seed)};
      const auto e = bench.evaluate(alone).value();
      CHECK(e.worst_worker_accuracy == e.test_accuracy); // bit for bit
      CHECK(e.scored_workers == 1);
      CHECK(e.scored_samples == std::min<std::size_t>(samples, 2000));
      const std::vector<parameter_block> twins{alone[0], alone[0]};
      const auto both = bench.evaluate(twins).value();
      CHECK(both.worst_worker_accuracy == both.test_accuracy);
      CHECK(both.consensus_distance == 0);
    }
}

TEST_CASE("test_bench: on the whole test set the worst worker is the worst of those scored") {
  const auto data = comparisons(400);
  auto bench = test_bench{make_model("softmax", {2, 2}), data, 3};
  const auto estimates = random_blocks(5);
  const auto e = bench.evaluate(estimates).value();
  CHECK(e.scored_samples == 400);
  auto worst = 1.0;
  for (const auto& x : estimates)
    worst = std::min(worst, bench.score(x.values(), 400).accuracy);
  CHECK(e.worst_worker_accuracy.value() == doctest::Approx(worst).epsilon(1e-12));
}

TEST_CASE("test_bench: the gap is measured on samples that the average is measured on as well") {
  // All samples of the one kind lie in front: the first 500 of the file would tell another story.
  auto sorted = std::make_shared<dataset>(*comparisons(8'000));
  auto& values = std::get<std::vector<float>>(sorted->values);
  std::size_t front = 0;
  for (std::size_t i = 0; i < sorted->labels.size(); ++i)
    if (sorted->labels[i] == 1) {
      std::swap(sorted->labels[i], sorted->labels[front]);
      std::swap(values[2 * i], values[2 * front]);
      std::swap(values[2 * i + 1], values[2 * front + 1]);
      ++front;
    }
  auto bench = test_bench{make_model("softmax", {2, 2}), sorted, 1};
  // One worker says the one class, the other is right in all: on either half alone they are level or far
  // apart.
  const std::vector<parameter_block> estimates{block_of({0, 0, 0, 0, -1, 1}), block_of(perfect(0.001F))};
  const auto e = bench.evaluate(estimates).value();
  const auto whole = bench.score(estimates[0].values(), bench.samples()).accuracy;
  CHECK(e.worst_worker_accuracy.value() == doctest::Approx(whole).epsilon(0.06));
}

TEST_CASE("test_bench: of many workers a bounded number is scored, drawn by the seed, and missing ones are "
          "passed over") {
  const auto data = comparisons(600);
  auto bench = test_bench{make_model("softmax", {2, 2}), data, 7};
  auto estimates = random_blocks(200);
  const auto chosen = bench.scored_workers(estimates);
  CHECK(chosen.size() == test_bench::scored_workers_max);
  CHECK(std::is_sorted(chosen.begin(), chosen.end()));
  CHECK(chosen == bench.scored_workers(estimates));
  auto other = test_bench{make_model("softmax", {2, 2}), data, 8};
  CHECK(chosen != other.scored_workers(estimates));
  const auto e = bench.evaluate(estimates).value();
  CHECK(e.scored_workers == test_bench::scored_workers_max);
  CHECK(e.scored_samples == 500);
  estimates[chosen[3]] = {};
  const auto without = bench.scored_workers(estimates);
  CHECK(without.size() == test_bench::scored_workers_max);
  CHECK(std::find(without.begin(), without.end(), chosen[3]) == without.end());
  std::size_t kept = 0;
  for (auto i : chosen)
    kept += static_cast<std::size_t>(std::count(without.begin(), without.end(), i));
  CHECK(kept == chosen.size() - 1);
}

TEST_CASE("test_bench: what is found does not depend on the crew, and it can be told to stop") {
  const auto data = comparisons(3'000);
  test::contrary_crew three;
  auto one = test_bench{make_model("softmax", {2, 2}), data, 1};
  auto many = test_bench{make_model("softmax", {2, 2}), data, 1, &three};
  const auto estimates = random_blocks(7);
  const auto a = one.evaluate(estimates).value();
  const auto b = many.evaluate(estimates).value();
  CHECK(a.test_loss == b.test_loss);
  CHECK(a.test_accuracy == b.test_accuracy);
  CHECK(a.worst_worker_accuracy == b.worst_worker_accuracy);
  CHECK(a.consensus_distance == b.consensus_distance);
  const auto average_only = one.evaluate(estimates, false).value();
  CHECK(average_only.test_loss == a.test_loss);
  CHECK_FALSE(average_only.worst_worker_accuracy);
  CHECK(average_only.scored_workers == 0);

  auto asked = 0;
  const std::vector<test_bench::task> tasks(200, {estimates[0].values(), 3'000});
  const auto some = one.score(tasks, 0, [&](double done) {
    CHECK(done > 0);
    CHECK(done < 1);
    return ++asked == 2;
  });
  CHECK(asked == 2);
  CHECK(some.front().samples == 3'000);
  CHECK(some.back().samples == 0);
}

} // namespace dybw
