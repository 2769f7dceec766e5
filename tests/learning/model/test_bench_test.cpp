#include "learning/model/test_bench.hpp"

#include "learning/model/make_model.hpp"

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
    auto bench = test_bench{make_model("softmax", 2, 2), comparisons(samples)};
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
    "test_bench: a score on part of the samples is on the first of them, and never on more than there are") {
  const auto data = comparisons(700);
  auto bench = test_bench{make_model("softmax", 2, 2), data};
  const std::vector<float> leaning{1, -1, 0.3F, 2, 0.1F, -0.2F};
  auto first = std::make_shared<dataset>(*data);
  first->labels.resize(300);
  std::get<std::vector<float>>(first->values).resize(600);
  auto part = test_bench{make_model("softmax", 2, 2), first};
  CHECK(bench.score(leaning, 300).loss == doctest::Approx(part.score(leaning, 300).loss).epsilon(1e-12));
  CHECK(bench.score(leaning, 300).accuracy == part.score(leaning, 300).accuracy);
  CHECK(bench.score(leaning, 300).loss != bench.score(leaning, 700).loss);
  CHECK(bench.score(leaning, 100'000).loss == bench.score(leaning, 700).loss);
  const auto none = bench.score(leaning, 0);
  CHECK(none.accuracy == 0);
  CHECK(none.loss == 0);
}

TEST_CASE("test_bench: averages estimates and measures their mean squared distance from the average") {
  auto bench = test_bench{make_model("softmax", 2, 2), comparisons(10)};
  const std::vector<parameter_block> estimates{block_of({1, 0, 0, 0, 0, 0}), block_of({3, 0, 0, 0, 0, 4})};
  const auto average = bench.average_of(estimates);
  CHECK(std::vector<float>(average.parameters.begin(), average.parameters.end()) ==
        std::vector<float>{2, 0, 0, 0, 0, 2});
  CHECK(average.consensus_distance == doctest::Approx(1 + 4));
  const auto alone = bench.average_of(std::span{estimates}.first(1));
  CHECK(alone.parameters[0] == 1);
  CHECK(alone.consensus_distance == 0);
}

} // namespace dybw
