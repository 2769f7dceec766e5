#include "learning/consensus/coverage_sweep.hpp"

#include <doctest/doctest.h>

using namespace dybw;

namespace {

const auto e01 = make_edge(worker_at(0), worker_at(1));
const auto e12 = make_edge(worker_at(1), worker_at(2));
const auto e02 = make_edge(worker_at(0), worker_at(2));

coverage_sweep path_sweep(std::uint64_t generation = 7) {
  coverage_sweep s;
  s.reset(generation, std::make_shared<const std::vector<edge>>(std::vector{e01, e12}));
  return s;
}

} // namespace

TEST_CASE("coverage_sweep: a connecting edge advances the sweep once, another edge never") {
  auto s = path_sweep();
  CHECK(s.advances(e01, 1));
  CHECK_FALSE(s.advances(e02, 1));
  s.cover(e01, 1);
  CHECK_FALSE(s.advances(e01, 2));
  CHECK(s.sweeps_completed() == 0);
}

TEST_CASE("coverage_sweep: when all connecting edges are covered the next sweep starts with none covered") {
  auto s = path_sweep();
  s.cover(e12, 1);
  s.cover(e01, 2);
  CHECK(s.sweeps_completed() == 1);
  CHECK(s.sweep() == 1);
  CHECK(s.advances(e12, 3));
  CHECK(s.advances(e01, 3));
}

TEST_CASE(
    "coverage_sweep: an edge committed in the round that completed a sweep does not count for the next") {
  auto s = path_sweep();
  s.cover(e12, 1);
  s.cover(e01, 2);
  CHECK_FALSE(s.advances(e12, 2));
  CHECK_FALSE(s.advances(e01, 2));
}

TEST_CASE("coverage_sweep: it learns edges and later sweeps, once") {
  auto s = path_sweep();
  CHECK(s.learn({7, 0, 1, e01}));
  CHECK_FALSE(s.learn({7, 0, 1, e01}));
  CHECK_FALSE(s.learn({7, 0, 1, std::nullopt}));
  CHECK(s.learn({7, 3, 9, e12})); // three sweeps ahead
  CHECK(s.sweep() == 3);
  CHECK(s.sweeps_completed() == 3);
  CHECK_FALSE(s.advances(e12, 10));
  CHECK_FALSE(s.advances(e01, 8)); // a commit of a round before may belong to the sweep before
  CHECK(s.advances(e01, 10));
  CHECK_FALSE(s.learn({7, 2, 9, e01})); // of a sweep that is over
}

TEST_CASE("coverage_sweep: thresholds of another generation tell nothing") {
  auto s = path_sweep();
  CHECK_FALSE(s.learn({8, 0, 1, e01}));
  CHECK_FALSE(s.learn({8, 5, 1, e01}));
  CHECK(s.sweep() == 0);
  CHECK(s.advances(e01, 1));
}

TEST_CASE("coverage_sweep: new facts begin with nothing covered, completed sweeps stay counted") {
  auto s = path_sweep();
  s.cover(e12, 1);
  s.cover(e01, 2);
  s.cover(e01, 3);
  s.reset(9, std::make_shared<const std::vector<edge>>(std::vector{e01}));
  CHECK(s.advances(e01, 3));
  CHECK_FALSE(s.advances(e12, 3));
  CHECK(s.sweeps_completed() == 1);
  CHECK(s.generation() == 9);
}

TEST_CASE("coverage_sweep: by any edges, one is of use between workers that are not joined yet") {
  const auto e23 = make_edge(worker_at(2), worker_at(3));
  const auto circle = std::make_shared<const std::vector<edge>>(std::vector{e01, e02, e12, e23});
  coverage_sweep s;
  s.reset(7, circle, sweep_end::all_joined);
  s.cover(e01, 1);
  s.cover(e12, 1);
  CHECK_FALSE(s.advances(e02, 2));
  CHECK_FALSE(s.learn({7, 0, 2, e02})); // no news, and so not passed on
  CHECK(s.learn({7, 0, 2, e23}));
  CHECK(s.sweep() == 1);
  CHECK(s.sweeps_completed() == 1);
  CHECK_FALSE(s.advances(e02, 2)); // committed in the round that ended the sweep
  CHECK(s.advances(e02, 3));

  // Many at once: two of a triangle are of use, the third is not, and does not begin the next sweep.
  const auto told = [&](std::uint64_t bits) {
    return threshold{7, 1, 3, std::nullopt,
                     std::make_shared<const covered_edges>(covered_edges{circle, {bits}})};
  };
  CHECK(s.learn(told(0b0111)));
  CHECK_FALSE(s.learn(told(0b0111)));
  CHECK(s.sweep() == 1);
  CHECK(s.learn(told(0b1111)));
  CHECK(s.sweep() == 2);
  CHECK(s.advances(e01, 4));
}

TEST_CASE("coverage_sweep: by any edges, who knows the same parts by other edges knows the same") {
  const auto triangle = std::make_shared<const std::vector<edge>>(std::vector{e01, e02, e12});
  coverage_sweep a;
  coverage_sweep b;
  for (auto* s : {&a, &b})
    s->reset(7, triangle, sweep_end::all_joined);
  a.cover(e01, 1);
  a.cover(e12, 2);
  b.cover(e02, 1);
  b.cover(e12, 2);
  CHECK(a.sweep() == 1);
  CHECK(b.sweep() == 1);
  CHECK_FALSE(a.learn({7, 0, 2, e12}));
}

TEST_CASE("coverage_sweep: by any edges of two parts, a sweep joins each") {
  const auto e34 = make_edge(worker_at(3), worker_at(4));
  coverage_sweep s;
  s.reset(7, std::make_shared<const std::vector<edge>>(std::vector{e01, e34}), sweep_end::all_joined);
  s.cover(e01, 1);
  CHECK(s.sweep() == 0);
  s.cover(e34, 1);
  CHECK(s.sweep() == 1);
}

TEST_CASE("coverage_sweep: a worker alone has nothing to cover") {
  coverage_sweep s;
  s.reset(1, std::make_shared<const std::vector<edge>>());
  CHECK_FALSE(s.advances(e01, 1));
  CHECK_FALSE(s.learn({1, 0, 1, e01}));
  CHECK(s.sweeps_completed() == 0);
}
