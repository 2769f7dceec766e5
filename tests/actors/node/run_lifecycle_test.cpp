#include "actors/node/run_lifecycle.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

namespace {

using phase = run_lifecycle::phase;
using verdict = run_lifecycle::stop_verdict;

constexpr auto launcher = connection_id{7};

/// Four workers, two of them on node 1, which this is.
run_spec spec_of(run_id run) {
  run_spec spec;
  spec.run = run;
  spec.self = node_at(1);
  spec.config.workers = 4;
  spec.config.policies = {"dtur"};
  spec.nodes.resize(3);
  spec.placement = {node_at(0), node_at(1), node_at(2), node_at(1)};
  spec.name = "evening/dtur";
  return spec;
}

/// A node that has come as far as `to`.
run_lifecycle served(phase to, run_id run = 5) {
  run_lifecycle node{0};
  node.advertise({"10.0.0.2", 7400});
  if (to >= phase::preparing)
    CHECK_FALSE(node.prepare(spec_of(run), launcher, "12:30:00"));
  if (to >= phase::prepared)
    CHECK(node.prepared(run));
  if (to >= phase::linking)
    CHECK_FALSE(node.connect(run));
  if (to >= phase::linked)
    node.linked();
  if (to >= phase::running)
    CHECK_FALSE(node.begin(run));
  if (to >= phase::finishing)
    node.finishing();
  CHECK(node.now() == to);
  return node;
}

constexpr phase all_but_idle[] = {phase::preparing, phase::prepared, phase::linking,
                                  phase::linked,    phase::running,  phase::finishing};

} // namespace

TEST_CASE("run_lifecycle: a run goes from idle to idle, and the next one is served after it") {
  auto node = served(phase::finishing);
  CHECK(node.workers_here() == std::vector<worker_id>{worker_at(1), worker_at(3)});
  node.let_go();
  CHECK(node.now() == phase::idle);
  CHECK_FALSE(node.prepare(spec_of(6), launcher, "13:00:00"));
  CHECK(node.serves(6));
}

TEST_CASE(
    "run_lifecycle: while it serves a run, another one is refused with its name, its time and the remedy") {
  for (const auto p : all_but_idle) {
    auto node = served(p);
    const auto refused = node.prepare(spec_of(6), connection_id{8}, "12:31:00");
    REQUIRE(refused);
    CHECK(refused->line == "it is busy with run evening/dtur since 12:30:00; wait for its end, or stop it "
                           "with `dybw stop 10.0.0.2:7400` and the options by which you reach it");
    CHECK(refused->exit_code == 4);
    CHECK(node.serves(5));
    CHECK(node.now() == p);
  }
}

TEST_CASE(
    "run_lifecycle: more workers than slots are refused, as many are not, no worker at all is refused") {
  run_lifecycle one{1};
  const auto refused = one.prepare(spec_of(5), launcher, "");
  REQUIRE(refused);
  CHECK(refused->exit_code == 2);
  CHECK(refused->line.find("2 workers and has 1 slots") != std::string::npos);
  CHECK(one.now() == phase::idle);
  run_lifecycle two{2};
  CHECK_FALSE(two.prepare(spec_of(5), launcher, ""));
  auto elsewhere = spec_of(5);
  elsewhere.placement.assign(4, node_at(0));
  run_lifecycle none{0};
  CHECK(none.prepare(elsewhere, launcher, "")->exit_code == 2);
}

TEST_CASE("run_lifecycle: connecting and beginning come in their turn and for their run only") {
  for (const auto p : all_but_idle) {
    CHECK(served(p).connect(5).has_value() == (p != phase::prepared));
    CHECK(served(p).begin(5).has_value() == (p != phase::linked));
    CHECK(served(p).connect(4).has_value());
    CHECK(served(p).begin(4).has_value());
  }
  auto idle = served(phase::idle);
  CHECK(idle.connect(5)->line.find("does not have") != std::string::npos);
  CHECK(served(phase::linking).begin(5)->line.find("preparing") != std::string::npos);
}

TEST_CASE(
    "run_lifecycle: a run that has not begun goes with the connection that prepared it, another one stays") {
  for (const auto p : all_but_idle) {
    auto node = served(p);
    CHECK_FALSE(node.closed(connection_id{8}));
    CHECK(node.closed(launcher) == (p < phase::running));
    CHECK(node.abandon(5) == (p < phase::running));
    CHECK_FALSE(node.abandon(4));
  }
  auto idle = served(phase::idle);
  CHECK_FALSE(idle.closed(launcher));
}

TEST_CASE("run_lifecycle: data that comes after the run was let go is not wanted any more") {
  auto node = served(phase::preparing);
  node.let_go();
  CHECK_FALSE(node.prepared(5));
  CHECK_FALSE(node.prepare(spec_of(6), launcher, ""));
  CHECK_FALSE(node.prepared(5));
  CHECK(node.prepared(6));
}

TEST_CASE(
    "run_lifecycle: a stop ends a run once, lets go of one that has not begun, and says when there is none") {
  CHECK(served(phase::idle).stop(0) == verdict::no_run);
  CHECK(served(phase::idle).no_run_text(0) == "no run to stop at 10.0.0.2:7400: it is idle");
  for (const auto p : all_but_idle)
    for (const run_id run : {0, 5}) {
      auto node = served(p);
      const auto expected = p < phase::running     ? verdict::let_go
                            : p < phase::finishing ? verdict::stop
                                                   : verdict::nothing;
      CHECK(node.stop(run) == expected);
      CHECK(node.stopping() == (expected == verdict::stop));
      CHECK(node.stop(4) == verdict::no_run);
      if (expected == verdict::stop)
        CHECK(node.stop(run) == verdict::nothing);
    }
}

TEST_CASE("run_lifecycle: a run with no policy, or with several, is refused") {
  for (const std::vector<std::string>& policies : {std::vector<std::string>{}, {"full", "dtur"}}) {
    auto spec = spec_of(5);
    spec.config.policies = policies;
    run_lifecycle node{0};
    const auto refused = node.prepare(spec, launcher, "");
    REQUIRE(refused);
    CHECK(refused->exit_code == 2);
    CHECK(node.now() == phase::idle);
  }
}

} // namespace dybw::test
