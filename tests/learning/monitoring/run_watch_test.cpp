#include "learning/monitoring/run_watch.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace dybw::test {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using severity = event_view::severity;

/// Four workers on a ring over two nodes: 0 and 2 on the first, 1 and 3 on the second.
watch_plan ring_of_four() {
  watch_plan plan;
  plan.name = "run";
  plan.policy = "full";
  plan.edges = {{worker_at(0), worker_at(1)},
                {worker_at(0), worker_at(3)},
                {worker_at(1), worker_at(2)},
                {worker_at(2), worker_at(3)}};
  plan.nodes = {"a:1", "b:2"};
  plan.placement = {0, 1, 0, 1};
  plan.time_limit_s = 20;
  return plan;
}

/// A worker that has done `rounds` rounds of 60 ms computing and 40 ms waiting each.
worker_metrics steady(std::size_t id, std::uint64_t rounds) {
  worker_metrics w;
  w.worker = worker_at(id);
  w.answers = true;
  w.rounds = w.gradients = w.local_steps = rounds;
  w.round = rounds;
  w.compute = milliseconds{60} * rounds;
  w.wait = milliseconds{40} * rounds;
  w.backup_workers = rounds / 2;
  w.loss = 0.5 * static_cast<double>(rounds);
  w.phase = phase::computing;
  w.in_phase = milliseconds{20};
  w.component = 4;
  return w;
}

/// A run that goes on at ten rounds a second, told by both nodes four times a second.
struct scene {
  explicit scene(watch_plan plan = ring_of_four()) : watch(std::move(plan)) {}

  process_metrics of_node(std::size_t node) const {
    process_metrics x;
    x.elapsed = elapsed;
    const auto rounds = static_cast<std::uint64_t>(elapsed / milliseconds{100});
    for (auto id : {node, node + 2})
      x.workers.push_back(steady(id, rounds));
    if (node == 0)
      x.edges = {{{worker_at(0), worker_at(1)}, rounds}, {{worker_at(0), worker_at(3)}, rounds / 2}};
    x.cpu_s = 2;
    x.leads = node == 0;
    return x;
  }

  template <class Change>
  void go_on(nanoseconds time, Change change) {
    for (auto passed = nanoseconds{0}; passed < time; passed += milliseconds{250}) {
      now += milliseconds{250};
      elapsed += milliseconds{250};
      for (std::size_t node = 0; node < 2; ++node) {
        auto x = of_node(node);
        watch.asked(node, now);
        if (change(node, x))
          watch.take(node, now, x);
      }
      watch.tick(now);
    }
  }
  void go_on(nanoseconds time) {
    go_on(time, [](std::size_t, process_metrics&) { return true; });
  }

  bool happened(severity how, const std::string& part) const {
    const auto events = watch.view(now).events;
    return std::any_of(events.begin(), events.end(), [&](const event_view& e) {
      return e.how == how && e.text.find(part) != std::string::npos;
    });
  }

  run_watch watch;
  nanoseconds now{seconds{1000}}; ///< the monitor's clock has nothing to do with the run's
  nanoseconds elapsed{0};
};

} // namespace

TEST_CASE(
    "run_watch: gradient steps are counted each where rounds are made of several, and time is that of one") {
  scene s;
  const auto go_on = [&](std::uint64_t of_worker_3) {
    s.go_on(seconds{10}, [&](std::size_t, process_metrics& x) {
      for (auto& w : x.workers) {
        w.gradients = w.local_steps = (index_of(w.worker) == 3 ? of_worker_3 : 6) * w.rounds;
        w.compute = milliseconds{60} * w.rounds;
      }
      return true;
    });
  };
  go_on(2);
  const auto v = s.watch.view(s.now);
  CHECK(v.local_steps == 100 * (3 * 6 + 2));
  CHECK(v.steps_per_s == doctest::Approx(200).epsilon(0.02));
  CHECK(v.workers[0].step_s == doctest::Approx(0.01).epsilon(0.05));
  CHECK(v.workers[3].step_s == doctest::Approx(0.03).epsilon(0.05));
  CHECK(v.workers[3].round_s == doctest::Approx(0.1).epsilon(0.05));
  CHECK(v.no_wait_per_s == doctest::Approx(3 / 0.01 + 1 / 0.03).epsilon(0.02));
  CHECK(v.workers[3].straggler); // though its rounds are no longer
  CHECK_FALSE(v.workers[0].straggler);
}

TEST_CASE("run_watch: rates and shares of a steady run are those of the run") {
  scene s;
  s.go_on(seconds{10});
  const auto v = s.watch.view(s.now);
  CHECK(v.now == run_view::state::running);
  CHECK(v.elapsed_s == doctest::Approx(10));
  CHECK(*v.fraction == doctest::Approx(0.5));
  CHECK(*v.remaining_s == doctest::Approx(10));
  CHECK(v.newest_round == 100);
  CHECK(v.local_steps == 400);
  CHECK(v.steps_per_s == doctest::Approx(40).epsilon(0.02));
  CHECK(v.no_wait_per_s == doctest::Approx(4 / 0.06).epsilon(0.02));
  CHECK(*v.loss == doctest::Approx(0.5).epsilon(0.01));
  CHECK(v.wait_share == doctest::Approx(0.4).epsilon(0.01));
  CHECK(v.backup_workers == doctest::Approx(0.5).epsilon(0.05));
  REQUIRE(v.workers.size() == 4);
  CHECK(v.workers[3].node == 1);
  CHECK(v.workers[3].round_s == doctest::Approx(0.1).epsilon(0.05));
  CHECK(v.workers[3].step_s == doctest::Approx(0.06).epsilon(0.05));
  CHECK(v.workers[3].neighbours == 2);
  CHECK_FALSE(v.workers[3].straggler);
  CHECK(v.workers[3].recent_round_s.size() >= 15);
  CHECK(v.workers[3].recent_round_s.back() == doctest::Approx(0.1).epsilon(0.3));
  CHECK(v.edges[0].recent_per_s == doctest::Approx(10).epsilon(0.05));
  CHECK(v.edges[1].recent_per_s == doctest::Approx(5).epsilon(0.1));
  CHECK(v.edges[0].up);
  CHECK(v.nodes[0].leads);
  CHECK(v.nodes[1].workers == 2);
  CHECK(v.parts == 1);
  CHECK(v.events.empty());
  CHECK(v.history.size() >= 18);
}

TEST_CASE("run_watch: who attaches late sees the means since the start at once, and then what is new") {
  scene s;
  s.elapsed = seconds{600};
  s.go_on(milliseconds{250});
  CHECK(s.watch.view(s.now).steps_per_s == doctest::Approx(40).epsilon(0.02));
  // From now on nobody waits any more.
  auto rounds = s.elapsed / milliseconds{100};
  s.go_on(seconds{10}, [&](std::size_t, process_metrics& x) {
    for (auto& w : x.workers)
      w.wait = milliseconds{40} * rounds;
    return true;
  });
  CHECK(s.watch.view(s.now).wait_share < 0.01);
}

TEST_CASE("run_watch: a worker whose steps take twice the median is the straggler") {
  scene s;
  s.go_on(seconds{4}, [](std::size_t node, process_metrics& x) {
    if (node == 1)
      x.workers[1].compute *= 3;
    return true;
  });
  const auto v = s.watch.view(s.now);
  CHECK(v.workers[3].straggler);
  CHECK(std::count_if(v.workers.begin(), v.workers.end(), [](const auto& w) { return w.straggler; }) == 1);
}

TEST_CASE("run_watch: a few long steps of late make no straggler, many do") {
  scene s;
  s.go_on(seconds{30}, [&](std::size_t node, process_metrics& x) {
    for (auto& w : x.workers)
      w.rounds = w.round = static_cast<std::uint64_t>(s.elapsed / seconds{1});
    for (auto& w : x.workers) // one step a second, which is too few to tell from the last two seconds
      w.compute =
          milliseconds{300} * w.rounds + (node == 1 && w.rounds > 28 ? milliseconds{800} : milliseconds{0});
    return true;
  });
  auto v = s.watch.view(s.now);
  CHECK(std::none_of(v.workers.begin(), v.workers.end(), [](const auto& w) { return w.straggler; }));
  scene t;
  t.go_on(seconds{20});
  t.go_on(seconds{6}, [&](std::size_t node, process_metrics& x) {
    if (node == 1) // a burst: from here on three times as long
      x.workers[0].compute += 2 * (x.workers[0].compute - milliseconds{60} * 200);
    return true;
  });
  v = t.watch.view(t.now);
  CHECK(v.workers[1].straggler);
}

TEST_CASE("run_watch: a node that does not answer is silent within a second, and named") {
  scene s;
  s.go_on(seconds{2});
  s.now += milliseconds{250};
  s.watch.asked(1, s.now);
  for (auto i = 0; i < 4; ++i) {
    s.now += milliseconds{250};
    s.watch.asked(0, s.now);
    s.elapsed += milliseconds{250};
    s.watch.take(0, s.now, s.of_node(0));
    s.watch.tick(s.now);
  }
  auto v = s.watch.view(s.now);
  CHECK(v.now == run_view::state::running);
  CHECK(v.nodes[1].silent_s == doctest::Approx(1));
  CHECK(v.nodes[0].silent_s == 0);
  CHECK(v.workers[1].standing == worker_standing::silent);
  CHECK(v.workers[0].standing == worker_standing::working);
  CHECK_FALSE(v.edges[0].up);
  CHECK(s.happened(severity::warning, "node b:2 has not answered for"));
  s.go_on(milliseconds{500});
  v = s.watch.view(s.now);
  CHECK(v.workers[1].standing == worker_standing::working);
  CHECK(s.happened(severity::info, "node b:2 answers again"));
}

TEST_CASE("run_watch: when no node can be reached the run is lost to the monitor, and the reason is told") {
  scene s;
  s.go_on(seconds{2});
  s.watch.unreachable(1, s.now, "refused");
  CHECK(s.watch.view(s.now).now == run_view::state::running);
  CHECK(s.watch.view(s.now).workers[1].standing == worker_standing::lost);
  s.watch.unreachable(0, s.now, "refused");
  s.watch.unreachable(0, s.now, "refused"); // told once
  const auto v = s.watch.view(s.now);
  CHECK(v.now == run_view::state::lost);
  CHECK(v.trouble == "refused");
  CHECK(v.events.size() == 2);
  s.go_on(milliseconds{250});
  CHECK(s.watch.view(s.now).now == run_view::state::running);
}

TEST_CASE("run_watch: a run of which no node has answered yet is not lost") {
  scene s;
  CHECK(s.watch.view(s.now).now == run_view::state::running);
  CHECK_FALSE(s.watch.view(s.now).nodes[0].reachable);
  s.watch.unreachable(0, s.now, "refused");
  CHECK(s.watch.view(s.now).now == run_view::state::running);
  s.watch.unreachable(1, s.now, "refused");
  CHECK(s.watch.view(s.now).now == run_view::state::lost);
}

TEST_CASE("run_watch: waits come longest first, with what is left of the timeout") {
  scene s;
  s.go_on(seconds{1}, [](std::size_t node, process_metrics& x) {
    auto& w = x.workers[0];
    w.phase = phase::gathering;
    w.waits = {{worker_at(3), wait_cause::kind::estimate, node == 0 ? milliseconds{900} : milliseconds{100}}};
    w.timeout_in = seconds{9};
    return true;
  });
  const auto v = s.watch.view(s.now + milliseconds{100});
  REQUIRE(v.waits.size() == 2);
  CHECK(v.waits[0].who == worker_at(0));
  CHECK(v.waits[0].whom == worker_at(3));
  CHECK(v.waits[0].waited_s == doctest::Approx(0.9));
  CHECK(*v.waits[0].timeout_in_s == doctest::Approx(8.9));
  CHECK(v.waits[1].who == worker_at(1));
}

TEST_CASE("run_watch: a long wait is a stall, told once for each round, with its cause") {
  scene s;
  const auto stalled = [](std::size_t node, process_metrics& x) {
    if (node == 0) {
      x.workers[0].phase = phase::gathering;
      x.workers[0].round = 7;
      x.workers[0].in_phase = milliseconds{2100};
      x.workers[0].waits = {{worker_at(3), wait_cause::kind::estimate, milliseconds{2100}}};
    }
    return true;
  };
  s.go_on(seconds{2}, stalled);
  CHECK(s.happened(severity::warning, "worker 0 has waited 2.1 s for worker 3 in round 7"));
  CHECK(s.watch.view(s.now).events.size() == 1);
  CHECK(s.watch.view(s.now).workers[0].wait_share > 0.6);
}

TEST_CASE("run_watch: losses, returns, restarts, timeouts and failures are events") {
  scene s;
  s.go_on(seconds{1});
  const auto with = [&](auto change) {
    s.go_on(milliseconds{250}, [&](std::size_t node, process_metrics& x) {
      if (node == 0)
        change(x);
      return true;
    });
  };
  with([](process_metrics& x) { x.workers[0].lost = true; });
  CHECK(s.happened(severity::error, "worker 0 is lost"));
  with([](process_metrics&) {});
  CHECK(s.happened(severity::info, "worker 0 is back"));
  with([](process_metrics& x) { x.workers[1].timeouts = 2; });
  CHECK(s.happened(severity::warning, "worker 2 closed a round by timeout"));
  with([](process_metrics& x) { x.workers[0] = steady(0, 1); });
  CHECK(s.happened(severity::info, "worker 0 was started again"));
  with([](process_metrics& x) { x.failure = "the loss is no longer a number"; });
  CHECK(s.happened(severity::error, "the loss is no longer a number"));
  CHECK(s.watch.view(s.now).failure == "the loss is no longer a number");
}

TEST_CASE("run_watch: after a restart rates count from the worker's new beginning") {
  scene s;
  s.go_on(seconds{10});
  s.go_on(seconds{4}, [&](std::size_t node, process_metrics& x) {
    if (node == 0)
      x.workers[0] = steady(0, static_cast<std::uint64_t>((s.elapsed - seconds{10}) / milliseconds{100}));
    return true;
  });
  const auto v = s.watch.view(s.now);
  CHECK(v.workers[0].rounds == 40);
  CHECK(v.workers[0].round_s == doctest::Approx(0.1).epsilon(0.05));
  CHECK(v.workers[0].wait_share == doctest::Approx(0.4).epsilon(0.05));
}

TEST_CASE("run_watch: a network in two parts is told, and told again when it is whole") {
  scene s;
  s.go_on(seconds{1});
  s.go_on(seconds{1}, [](std::size_t node, process_metrics& x) {
    for (auto& w : x.workers) {
      w.component = 2;
      w.lowest = worker_at(node);
    }
    return true;
  });
  CHECK(s.watch.view(s.now).parts == 2);
  CHECK(s.happened(severity::warning, "fallen into 2 parts"));
  CHECK_FALSE(s.watch.view(s.now).edges[0].up);
  s.go_on(milliseconds{250});
  CHECK(s.watch.view(s.now).parts == 1);
  CHECK(s.happened(severity::info, "in touch again"));
}

TEST_CASE("run_watch: consensus distance needs the sketches of all nodes at about one moment") {
  scene s;
  sketch_sums one;
  std::vector<double> sketch(sketch_projection::buckets);
  sketch[0] = 1;
  one.add(sketch);
  s.go_on(milliseconds{250}, [&](std::size_t node, process_metrics& x) {
    x.sketch = one;
    if (node == 1)
      x.sketch->sum[0] = 3, x.sketch->squared_norms = 9;
    return true;
  });
  const auto v = s.watch.view(s.now);
  CHECK(*v.consensus_distance == doctest::Approx(1)); // 1 and 3, mean 2
  CHECK(*v.mean_norm == doctest::Approx(2));
  s.go_on(seconds{6}, [&](std::size_t node, process_metrics& x) {
    if (node == 0)
      x.sketch = one;
    return true;
  });
  CHECK(*s.watch.view(s.now).consensus_distance == doctest::Approx(0));
}

TEST_CASE("run_watch: the newest evaluation counts, and reaching the target is an event") {
  auto plan = ring_of_four();
  plan.target_accuracy = 0.9;
  scene s{plan};
  const auto measured = [&](double time_s, double accuracy) {
    s.go_on(milliseconds{250}, [&](std::size_t node, process_metrics& x) {
      if (node == 0)
        x.newest_evaluation = evaluation{time_s, 1, accuracy, 0.3, 0.8, 0, 0};
      return true;
    });
  };
  measured(1, 0.5);
  measured(2, 0.91);
  measured(1, 0.5);
  CHECK(s.watch.view(s.now).newest_evaluation->test_accuracy == 0.91);
  CHECK(s.happened(severity::info, "target accuracy is reached"));
}

TEST_CASE("run_watch: a run is over when every worker is, or when its nodes have let go of it") {
  scene s;
  s.go_on(seconds{1}, [](std::size_t, process_metrics& x) {
    for (auto& w : x.workers)
      w.done = true;
    return true;
  });
  CHECK(s.watch.view(s.now).now == run_view::state::over);
  CHECK(s.watch.view(s.now).workers[0].standing == worker_standing::done);
  scene t;
  t.go_on(seconds{1});
  t.watch.over(t.now);
  t.watch.unreachable(0, t.now, "gone");
  const auto v = t.watch.view(t.now + seconds{5});
  CHECK(v.now == run_view::state::over);
  CHECK(*v.fraction == 1);
  CHECK(v.elapsed_s == doctest::Approx(1));
}

TEST_CASE("run_watch: when a run is over its figures are means of all of it, and stay so") {
  scene s;
  s.go_on(seconds{10});
  const auto done = [&](std::size_t, process_metrics& x) {
    for (auto& w : x.workers) {
      w = steady(index_of(w.worker), 100);
      w.done = true;
      w.phase = phase::idle;
    }
    return true;
  };
  s.go_on(seconds{60}, done); // nothing is recent any more
  for (int i = 0; i < 2; ++i) {
    const auto v = s.watch.view(s.now + seconds{i * 100});
    CHECK(v.now == run_view::state::over);
    CHECK(v.steps_per_s == doctest::Approx(40));
    CHECK(v.no_wait_per_s == doctest::Approx(4 / 0.06));
    CHECK(v.wait_share == doctest::Approx(0.4));
    CHECK(v.backup_workers == doctest::Approx(0.5));
    REQUIRE(v.loss);
    CHECK(*v.loss == doctest::Approx(0.5).epsilon(0.01));
    CHECK(v.workers[2].round_s == doctest::Approx(0.1));
    CHECK(v.workers[2].step_s == doctest::Approx(0.06));
    CHECK(v.workers[2].wait_share == doctest::Approx(0.4));
    s.watch.over(s.now);
  }
}

TEST_CASE("run_watch: what another program says of workers and edges that are not there is ignored") {
  scene s;
  s.go_on(seconds{1}, [](std::size_t node, process_metrics& x) {
    x.workers.push_back(steady(99, 5));
    x.workers.push_back(steady(node == 0 ? 1 : 0, 1'000'000)); // lives on the other node
    x.edges.push_back({{worker_at(0), worker_at(2)}, 5});
    return true;
  });
  const auto v = s.watch.view(s.now);
  CHECK(v.workers.size() == 4);
  CHECK(v.workers[1].rounds == 10);
  CHECK(v.edges.size() == 4);
}

TEST_CASE("run_watch: events and history stay bounded, the newest events stay") {
  scene s;
  std::uint64_t timeouts = 0;
  s.go_on(seconds{600}, [&](std::size_t node, process_metrics& x) {
    if (node == 0)
      x.workers[0].timeouts = ++timeouts;
    return true;
  });
  const auto v = s.watch.view(s.now);
  CHECK(v.events.size() == run_view::events_max);
  CHECK(v.events_before > 2000);
  CHECK(v.events.back().time_s > 590);
  CHECK(v.history.size() <= run_view::history_max);
  CHECK(v.history.front().time_s < 2);
  CHECK(v.history.back().time_s > 595);
  CHECK(std::is_sorted(v.history.begin(), v.history.end(),
                       [](const auto& a, const auto& b) { return a.time_s < b.time_s; }));
}

TEST_CASE("done_share: the larger share of rounds and time, nothing without a limit") {
  CHECK_FALSE(done_share(std::nullopt, std::nullopt, 5, 5));
  CHECK(*done_share(100, std::nullopt, 25, 5) == doctest::Approx(0.25));
  CHECK(*done_share(100, 10, 25, 5) == doctest::Approx(0.5));
}

} // namespace dybw::test
