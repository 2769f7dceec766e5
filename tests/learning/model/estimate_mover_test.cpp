#include "learning/model/estimate_mover.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

using namespace dybw;

namespace {

constexpr std::size_t count = 200;

parameter_block block_of(const std::vector<float>& values) {
  auto buffer = std::make_shared<float_buffer>(values.size());
  std::ranges::copy(values, buffer->values().begin());
  return parameter_block{std::move(buffer)};
}

/// How many times `from` -> `stepped` is in the way from `now` to `moved`.
double counted(const parameter_block& now, const parameter_block& moved, const parameter_block& from,
               const parameter_block& stepped) {
  double way = 0, step = 0;
  for (std::size_t k = 0; k < count; ++k) {
    const auto s = static_cast<double>(stepped.values()[k]) - static_cast<double>(from.values()[k]);
    way += s * (static_cast<double>(moved.values()[k]) - static_cast<double>(now.values()[k]));
    step += s * s;
  }
  return way / step;
}

struct world {
  std::mt19937_64 generator{3};
  std::shared_ptr<const sign_projection> projection = std::make_shared<const sign_projection>(1, count);
  estimate_mover mover{count, projection};
  std::vector<float> common = drawn();

  std::vector<float> drawn() {
    std::normal_distribution<float> normal;
    std::vector<float> x(count);
    std::ranges::generate(x, [&] { return normal(generator); });
    return x;
  }
  /// What a step counts for whose direction is `share` of the common one, while averaging moves the worker by
  /// `pull` times the common one, both with noise.
  double step(double scale, float share, float pull) {
    const std::vector<float> from(count, 0.0F);
    const auto noise = drawn(), more = drawn();
    std::vector<float> stepped(count), now(count);
    for (std::size_t k = 0; k < count; ++k) {
      stepped[k] = share * common[k] + noise[k] * 0.5F;
      now[k] = pull * common[k] + more[k] * 0.5F;
    }
    const auto f = block_of(from), s = block_of(stepped), n = block_of(now);
    return counted(n, mover.add_step(n, {f, f, s}, scale), f, s);
  }
};

} // namespace

TEST_CASE("estimate_mover: where nothing was averaged a step that counts for 1 is taken as it is") {
  world w;
  for (int i = 0; i < 30; ++i)
    w.step(3.5, 1, 1);
  const auto learnt = w.mover.remembered().agreement.value();
  const auto from = block_of(std::vector<float>(count, 1.0F));
  const auto stepped = block_of(std::vector<float>(count, 2.0F));
  CHECK(w.mover.add_step(from, {from, from, stepped}, 1).values().data() == stepped.values().data());
  CHECK(w.mover.add_step(from, {from, from, stepped}, 3.5).values().data() ==
        stepped.values().data()); // tempered to 1
  CHECK(w.mover.remembered().agreement.value() == learnt);
  CHECK(w.mover.add_step(stepped, {from, from, stepped}, 1).values()[1] == 3); // was moved: the way is added
}

TEST_CASE("estimate_mover: a gradient is computed without what neighbours take over of the step before") {
  world w;
  const auto before = block_of(w.drawn()), after = block_of(w.drawn()), now = block_of(w.drawn());
  const auto at = w.mover.without_step(now, before, after, 0.75);
  for (std::size_t k = 0; k < count; ++k)
    CHECK(at.values()[k] ==
          doctest::Approx(now.values()[k] - 0.75F * (after.values()[k] - before.values()[k])).epsilon(1e-5));
  // Both that and what is averaged meanwhile stay as they are; the step goes on top.
  const auto stepped = block_of(w.drawn()), moved = block_of(w.drawn());
  const auto result = w.mover.add_step(moved, {now, at, stepped}, 1);
  for (std::size_t k = 0; k < count; ++k)
    CHECK(result.values()[k] ==
          doctest::Approx(moved.values()[k] + stepped.values()[k] - at.values()[k]).epsilon(1e-4));
  // To leave it out is no movement by averaging: what the step agrees with begins where the worker was.
  w.mover.add_step(now, {now, at, stepped}, 3.5);
  CHECK(w.mover.remembered().agreement.value() == 0);
  std::vector<float> along(count);
  for (std::size_t k = 0; k < count; ++k)
    along[k] = now.values()[k] + stepped.values()[k] - at.values()[k];
  w.mover.add_step(block_of(along), {now, at, stepped}, 3.5);
  step_agreement whole;
  whole.observe(1);
  CHECK(w.mover.remembered().agreement.value() == doctest::Approx(whole.value()).epsilon(1e-4));
}

TEST_CASE("estimate_mover: a step counts for its scale if neighbours move another way, for 1 if the same") {
  for (const double scale : {3.5, 0.85}) {
    CAPTURE(scale);
    world apart;
    double last = 0;
    for (int i = 0; i < 30; ++i)
      last = apart.step(scale, 1, -1);
    CHECK(last == doctest::Approx(scale).epsilon(1e-3));
    CHECK(apart.mover.remembered().agreement.value() < -0.5);
    world strangers; // nothing in common
    for (int i = 0; i < 30; ++i)
      last = strangers.step(scale, 0, 1);
    CHECK(std::abs(strangers.mover.remembered().agreement.value()) < 0.1);
    if (scale > 1)
      CHECK(last == doctest::Approx(scale).epsilon(1e-3));
    world alike;
    for (int i = 0; i < 30; ++i)
      last = alike.step(scale, 1, 1);
    CHECK(last == doctest::Approx(1).epsilon(1e-3));
    CHECK(alike.mover.remembered().agreement.value() > 0.5);
  }
}

TEST_CASE("estimate_mover: a scale of 1 is taken as it is, and not looked at") {
  world w;
  CHECK(w.step(1, 1, 1) == doctest::Approx(1).epsilon(1e-4));
  CHECK(w.mover.remembered().agreement.value() == 0);
}

TEST_CASE("estimate_mover: both ends of an exchange add opposite amounts") {
  world w;
  estimate_mover other{count, w.projection};
  const auto a = block_of(w.drawn()), b = block_of(w.drawn()), mine = block_of(w.drawn()),
             theirs = block_of(w.drawn());
  const auto x = w.mover.absorb(a, theirs, mine, 0.25);
  const auto y = other.absorb(b, mine, theirs, 0.25);
  CHECK(x.projection == doctest::Approx(-y.projection).epsilon(1e-4));
  CHECK(x.size == doctest::Approx(norm(a.values())));
  for (std::size_t k = 0; k < count; ++k)
    CHECK(x.estimate.values()[k] + y.estimate.values()[k] ==
          doctest::Approx(a.values()[k] + b.values()[k]).epsilon(1e-4));
}

TEST_CASE("estimate_mover: a step adds what exchanges that count have moved the worker by") {
  world w;
  estimate_mover mover{count, w.projection, 0.5};
  const auto own = block_of(w.drawn()), theirs = block_of(w.drawn()), from = block_of(w.drawn()),
             stepped = block_of(w.drawn());
  CHECK(mover.absorb(own, theirs, own, 0.25, false).correction.norm == 0);
  const auto x = mover.absorb(own, theirs, own, 0.25, true);
  const auto c = mover.correction().value();
  CHECK(x.correction.norm == doctest::Approx(norm(c.values())));
  CHECK(x.correction.norm > 0);
  const auto alone = mover.add_step(from, {from, from, stepped}, 1, 0.5);
  const auto moved = mover.add_step(own, {from, from, stepped}, 1, 0.5);
  for (std::size_t k = 0; k < count; ++k) {
    const auto by = 0.125F * (theirs.values()[k] - own.values()[k]);
    CHECK(c.values()[k] == doctest::Approx(by).epsilon(1e-5));
    CHECK(alone.values()[k] == doctest::Approx(stepped.values()[k] + by / 2).epsilon(1e-5));
    CHECK(moved.values()[k] ==
          doctest::Approx(own.values()[k] + (stepped.values()[k] - from.values()[k]) + by / 2).epsilon(1e-4));
  }
  mover.correction().enter(1);
  CHECK(mover.add_step(from, {from, from, stepped}, 1).values().data() == stepped.values().data());
}

TEST_CASE("estimate_mover: says how far apart the ends were, in steps, the length of which it looks at now "
          "and then") {
  world w;
  const auto zero = block_of(std::vector<float>(count, 0.0F));
  const auto one = block_of(std::vector<float>(count, 1.0F));
  const auto three = block_of(std::vector<float>(count, 3.0F));
  CHECK(w.mover.absorb(zero, three, zero, 0.5).strides == 0); // no step was made
  w.mover.add_step(zero, {zero, zero, three}, 1); // without momentum, so it is not the one to measure by
  CHECK(w.mover.absorb(zero, three, zero, 0.5).strides == 0);
  w.mover.add_step(zero, {zero, zero, one}, 1);
  CHECK(w.mover.absorb(zero, three, zero, 0.5).strides == doctest::Approx(3));
  CHECK(w.mover.absorb(three, zero, one, 0.5).strides == doctest::Approx(1));
  for (int i = 0; i < 20; ++i)
    w.mover.add_step(zero, {zero, zero, three}, 1);
  CHECK(w.mover.absorb(zero, three, zero, 0.5).strides == doctest::Approx(1));
  estimate_mover same{count, w.projection};
  same.restore(w.mover.remembered());
  for (int i = 0; i < 20; ++i) { // and it is measured at the same steps
    const auto stepped = block_of(std::vector<float>(count, 1.0F + static_cast<float>(i)));
    w.mover.add_step(zero, {zero, zero, stepped}, 1);
    same.add_step(zero, {zero, zero, stepped}, 1);
    CHECK(same.absorb(zero, three, zero, 0.5).strides == w.mover.absorb(zero, three, zero, 0.5).strides);
  }
}

TEST_CASE("step_agreement: goes smoothly from one to the other, and is the same once remembered") {
  double before = 4;
  for (double cosine = -1; cosine <= 1; cosine += 0.01) {
    step_agreement x{cosine};
    const auto now = x.temper(4);
    CHECK(now <= before + 1e-12);
    CHECK(before - now < 0.35);
    CHECK(now >= 1);
    before = now;
    CHECK(step_agreement{x.value()}.temper(4) == now);
    CHECK(x.temper(1) == 1);
    CHECK(x.temper(0.5) <= 1);
    CHECK(x.temper(0.5) >= 0.5);
  }
  CHECK(before == 1);
  CHECK(step_agreement{}.temper(4) == 4); // nothing seen yet

  step_agreement noisy; // one odd step does not turn it over
  for (int i = 0; i < 20; ++i)
    noisy.observe(0.7);
  noisy.observe(-0.3);
  CHECK(noisy.temper(3) < 1.1);
}
