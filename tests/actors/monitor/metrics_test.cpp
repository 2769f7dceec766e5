#include "actors/monitor/local_monitor.hpp"
#include "actors/monitor/monitor.hpp"
#include "actors/reporting/reporter.hpp"
#include "tests/actors/support/fakes.hpp"
#include "tests/actors/support/test_system.hpp"

#include <doctest/doctest.h>

#include <algorithm>

// How a process tells monitors how its workers stand: the reporter, and the monitor of a run on one host.

namespace dybw::test {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto zero = worker_at(0);
constexpr auto one = worker_at(1);

parameter_block block_of(const std::vector<float>& values) {
  auto buffer = std::make_shared<float_buffer>(values.size());
  std::ranges::copy(values, buffer->values().begin());
  return parameter_block{std::move(buffer)};
}

/// A reporter with two fake workers on an edge, who stand at 0 and 2 in every coordinate.
struct watched_pair {
  watched_pair() {
    reporter_options options;
    options.graph = std::make_shared<const topology>(make_topology("path", 2, 1));
    options.seed = 1;
    handle = actors.spawn(reporter, options);
    for (std::size_t i = 0; i < 2; ++i) {
      inboxes.push_back(std::make_shared<letters>());
      auto& in = *inboxes.back();
      in.answer.worker = in.status.worker = worker_at(i);
      in.answer.parameters = block_of(std::vector<float>(100, i == 0 ? 0.0F : 2.0F));
      in.status.machine.phase = phase::gathering;
      in.status.machine.round = 7;
      in.status.machine.since = seconds{3};
      in.status.machine.timeout = seconds{9};
      in.status.machine.waiting_for = {{worker_at(1 - i), wait_cause::kind::estimate, seconds{3}}};
      in.status.counters.steps_used = 6;
      in.status.counters.estimates_late = 2;
      in.status.now = seconds{5};
      workers.push_back(actors.spawn(fake_worker, inboxes.back()));
    }
    actors.tell(handle, watch_workers{workers, std::chrono::steady_clock::now()});
  }
  process_metrics_ptr ask(bool sketch = false) {
    return actors.ask<process_metrics_ptr>(handle, metrics_wanted{sketch});
  }
  void report(worker_id worker, round_number round) {
    round_report r;
    r.mixed.worker = worker;
    r.mixed.round = round;
    r.mixed.own_weight = 0.5;
    r.mixed.committed = {{worker == zero ? one : zero, 0.5}};
    r.joined = milliseconds{30};
    r.done = milliseconds{50};
    r.compute = milliseconds{30};
    r.degree = r.accepted = 1;
    r.loss = 0.5;
    actors.tell(handle, r);
  }

  test_system actors;
  reporter_actor handle;
  std::vector<letters_ptr> inboxes;
  std::vector<worker_actor> workers;
};

} // namespace

TEST_CASE("reporter: tells monitors counters from the reports and what the workers say themselves") {
  watched_pair run;
  for (round_number round = 1; round <= 3; ++round) {
    run.report(zero, round);
    run.report(one, round);
  }
  const auto x = run.ask();
  REQUIRE(x->workers.size() == 2);
  const auto& w = x->workers[1];
  CHECK(w.worker == one);
  CHECK(w.rounds == 3);
  CHECK(w.loss == doctest::Approx(1.5));
  CHECK(w.compute == milliseconds{90});
  CHECK(w.wait == milliseconds{60});
  CHECK(w.backup_workers == 0);
  CHECK(w.answers);
  CHECK(w.local_steps == 6);
  CHECK(w.estimates_late == 2);
  CHECK(w.phase == phase::gathering);
  CHECK(w.round == 7);
  CHECK(w.in_phase == seconds{2});
  CHECK(*w.timeout_in == seconds{4});
  REQUIRE(w.waits.size() == 1);
  CHECK(w.waits[0].neighbour == zero);
  CHECK(w.waits[0].waited == seconds{2});
  REQUIRE(x->edges.size() == 1);
  CHECK(x->edges[0].committed == 3); // once, not at both ends
  CHECK_FALSE(x->sketch);
  CHECK(run.inboxes[0]->snapshots == 0); // not asked for
}

TEST_CASE("reporter: a sketch gives the consensus distance of its workers") {
  watched_pair run;
  const auto x = run.ask(true);
  REQUIRE(x->sketch);
  CHECK(x->sketch->estimates == 2);
  CHECK(*x->sketch->consensus_distance() == doctest::Approx(100)); // one from the mean in 100 coordinates
}

TEST_CASE("reporter: monitors that ask at about the same time share an answer, and sketches are rationed") {
  watched_pair run;
  const auto first = run.ask(true);
  CHECK(run.ask() == first);
  CHECK(run.ask(true) == first); // no new sketch so soon
  CHECK(run.inboxes[0]->statuses == 1);
  CHECK(run.inboxes[0]->snapshots == 1);
  run.actors.advance(reporter_state::metrics_age_max);
  const auto second = run.ask(true);
  CHECK(second != first);
  CHECK_FALSE(second->sketch);
  CHECK(run.inboxes[0]->statuses == 2);
  CHECK(run.inboxes[0]->snapshots == 1);
  run.actors.advance(seconds{30});
  CHECK(run.ask(true)->sketch);
  CHECK(run.inboxes[0]->snapshots == 2);
}

TEST_CASE("reporter: a worker that is gone is told as lost, with what is known of it") {
  watched_pair run;
  run.report(one, 1);
  run.actors.kill(run.workers[1]);
  const auto x = run.ask(true);
  CHECK(x->workers[1].lost);
  CHECK_FALSE(x->workers[1].answers);
  CHECK(x->workers[1].rounds == 1);
  CHECK_FALSE(x->workers[0].lost);
  CHECK(x->sketch->estimates == 1);
}

TEST_CASE("reporter: without a worker of its own it has little to tell, and does not wait") {
  test_system actors;
  reporter_options options;
  options.graph = std::make_shared<const topology>(make_topology("path", 2, 1));
  const auto handle = actors.spawn(reporter, options);
  const auto x = actors.ask<process_metrics_ptr>(handle, metrics_wanted{true});
  CHECK(x->workers.empty());
  CHECK(x->edges.empty());
}

TEST_CASE("local_monitor: is idle before a run, shows it while it lasts, and keeps its end") {
  watched_pair run;
  const auto monitor = run.actors.spawn(local_monitor, monitor_state::looks_for);
  const auto view = [&] { return run.actors.ask<run_view_ptr>(monitor, view_wanted{}); };
  CHECK(view()->now == run_view::state::idle);
  watch_plan plan;
  plan.policy = "full";
  plan.nodes = {"this host"};
  plan.placement = {0, 0};
  plan.edges = {{zero, one}};
  run.actors.tell(monitor, watch_run{plan, run.handle});
  run.report(zero, 1);
  run.report(one, 1);
  for (auto i = 0; i < 20; ++i)
    run.actors.advance(milliseconds{50});
  auto v = view();
  CHECK(v->now == run_view::state::running);
  CHECK(v->workers[1].rounds == 1);
  CHECK(v->workers[1].standing == worker_standing::working);
  CHECK(v->waits.size() == 2);
  CHECK(*v->consensus_distance == doctest::Approx(100));
  run.actors.kill(run.handle, caf::exit_reason::user_shutdown);
  v = view();
  CHECK(v->now == run_view::state::over);
  CHECK(v->workers[1].rounds == 1);
}

} // namespace dybw::test
