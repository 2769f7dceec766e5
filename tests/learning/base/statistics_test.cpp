#include "learning/base/statistics.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace dybw {

TEST_CASE("sample_mean: mean and the interval of Student's t, also far from zero") {
  sample_mean x;
  CHECK(x.count() == 0);
  CHECK(x.mean() == 0);
  x.add(5);
  CHECK(x.mean() == 5);
  CHECK(x.half_width() == 0);
  for (const double v : {1.0, 2.0, 3.0, 4.0})
    x.add(v);
  CHECK(x.mean() == doctest::Approx(3));
  CHECK(x.half_width() == doctest::Approx(2.776 * std::sqrt(2.5 / 5)));
  sample_mean far;
  for (const double v : {1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 4, 1e9 + 5})
    far.add(v);
  CHECK(far.half_width() == doctest::Approx(x.half_width()));
}

TEST_CASE("sample_mean: nineteen intervals of twenty hold the mean that was drawn from") {
  std::mt19937_64 generator{1};
  for (const int size : {3, 10, 21, 40}) {
    std::normal_distribution<double> draw{7, 2};
    int held = 0;
    for (int i = 0; i < 4000; ++i) {
      sample_mean x;
      for (int k = 0; k < size; ++k)
        x.add(draw(generator));
      held += std::abs(x.mean() - 7) <= x.half_width() ? 1 : 0;
    }
    CHECK(held / 4000.0 == doctest::Approx(0.95).epsilon(0.013));
  }
}

TEST_CASE("running_mean: is 0 before anything, then the mean, and merges as if all had been added to one") {
  running_mean a;
  CHECK(a.mean() == 0);
  CHECK(a.count() == 0);
  a.add(1);
  a.add(2);
  running_mean b;
  b.add(6);
  a.merge(b);
  a.merge(running_mean{});
  CHECK(a.mean() == 3);
  CHECK(a.count() == 3);
  CHECK(a.sum() == 9);
}

TEST_CASE("duration_histogram: knows nothing before anything is added") {
  const duration_histogram empty;
  CHECK(empty.count() == 0);
  CHECK(empty.quantile(0.99) == nanoseconds{0});
  CHECK(empty.max() == nanoseconds{0});
}

TEST_CASE("duration_histogram: one value is each of its quantiles, from 0 to 292 years") {
  for (const std::int64_t t : std::initializer_list<std::int64_t>{
           0, 1, 7, 8, 9, 15, 16, 17, 1000, 123'456'789, std::numeric_limits<std::int64_t>::max()}) {
    CAPTURE(t);
    duration_histogram h;
    h.add(nanoseconds{t});
    for (const auto q : {0.0, 0.5, 1.0})
      CHECK(h.quantile(q) == nanoseconds{t});
    CHECK(h.max() == nanoseconds{t});
  }
}

TEST_CASE("duration_histogram: a negative duration, of clocks that differ, counts as none") {
  duration_histogram h;
  h.add(nanoseconds{-5});
  CHECK(h.count() == 1);
  CHECK(h.quantile(1) == nanoseconds{0});
}

TEST_CASE("duration_histogram: quantiles are never below the true ones and at most 13 % above") {
  std::mt19937_64 generator{1};
  std::lognormal_distribution<double> draw{10, 3};
  std::vector<std::int64_t> values(10'000);
  duration_histogram h;
  for (auto& v : values) {
    v = static_cast<std::int64_t>(draw(generator));
    h.add(nanoseconds{v});
  }
  std::ranges::sort(values);
  for (const auto q : {0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    CAPTURE(q);
    const auto truth = values[static_cast<std::size_t>(std::ceil(q * 10'000)) - 1];
    const auto found = h.quantile(q).count();
    CHECK(found >= truth);
    CHECK(static_cast<double>(found) <= 1.13 * static_cast<double>(truth) + 1);
  }
}

TEST_CASE("duration_histogram: quantiles rise with q") {
  duration_histogram h;
  for (int i = 0; i < 1000; ++i)
    h.add(nanoseconds{i * i});
  auto last = nanoseconds{0};
  for (int percent = 0; percent <= 100; ++percent) {
    const auto t = h.quantile(percent / 100.0);
    CHECK(t >= last);
    last = t;
  }
  CHECK(last == h.max());
}

TEST_CASE("duration_histogram: merging equals adding everything to one") {
  duration_histogram whole;
  duration_histogram even;
  duration_histogram odd;
  for (int i = 0; i < 999; ++i) {
    whole.add(nanoseconds{i * 37});
    (i % 2 == 0 ? even : odd).add(nanoseconds{i * 37});
  }
  even.merge(odd);
  CHECK(even.count() == whole.count());
  CHECK(even.max() == whole.max());
  for (const auto q : {0.1, 0.5, 0.99})
    CHECK(even.quantile(q) == whole.quantile(q));
}

} // namespace dybw
