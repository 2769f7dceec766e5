#include "learning/model/sgd.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace {

std::vector<float> random_vector(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(size);
  for (auto& value : x)
    value = normal(generator);
  return x;
}

} // namespace

TEST_CASE("step_size_at: the step size decays by the same factor after every pass over the data") {
  const dybw::sgd_options options{.step_size = 0.4, .step_decay = 0.5};
  CHECK(dybw::step_size_at(options, 0, 1) == 0.4);
  CHECK(dybw::step_size_at(options, 1, 1) == doctest::Approx(0.2));
  CHECK(dybw::step_size_at(options, 3, 1) == doctest::Approx(0.05));
  CHECK(dybw::step_size_at(options, 99, 100) == 0.4);
  CHECK(dybw::step_size_at(options, 299, 100) == doctest::Approx(0.1));
  CHECK(dybw::step_size_at({.step_size = 0.4}, 1000, 1) == 0.4);
}

TEST_CASE("rounds_per_pass: as many rounds as all workers need for all samples, and one at least") {
  CHECK(dybw::rounds_per_pass(600, 2, 16) == 19); // 18.75
  CHECK(dybw::rounds_per_pass(640, 2, 16) == 20);
  CHECK(dybw::rounds_per_pass(60'000, 8, 64) == 118);
  CHECK(dybw::rounds_per_pass(100, 64, 64) == 1);
  CHECK(dybw::rounds_per_pass(1, 1, 1) == 1);
  CHECK(dybw::rounds_per_pass(10, 1, ~std::uint64_t{0}) == 1);
  CHECK(dybw::rounds_per_pass(10, ~std::uint64_t{0}, 3) == 1);
}

TEST_CASE("sgd_step: agrees with the formula, for any momentum, weight decay and size") {
  for (const auto momentum : {0.0, 0.9})
    for (const auto weight_decay : {0.0, 0.01})
      for (const std::size_t size : {0, 1, 7, 8, 33, 1000}) {
        CAPTURE(momentum);
        CAPTURE(weight_decay);
        CAPTURE(size);
        const dybw::sgd_options options{.momentum = momentum, .weight_decay = weight_decay};
        const auto w = random_vector(size, 1), g = random_vector(size, 2), v = random_vector(size, 3);
        std::vector<float> v_next(size), w_next(size);
        dybw::sgd_step(options, 0.3, w, g, v, v_next, w_next);
        double largest_error = 0;
        for (std::size_t i = 0; i < size; ++i) {
          const auto expected_v = momentum * static_cast<double>(v[i]) +
                                  (static_cast<double>(g[i]) + weight_decay * static_cast<double>(w[i]));
          const auto expected_w = static_cast<double>(w[i]) - 0.3 * expected_v;
          if (momentum > 0)
            largest_error = std::max(largest_error, std::abs(expected_v - static_cast<double>(v_next[i])));
          largest_error = std::max(largest_error, std::abs(expected_w - static_cast<double>(w_next[i])));
        }
        CHECK(largest_error < 1e-6);
      }
}

TEST_CASE("sgd_step: without momentum no velocity is needed") {
  const std::vector<float> w{1.0F, 2.0F}, g{0.5F, -0.5F};
  std::vector<float> w_next(2);
  dybw::sgd_step({}, 0.5, w, g, {}, {}, w_next);
  CHECK(w_next == std::vector<float>{0.75F, 2.25F});
}

TEST_CASE("sgd_step: a velocity kept apart can be dropped, one in place goes on") {
  constexpr std::size_t size = 21;
  const dybw::sgd_options options{.momentum = 0.5};
  const auto w = random_vector(size, 1), g = random_vector(size, 2), v = random_vector(size, 3);
  auto in_place = v;
  std::vector<float> v_next(size), w_apart(size), w_in_place(size);
  const auto v_before = v;
  dybw::sgd_step(options, 0.1, w, g, v, v_next, w_apart);
  dybw::sgd_step(options, 0.1, w, g, in_place, in_place, w_in_place);
  CHECK(v == v_before);
  CHECK(in_place == v_next);
  CHECK(w_in_place == w_apart);
}

TEST_CASE("sgd_step: a step size of zero leaves the parameters as they are, bit by bit") {
  const auto w = random_vector(100, 1), g = random_vector(100, 2);
  std::vector<float> w_next(100);
  dybw::sgd_step({.weight_decay = 0.1}, 0.0, w, g, {}, {}, w_next);
  CHECK(w_next == w);
}
