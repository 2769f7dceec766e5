#include "learning/graph/mixing.hpp"
#include "learning/model/vector_ops.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace {

using vectors = std::vector<std::vector<float>>;

vectors random_vectors(std::size_t count, std::size_t size, std::mt19937_64& generator) {
  std::normal_distribution<float> normal;
  vectors result(count, std::vector<float>(size));
  for (auto& x : result)
    for (auto& value : x)
      value = normal(generator);
  return result;
}

std::vector<double> mean_of(const vectors& estimates) {
  std::vector<double> mean(estimates.front().size());
  for (const auto& x : estimates)
    for (std::size_t k = 0; k < mean.size(); ++k)
      mean[k] += static_cast<double>(x[k]) / static_cast<double>(estimates.size());
  return mean;
}

/// |a - b| / |b|
double relative_distance(const std::vector<double>& a, const std::vector<double>& b) {
  double difference = 0, size = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    difference += (a[k] - b[k]) * (a[k] - b[k]);
    size += b[k] * b[k];
  }
  return std::sqrt(difference / size);
}

/// Adjacency of a random undirected graph.
std::vector<std::vector<bool>> random_graph(std::size_t workers, double density, std::mt19937_64& generator) {
  std::bernoulli_distribution has_edge(density);
  std::vector adjacent(workers, std::vector<bool>(workers));
  for (std::size_t i = 0; i < workers; ++i)
    for (std::size_t j = 0; j < i; ++j)
      adjacent[i][j] = adjacent[j][i] = has_edge(generator);
  return adjacent;
}

/// A random perfect matching of an even number of workers.
std::vector<std::vector<bool>> random_matching(std::size_t workers, std::mt19937_64& generator) {
  std::vector<std::size_t> order(workers);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::shuffle(order, generator);
  std::vector adjacent(workers, std::vector<bool>(workers));
  for (std::size_t i = 0; i + 1 < workers; i += 2)
    adjacent[order[i]][order[i + 1]] = adjacent[order[i + 1]][order[i]] = true;
  return adjacent;
}

/// Everybody mixes with Metropolis weights, which are symmetric and doubly stochastic.
vectors mix_all(const vectors& estimates, const std::vector<std::vector<bool>>& adjacent) {
  const auto degree = [&](std::size_t i) {
    return static_cast<std::size_t>(std::ranges::count(adjacent[i], true));
  };
  auto mixed = estimates;
  for (std::size_t j = 0; j < estimates.size(); ++j) {
    std::vector<dybw::mix_input> neighbours;
    for (std::size_t i = 0; i < estimates.size(); ++i)
      if (adjacent[i][j])
        neighbours.push_back({estimates[i], dybw::metropolis_weight(degree(i), degree(j))});
    dybw::mix_estimates(estimates[j], neighbours, mixed[j]);
  }
  return mixed;
}

std::vector<std::span<const float>> views_of(const vectors& estimates) {
  return {estimates.begin(), estimates.end()};
}

} // namespace

TEST_CASE("mix_estimates: agrees with the weighted sum, in place as well as apart, for any size") {
  std::mt19937_64 generator(1);
  for (const std::size_t size : {0, 1, 9, 1023, 1024, 1025, 5000}) {
    CAPTURE(size);
    const auto estimates = random_vectors(4, size, generator);
    const std::vector<dybw::mix_input> neighbours{
        {estimates[1], 0.2}, {estimates[2], 0.3}, {estimates[3], 0.1}};
    std::vector<float> apart(size, 9.0F);
    auto in_place = estimates[0];
    dybw::mix_estimates(estimates[0], neighbours, apart);
    dybw::mix_estimates(in_place, neighbours, in_place);
    CHECK(in_place == apart);
    double largest_error = 0;
    for (std::size_t k = 0; k < size; ++k) {
      auto expected = (1 - 0.2 - 0.3 - 0.1) * static_cast<double>(estimates[0][k]);
      for (const auto& neighbour : neighbours)
        expected += neighbour.weight * static_cast<double>(neighbour.estimate[k]);
      largest_error = std::max(largest_error, std::abs(expected - static_cast<double>(apart[k])));
    }
    CHECK(largest_error < 2e-6);
  }
}

TEST_CASE("mix_estimates: without neighbours, or among equals, nothing changes") {
  std::mt19937_64 generator(2);
  const auto own = random_vectors(1, 3000, generator).front();
  const auto twin = own;
  const std::vector<dybw::mix_input> equal{{twin, 1.0 / 3}, {twin, 1.0 / 7}};
  std::vector<float> out(own.size());
  dybw::mix_estimates(own, {}, out);
  CHECK(out == own);
  std::ranges::fill(out, 0.0F);
  dybw::mix_estimates(own, equal, out);
  CHECK(out == own);
}

TEST_CASE("mix_estimates: doubly stochastic mixing keeps the mean of all estimates") {
  std::mt19937_64 generator(3);
  for (int trial = 0; trial < 20; ++trial) {
    const auto before = random_vectors(8, 2500, generator);
    const auto after = mix_all(before, random_graph(8, 0.4, generator));
    CHECK(relative_distance(mean_of(after), mean_of(before)) < 1e-6);
  }
}

TEST_CASE("mix_estimates: a thousand rounds on changing graphs do not move the mean") {
  std::mt19937_64 generator(4);
  for (const auto density : {0.0, 0.2, 0.7}) { // 0: matchings
    CAPTURE(density);
    auto estimates = random_vectors(8, 1500, generator);
    const auto mean_at_start = mean_of(estimates);
    for (int round = 0; round < 1000; ++round)
      estimates = mix_all(estimates,
                          density > 0 ? random_graph(8, density, generator) : random_matching(8, generator));
    CHECK(relative_distance(mean_of(estimates), mean_at_start) < 1e-5);
    std::vector<float> mean(1500);
    CHECK(dybw::average_and_consensus_distance(views_of(estimates), mean) < 1e-8); // they did mix
  }
}

TEST_CASE("mix_with_witness: mixes as mix_estimates does and tells what separate passes would") {
  std::mt19937_64 generator(6);
  for (const std::size_t size : {0, 1, 31, 33, 1024, 1025, 4999}) {
    CAPTURE(size);
    const auto estimates = random_vectors(4, size, generator);
    const dybw::sign_projection project(5, size);
    for (std::size_t degree = 0; degree < 4; ++degree) {
      std::vector<dybw::mix_input> neighbours;
      for (std::size_t i = 1; i <= degree; ++i)
        neighbours.push_back({estimates[i], 0.3 / static_cast<double>(i)});
      std::vector<float> expected(size);
      std::vector<float> mixed(size);
      dybw::mix_estimates(estimates[0], neighbours, expected);
      const auto seen = dybw::mix_with_witness(estimates[0], neighbours, mixed, project);
      CHECK(mixed == expected);
      CHECK(seen.projection_before == project(estimates[0]));
      CHECK(seen.norm_before == dybw::norm(estimates[0]));
      CHECK(seen.projection_after == project(mixed));
    }
  }
}

TEST_CASE("sign_projection: is the sum over all entries, each with the sign that a unit vector shows") {
  std::mt19937_64 generator(5);
  for (const std::size_t size : {1, 31, 32, 33, 63, 64, 65, 95, 97, 1000}) {
    CAPTURE(size);
    const dybw::sign_projection project(11, size);
    const auto x = random_vectors(1, size, generator).front();
    double expected = 0;
    std::vector<float> unit(size);
    for (std::size_t k = 0; k < size; ++k) {
      unit[k] = 1.0F;
      const auto sign = project(unit);
      unit[k] = 0.0F;
      CHECK(std::abs(sign) == 1.0);
      expected += sign * static_cast<double>(x[k]);
    }
    CHECK(project(x) == doctest::Approx(expected).epsilon(1e-12));
  }
}

TEST_CASE("sign_projection: an entry's sign does not depend on how many follow") {
  std::mt19937_64 generator(10);
  for (const std::size_t size : {5, 32, 40, 64, 97, 127}) {
    CAPTURE(size);
    const auto x = random_vectors(1, size, generator).front();
    auto longer = x;
    longer.resize(200); // zeros
    CHECK(dybw::sign_projection(3, size)(x) ==
          doctest::Approx(dybw::sign_projection(3, 200)(longer)).epsilon(1e-12));
  }
}

TEST_CASE("sign_projection: is linear to rounding") {
  std::mt19937_64 generator(6);
  constexpr std::size_t size = 10'000;
  const dybw::sign_projection project(1, size);
  const auto x = random_vectors(2, size, generator);
  std::vector<float> sum(size), scaled(size);
  for (std::size_t k = 0; k < size; ++k) {
    sum[k] = x[0][k] + x[1][k]; // rounded by up to 2^-24 of its size
    scaled[k] = 4 * x[0][k];    // exact
  }
  CHECK(std::abs(project(sum) - (project(x[0]) + project(x[1]))) < 1e-7 * static_cast<double>(size));
  CHECK(project(scaled) == 4 * project(x[0]));
}

TEST_CASE("sign_projection: the same seed gives the same projection, another seed another one") {
  std::mt19937_64 generator(7);
  const auto x = random_vectors(1, 777, generator).front();
  const auto first = dybw::sign_projection(1, 777)(x);
  CHECK(dybw::sign_projection(1, 777)(x) == first);
  CHECK(dybw::sign_projection(2, 777)(x) != first);
}

TEST_CASE("sign_projection: keeps squared norms on average and prefers no sign") {
  std::mt19937_64 generator(8);
  constexpr std::size_t size = 500;
  const auto x = random_vectors(1, size, generator).front();
  const std::vector<float> ones(size, 1.0F);
  constexpr int trials = 2000;
  double squares = 0, signs = 0;
  for (std::uint64_t seed = 0; seed < trials; ++seed) {
    const dybw::sign_projection project(seed, size);
    squares += project(x) * project(x) / trials;
    signs += project(ones) / (trials * static_cast<double>(size));
  }
  const auto squared_norm = dybw::norm(x) * dybw::norm(x);
  CHECK(squares == doctest::Approx(squared_norm).epsilon(0.15)); // its deviation is sqrt(2/2000), 3 %
  CHECK(std::abs(signs) < 0.005);                                // five times 1/sqrt(1e6)
}

TEST_CASE("average_and_consensus_distance: agrees with the definition") {
  std::mt19937_64 generator(9);
  for (const std::size_t count : {1, 2, 7})
    for (const std::size_t size : {1, 40, 1024, 3001}) {
      CAPTURE(count);
      CAPTURE(size);
      const auto estimates = random_vectors(count, size, generator);
      const auto expected_mean = mean_of(estimates);
      double expected = 0;
      for (const auto& x : estimates)
        for (std::size_t k = 0; k < size; ++k)
          expected += std::pow(static_cast<double>(x[k]) - expected_mean[k], 2) / static_cast<double>(count);
      std::vector<float> mean(size, 9.0F);
      const auto distance = dybw::average_and_consensus_distance(views_of(estimates), mean);
      CHECK(distance == doctest::Approx(expected).epsilon(1e-10));
      double largest_error = 0;
      for (std::size_t k = 0; k < size; ++k)
        largest_error = std::max(largest_error, std::abs(expected_mean[k] - static_cast<double>(mean[k])));
      CHECK(largest_error < 1e-6);
    }
}

TEST_CASE("average_and_consensus_distance: is zero among equals, however large they are") {
  const std::vector<float> x(2000, 123456.78F);
  const std::vector<std::span<const float>> equal{x, x, x};
  std::vector<float> mean(x.size());
  CHECK(dybw::average_and_consensus_distance(equal, mean) < 1e-15);
  CHECK(mean == x);
}

TEST_CASE("norm: is the root of the sum of squares, also of squares beyond float32") {
  CHECK(dybw::norm({}) == 0);
  const std::vector<float> pythagoras{3.0F, -4.0F};
  CHECK(dybw::norm(pythagoras) == doctest::Approx(5.0));
  const std::vector<float> large(100, 1e30F);
  CHECK(dybw::norm(large) == doctest::Approx(1e31));
  std::vector<float> counted(1001, 0.0F);
  counted[1000] = 2.0F;
  CHECK(dybw::norm(counted) == 2.0);
}

TEST_CASE("cosine_between: agrees with the definition, and is 0 where there is no direction") {
  std::mt19937_64 generator(5);
  for (const std::size_t size : {1, 31, 1024, 2500}) {
    const auto v = random_vectors(3, size, generator);
    double xy = 0, xx = 0, yy = 0;
    for (std::size_t k = 0; k < size; ++k) {
      const auto x = static_cast<double>(v[1][k]) - static_cast<double>(v[0][k]);
      const auto y = static_cast<double>(v[2][k]) - static_cast<double>(v[0][k]);
      xy += x * y;
      xx += x * x;
      yy += y * y;
    }
    CHECK(dybw::cosine_between(v[0], v[1], v[0], v[2]) ==
          doctest::Approx(xy / std::sqrt(xx * yy)).epsilon(1e-9));
    CHECK(dybw::cosine_between(v[0], v[1], v[0], v[1]) == doctest::Approx(1));
    CHECK(dybw::cosine_between(v[0], v[0], v[0], v[1]) == 0);
    CHECK(dybw::cosine_between(v[0], v[1], v[0], v[0]) == 0);
  }
  const std::vector<float> origin(100, 1.0F), x(100, 3.0F), y(100, 0.5F);
  CHECK(dybw::cosine_between(origin, x, origin, y) == doctest::Approx(-1));
}
