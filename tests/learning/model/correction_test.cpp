#include "learning/model/correction.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

using namespace dybw;

namespace {

constexpr std::size_t count = 1500; // more than a block of the kernels, and no multiple of one
using vector = std::vector<float>;

struct world {
  std::mt19937_64 generator{5};
  std::shared_ptr<const sign_projection> projection = std::make_shared<const sign_projection>(1, count);

  vector drawn() {
    std::normal_distribution<float> normal;
    vector x(count);
    for (auto& value : x)
      value = normal(generator);
    return x;
  }
};

vector of(const correction& c) {
  const auto value = c.value();
  return {value.values().begin(), value.values().end()};
}

} // namespace

TEST_CASE("correction: it is the share of all moves, in whatever way neighbours have the estimates") {
  world w;
  correction c{0.25, count, w.projection};
  const auto own = w.drawn(), as_told = w.drawn();
  vector expected(count);
  for (int round = 0; round < 3; ++round) {
    const auto a = w.drawn(), b = w.drawn();
    const std::vector<mix_input> terms{{a, 0.5, {}}, {b, 0.125, as_told}};
    c.add(own, terms);
    for (std::size_t k = 0; k < count; ++k)
      expected[k] += 0.25F * (0.5F * (a[k] - own[k]) + 0.125F * (b[k] - as_told[k]));
  }
  const auto value = of(c);
  for (std::size_t k = 0; k < count; ++k)
    CHECK(value[k] == doctest::Approx(expected[k]).epsilon(1e-5));
  CHECK(c.seen().projection == doctest::Approx((*w.projection)(value)));
  CHECK(c.seen().norm == doctest::Approx(norm(value)));
  auto moved = own;
  c.add_to(moved, 0.5);
  for (std::size_t k = 0; k < count; ++k)
    CHECK(moved[k] == doctest::Approx(own[k] + 0.5F * value[k]).epsilon(1e-5));
}

TEST_CASE(
    "correction: the ends of an edge add opposite amounts, so that thousands of moves leave the sum at 0") {
  world w;
  correction left{0.05, count, w.projection}, right{0.05, count, w.projection};
  for (int round = 0; round < 2000; ++round) {
    const auto a = w.drawn(), b = w.drawn();
    const mix_input at_left{b, 0.3, {}}, at_right{a, 0.3, {}};
    left.add(a, {&at_left, 1});
    right.add(b, {&at_right, 1});
  }
  const auto x = of(left), y = of(right);
  for (std::size_t k = 0; k < count; ++k)
    CHECK(x[k] + y[k] == 0); // the same roundings
  CHECK(left.seen().norm > 10);
  CHECK(left.seen().projection == -right.seen().projection);
}

TEST_CASE("correction: each generation begins at 0, and what was remembered goes on") {
  world w;
  correction c{0.5, count, w.projection};
  CHECK(c.is_zero());
  CHECK(of(c) == vector(count));
  const auto own = w.drawn(), other = w.drawn();
  const mix_input term{other, 0.5, {}};
  c.enter(7);
  c.add(own, {&term, 1});
  const auto before = of(c);
  CHECK_FALSE(c.is_zero());
  c.enter(7);
  CHECK(of(c) == before);
  correction again{0.5, count, w.projection};
  again.restore(c.value(), 7);
  CHECK(of(again) == before);
  CHECK(again.seen().projection == c.seen().projection);
  CHECK(again.seen().norm == c.seen().norm);
  c.enter(8);
  CHECK(c.is_zero());
  CHECK(c.seen().norm == 0);
  CHECK(of(c) == vector(count));
  auto stays = own;
  c.add_to(stays, 1);
  CHECK(stays == own);
}

TEST_CASE("correction: switched off it is none and costs nothing") {
  correction c{0, count, nullptr};
  c.enter(3);
  c.restore({}, 4);
  CHECK_FALSE(c.is_on());
  CHECK_FALSE(c.value());
}
