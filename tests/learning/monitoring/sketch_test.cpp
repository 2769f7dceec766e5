#include "learning/base/random.hpp"
#include "learning/model/vector_ops.hpp"
#include "learning/monitoring/sketch.hpp"

#include <doctest/doctest.h>

#include <cmath>

namespace dybw::test {

namespace {

using vectors = std::vector<std::vector<float>>;

/// Estimates that lie around a common point, as those of workers do.
vectors estimates(std::size_t count, std::size_t dimension, std::uint64_t seed, float spread) {
  auto generator = make_generator(seed, random_stream::parameters);
  std::normal_distribution<float> normal;
  std::vector<float> centre(dimension);
  for (auto& x : centre)
    x = normal(generator);
  vectors all(count, centre);
  for (auto& each : all)
    for (auto& x : each)
      x += spread * normal(generator);
  return all;
}

sketch_sums sketch_of(const vectors& all, std::uint64_t seed) {
  const sketch_projection project{seed, all.front().size()};
  std::vector<double> one(sketch_projection::buckets);
  sketch_sums sums;
  for (const auto& each : all) {
    project(each, one);
    sums.add(one);
  }
  return sums;
}

double exact_distance(const vectors& all) {
  std::vector<std::span<const float>> spans(all.begin(), all.end());
  std::vector<float> mean(all.front().size());
  return average_and_consensus_distance(spans, mean);
}

/// Mean and standard deviation of sketched / exact over many seeds.
std::pair<double, double> ratio_of_distances(const vectors& all) {
  constexpr auto seeds = 100;
  const auto exact = exact_distance(all);
  auto sum = 0.0;
  auto squares = 0.0;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    const auto ratio = *sketch_of(all, seed).consensus_distance() / exact;
    sum += ratio;
    squares += ratio * ratio;
  }
  const auto mean = sum / seeds;
  return {mean, std::sqrt(squares / seeds - mean * mean)};
}

} // namespace

TEST_CASE("sketch: vectors of at most as many coordinates as buckets are measured exactly") {
  for (const std::size_t dimension : {1, 63, 64, 65, 1000, 1024}) {
    CAPTURE(dimension);
    const auto all = estimates(5, dimension, 1, 0.01F);
    const auto sums = sketch_of(all, 7);
    CHECK(*sums.consensus_distance() == doctest::Approx(exact_distance(all)).epsilon(1e-6));
  }
}

TEST_CASE("sketch: the consensus distance of long vectors is right on average, within 5 % as a rule") {
  for (const std::size_t dimension : {7850, 20'000}) {
    const auto [mean, deviation] = ratio_of_distances(estimates(8, dimension, 2, 0.01F));
    CAPTURE(dimension);
    // The distance is a sum over seven independent directions, so it scatters less than one vector's norm.
    CHECK(mean == doctest::Approx(1).epsilon(0.01));
    CHECK(deviation < 0.05);
  }
}

TEST_CASE("sketch: one vector's norm scatters by sqrt(2 / buckets)") {
  const auto pair = estimates(2, 50'000, 3, 1.0F);
  const auto [mean, deviation] = ratio_of_distances(pair);
  CHECK(mean == doctest::Approx(1).epsilon(0.02));
  CHECK(deviation < 1.5 * std::sqrt(2.0 / sketch_projection::buckets));
  CHECK(deviation > 0.5 * std::sqrt(2.0 / sketch_projection::buckets));
}

TEST_CASE("sketch: a model of which few columns ever differ is measured as well") {
  vectors all(4, std::vector<float>(200 * sketch_projection::buckets, 0.5F));
  for (std::size_t w = 0; w < all.size(); ++w)
    for (std::size_t i = 0; i < all[w].size(); i += sketch_projection::buckets)
      all[w][i] += static_cast<float>(w * (i % 7 + 1)) * 0.01F;
  const auto [mean, deviation] = ratio_of_distances(all);
  CHECK(mean == doctest::Approx(1).epsilon(0.05));
  CHECK(deviation < 0.15);
}

TEST_CASE("sketch: sums of several processes add up to those of one") {
  const auto all = estimates(6, 5000, 4, 0.1F);
  const auto together = sketch_of(all, 9);
  auto apart = sketch_of({all.begin(), all.begin() + 2}, 9);
  apart.add(sketch_of({all.begin() + 2, all.end()}, 9));
  apart.add(sketch_sums{}); // nobody lives there
  CHECK(apart.estimates == 6);
  CHECK(*apart.consensus_distance() == doctest::Approx(*together.consensus_distance()));
  CHECK(*apart.mean_norm() == doctest::Approx(*together.mean_norm()));
}

TEST_CASE("sketch: estimates that agree have no distance, and the norm of the mean is theirs") {
  auto all = estimates(1, 7850, 5, 0.0F);
  all.push_back(all.front());
  all.push_back(all.front());
  const auto sums = sketch_of(all, 1);
  CHECK(*sums.consensus_distance() < 1e-9 * norm(all.front()) * norm(all.front()));
  CHECK(*sums.mean_norm() == doctest::Approx(norm(all.front())).epsilon(0.15));
}

TEST_CASE("sketch: nothing is known without estimates, and sums of another length are not added") {
  CHECK_FALSE(sketch_sums{}.consensus_distance());
  CHECK_FALSE(sketch_sums{}.mean_norm());
  auto sums = sketch_of(estimates(2, 100, 6, 1.0F), 1);
  sketch_sums strange;
  strange.estimates = 5;
  strange.sum = {1, 2, 3};
  sums.add(strange);
  CHECK(sums.estimates == 2);
}

} // namespace dybw::test
