#include "learning/simulation/network_simulation.hpp"

#include "learning/graph/topology.hpp"
#include "learning/straggler/step_time.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

using namespace dybw;
using namespace std::chrono_literals;

namespace {

simulation_options options_for(const std::string& graph, std::size_t workers, const std::string& policy,
                               round_number rounds) {
  simulation_options o;
  auto g = std::make_shared<const topology>(make_topology(graph, workers, 1));
  o.machine.policy = parse_policy(policy, g->smallest_degree(), worker_id{});
  o.machine.graph = std::move(g);
  o.machine.last_round = rounds;
  o.step_time = [](worker_id, nanoseconds) { return nanoseconds{1s}; };
  o.latency = [](const link_use&, nanoseconds) { return nanoseconds{100ms}; };
  return o;
}

/// Every worker starts at its number and steps add nothing.
struct numbers final : simulated_model {
  estimate_handle start(worker_id id) override {
    return std::make_shared<const double>(static_cast<double>(index_of(id)));
  }
  estimate_handle step(worker_id, const estimate_handle& estimate) override { return estimate; }
  estimate_handle mix(worker_id, const estimate_handle& own, std::span<const weighted_estimate> others,
                      std::uint64_t) override {
    auto x = value(own);
    for (const auto& o : others)
      x += o.weight * (value(o.estimate) - value(own));
    return std::make_shared<const double>(x);
  }
  estimate_handle without_step(worker_id, const estimate_handle& now, const estimate_handle&,
                               const estimate_handle&, double) override {
    return now;
  }
  estimate_handle step_onto(worker_id, const step_start&, const estimate_handle& onto,
                            const take_step&) override {
    return onto;
  }
  estimate_handle absorb(worker_id, const estimate_handle& own, const estimate_handle& theirs,
                         const estimate_handle& mine, const exchange_half& half) override {
    return std::make_shared<const double>(value(own) + half.weight * (value(theirs) - value(mine)));
  }
  estimate_witness look(const estimate_handle& estimate) override {
    return {value(estimate), value(estimate)};
  }
  static double value(const estimate_handle& estimate) { return *static_cast<const double*>(estimate.get()); }
};

struct recorder final : simulation_observer {
  explicit recorder(const simulation_options& o) : audit(o.machine.graph) {}
  void round_done(nanoseconds now, const round_record& r, const mix_report& report) override {
    done.emplace_back(now, report.worker, r.round);
    if (!r.committed.empty())
      mixed.push_back(done.back());
    timed_out += r.timed_out ? 1 : 0;
    audit.add(report);
  }
  void finished(nanoseconds, worker_id id, const dybw::finished&) override { audit.left(id); }
  void crashed(nanoseconds, worker_id id) override { audit.lost(id); }
  void restarted(nanoseconds, worker_id id, round_number) override {
    audit.back(id);
    restarts.push_back(id);
  }
  void stepped(nanoseconds, worker_id id, const event& e, const std::vector<effect>&) override {
    if (std::holds_alternative<paused>(e))
      ++pauses;
    if (std::holds_alternative<neighbour_lost>(e))
      losses.push_back(id);
  }

  mixing_audit audit;
  std::vector<std::tuple<nanoseconds, worker_id, round_number>> done;
  std::vector<std::tuple<nanoseconds, worker_id, round_number>>
      mixed; ///< of those, with at least one neighbour
  std::vector<worker_id> losses;
  std::vector<worker_id> restarts;
  int timed_out = 0;
  int pauses = 0;
};

const auto a = worker_at(0);
const auto b = worker_at(1);

} // namespace

TEST_CASE("network_simulation: a pair's full round takes a step, an estimate's way and an answer's") {
  const auto o = options_for("ring", 2, "full", 3);
  auto seen = recorder{o};
  auto sim = network_simulation{o, nullptr, &seen};
  REQUIRE(sim.run(1h));
  REQUIRE(seen.done.size() == 6);
  for (std::size_t i = 0; i < 6; ++i)
    CHECK(std::get<0>(seen.done[i]) == 1200ms * static_cast<int>(1 + i / 2));
  CHECK(sim.machine(a).completed() == 3);
}

TEST_CASE(
    "network_simulation: messages of one ordered pair arrive in the order sent, however quick the later") {
  auto o = options_for("ring", 2, "full", 20);
  auto slow = true;
  o.latency = [&slow](const link_use&, nanoseconds) {
    slow = !slow;
    return slow ? nanoseconds{900ms} : nanoseconds{0};
  };
  auto seen = recorder{o};
  auto sim = network_simulation{o, nullptr, &seen};
  REQUIRE(sim.run(1h));
  CHECK(seen.audit.summary().clean());
  CHECK(seen.audit.summary().edges_lost == 0);
  CHECK(seen.audit.mean_active_share() == 1);
}

TEST_CASE("network_simulation: averaging brings all to the mean and does not move it") {
  for (const auto* policy : {"full", "dtur"}) { // static never mixes with those it left behind
    const auto o = options_for("torus:3x4", 12, policy, 300);
    auto model = numbers{};
    auto seen = recorder{o};
    auto sim = network_simulation{o, &model, &seen};
    REQUIRE(sim.run(24h));
    for (std::size_t i = 0; i < 12; ++i)
      CHECK(numbers::value(sim.estimate_of(worker_at(i))) == doctest::Approx(5.5).epsilon(1e-3));
    CHECK(seen.audit.summary().clean());
  }
}

TEST_CASE("network_simulation: the same options give the same run, bit for bit") {
  const auto run = [](std::uint64_t seed) {
    auto o = options_for("circulant:1,2", 10, "dtur", 30);
    auto clocks = std::make_shared<std::map<worker_id, step_clock>>();
    for (std::size_t i = 0; i < 10; ++i)
      clocks->emplace(worker_at(i),
                      step_clock{"shifted-exp:0.5,0.5", "random:0.1:5", 10, worker_at(i), seed});
    o.step_time = [clocks](worker_id id, nanoseconds now) { return clocks->at(id).step(now); };
    auto model = numbers{};
    auto seen = recorder{o};
    auto sim = network_simulation{o, &model, &seen};
    REQUIRE(sim.run(24h));
    std::vector<double> values;
    for (std::size_t i = 0; i < 10; ++i)
      values.push_back(numbers::value(sim.estimate_of(worker_at(i))));
    return std::pair{seen.done, values};
  };
  CHECK(run(1) == run(1));
  CHECK(run(1).first != run(2).first);
}

TEST_CASE("network_simulation: dtur leaves a straggler behind only until its edge is due") {
  auto o = options_for("complete", 6, "dtur", 60);
  o.step_time = [](worker_id id, nanoseconds) {
    return id == worker_at(5) ? nanoseconds{10s} : nanoseconds{1s};
  };
  auto seen = recorder{o};
  auto sim = network_simulation{o, nullptr, &seen};
  REQUIRE(sim.run(24h));
  const auto summary = seen.audit.summary();
  CHECK(summary.clean());
  CHECK(summary.connect_rounds_max <= 10);
  CHECK(seen.timed_out == 0);
  CHECK(sim.machine(worker_at(5)).counters().steps_used <= sim.machine(b).counters().steps_used / 2);
}

TEST_CASE("network_simulation: survivors finish after a crash that is noticed by silence only") {
  for (const auto* policy : {"full", "static:1", "dtur"}) {
    auto o = options_for("circulant:1,2", 8, policy, 40);
    o.suspect_after = 3s;
    auto seen = recorder{o};
    auto sim = network_simulation{o, nullptr, &seen};
    sim.schedule(7300ms, crash_fault{worker_at(3), false});
    REQUIRE(sim.run(1h));
    CHECK(sim.crashed(worker_at(3)));
    CHECK(seen.losses.size() >= 4);
    CHECK(seen.timed_out == 0);
    CHECK(seen.audit.summary().clean());
    CHECK_FALSE(sim.machine(a).facts().empty());
  }
}

TEST_CASE("network_simulation: a certain crash is told by a suspicion, without watching for silence") {
  const auto o = options_for("ring", 5, "full", 20);
  auto seen = recorder{o};
  auto sim = network_simulation{o, nullptr, &seen};
  sim.schedule(5s, crash_fault{worker_at(2), true});
  for (auto n : {1u, 3u})
    sim.schedule(5100ms, suspicion_fault{worker_at(n), worker_at(2), neighbour_lost::cause::crashed});
  REQUIRE(sim.run(1h));
  CHECK_FALSE(sim.machine(worker_at(0)).facts().worker_up(worker_at(2)));
}

TEST_CASE("network_simulation: a short hang delays the step by its length and loses nobody") {
  auto o = options_for("ring", 2, "full", 3);
  o.suspect_after = 3s;
  auto seen = recorder{o};
  auto sim = network_simulation{o, nullptr, &seen};
  sim.schedule(500ms, hang_fault{a, 2s, hang_fault::wake::in_due_order});
  REQUIRE(sim.run(1h));
  CHECK(seen.done.front() == std::tuple{nanoseconds{3100ms}, b, round_number{1}});
  CHECK(seen.losses.empty());
  CHECK(seen.pauses == 0);
  CHECK(seen.audit.summary().edges_lost == 0);
}

TEST_CASE("network_simulation: who hangs for long finds out itself, is given up and comes back") {
  for (const auto order :
       {hang_fault::wake::check_first, hang_fault::wake::in_due_order, hang_fault::wake::check_last}) {
    auto o = options_for("ring", 3, "full", 40);
    o.suspect_after = 3s;
    auto seen = recorder{o};
    auto sim = network_simulation{o, nullptr, &seen};
    sim.schedule(5500ms, hang_fault{a, 10s, order});
    REQUIRE(sim.run(1h));
    CHECK(seen.pauses == 1);
    CHECK(seen.losses == std::vector{b, worker_at(2)});
    CHECK(seen.audit.summary().clean());
    sim.run_on(sim.now() + 10s);
    for (auto n : {1u, 2u})
      CHECK(sim.machine(worker_at(n)).facts().usable(make_edge(a, worker_at(n))));
  }
}

TEST_CASE("network_simulation: a link that holds delivers everything, one that loses nothing of the time") {
  for (const auto how : {cut_fault::kind::holds, cut_fault::kind::loses}) {
    auto o = options_for("ring", 4, "full", 40);
    o.suspect_after = 3s;
    auto seen = recorder{o};
    auto sim = network_simulation{o, nullptr, &seen};
    for (const auto e : {make_edge(worker_at(0), worker_at(1)), make_edge(worker_at(2), worker_at(3))}) {
      sim.schedule(5050ms, cut_fault{e, how}); // into two halves
      sim.schedule(15s, mend_fault{e});
    }
    REQUIRE(sim.run(1h));
    CHECK(seen.losses.size() == 4);
    CHECK(seen.audit.summary().clean());
    const auto rounds = std::get<2>(seen.done.back());
    CHECK(rounds == 40);
    CHECK(sim.machine(a).facts().generation() == sim.machine(worker_at(3)).facts().generation());
  }
}

TEST_CASE("network_simulation: a cut shorter than suspect_after is only a delay") {
  auto o = options_for("ring", 2, "full", 10);
  o.suspect_after = 3s;
  auto seen = recorder{o};
  auto sim = network_simulation{o, nullptr, &seen};
  sim.schedule(1050ms, cut_fault{make_edge(a, b), cut_fault::kind::holds});
  sim.schedule(3s, mend_fault{make_edge(a, b)});
  REQUIRE(sim.run(1h));
  CHECK(seen.losses.empty());
  CHECK(std::get<0>(seen.done.front()) == 3200ms);
}

TEST_CASE("network_simulation: a new connection tells an end that had not noticed that the old one broke") {
  auto o = options_for("ring", 2, "full", 10);
  o.suspect_after = 3s;
  auto seen = recorder{o};
  auto sim = network_simulation{o, nullptr, &seen};
  sim.schedule(1050ms, cut_fault{make_edge(a, b), cut_fault::kind::loses});
  sim.schedule(1500ms, suspicion_fault{a, b});
  sim.schedule(1700ms, mend_fault{make_edge(a, b)});
  REQUIRE(sim.run(1h));
  CHECK(seen.losses == std::vector{a, b});
  CHECK(seen.audit.summary().clean());
}

TEST_CASE("network_simulation: two parameter blocks at most are under way on a link, whatever else is said") {
  auto o = options_for("circulant:1,2", 8, "static:3", 60);
  o.latency = [](const link_use& use, nanoseconds) {
    return use.to == worker_at(7) ? nanoseconds{20s} : nanoseconds{100ms};
  };
  auto seen = recorder{o};
  auto sim = network_simulation{o, nullptr, &seen};
  REQUIRE(sim.run(1h));
  CHECK(sim.peaks().blocks_under_way == flow_window::blocks_max);
  CHECK(sim.peaks().messages_under_way > flow_window::blocks_max);
  CHECK(seen.audit.summary().clean());
}

TEST_CASE("network_simulation: asked to stop, all leave cleanly") {
  for (const auto* policy : {"full", "static:1", "dtur"}) {
    const auto o = options_for("complete", 5, policy, ~round_number{0});
    auto seen = recorder{o};
    auto sim = network_simulation{o, nullptr, &seen};
    for (std::size_t i = 0; i < 5; ++i)
      sim.schedule(10s + i * 30ms, stop_fault{worker_at(i)});
    REQUIRE(sim.run(1h));
    CHECK(seen.audit.summary().clean());
    CHECK(seen.audit.summary().rounds_unaudited == 0);
  }
}

TEST_CASE("network_simulation: a run ends at its limit, saying that it is not finished") {
  const auto o = options_for("ring", 3, "full", 1000);
  auto sim = network_simulation{o, nullptr, nullptr};
  CHECK_FALSE(sim.run(10s));
  CHECK(sim.now() <= 10s);
  CHECK(sim.run(24h));
}

TEST_CASE("network_simulation: thousands of workers and no model at all") {
  auto o = options_for("circulant:1,2", 2000, "static:1", 10);
  auto seen = recorder{o};
  auto sim = network_simulation{o, nullptr, &seen};
  REQUIRE(sim.run(1h));
  CHECK(seen.done.size() == 20000);
  CHECK(seen.audit.summary().clean());
}

TEST_CASE(
    "network_simulation: both ends of a broken connection are told before the new one brings anything") {
  auto o = options_for("ring", 2, "full", 10);
  o.suspect_after = 3s;
  auto seen = recorder{o};
  auto sim = network_simulation{o, nullptr, &seen};
  sim.schedule(1050ms, cut_fault{make_edge(a, b), cut_fault::kind::loses});
  sim.schedule(1050ms, mend_fault{make_edge(a, b)});
  REQUIRE(sim.run(1h));
  CHECK(seen.losses.size() == 2);
  CHECK(seen.timed_out == 0);
  CHECK(seen.audit.summary().clean());
  CHECK(std::get<0>(seen.done.back()) < 14s); // the round that broke is the only one lost
}

TEST_CASE("network_simulation: a worker that is killed and joins again counts within a few rounds") {
  for (const auto* policy : {"full", "static:1", "dtur"}) {
    auto o = options_for("circulant:1,2", 6, policy, 60);
    o.suspect_after = 3s;
    auto model = numbers{};
    auto seen = recorder{o};
    auto sim = network_simulation{o, &model, &seen};
    sim.schedule(10050ms, crash_fault{b});
    sim.schedule(20050ms, restart_fault{b, {a, worker_at(2)}, 2s});
    for (auto n : o.machine.graph->neighbours(b))
      sim.schedule(21050ms, mend_fault{make_edge(b, n)});
    REQUIRE(sim.run(1h));
    CHECK(seen.restarts == std::vector{b});
    const auto joined = std::find_if(seen.mixed.begin(), seen.mixed.end(), [](const auto& x) {
      return std::get<1>(x) == b && std::get<0>(x) > 22s;
    });
    REQUIRE(joined != seen.mixed.end());
    CHECK(std::get<0>(*joined) < 30s);
    CHECK(sim.machine(b).completed() == 60);
    CHECK(seen.timed_out == 0);
    CHECK(seen.audit.summary().clean());
    CHECK(seen.audit.summary().rounds_unaudited == 0);
    CHECK(sim.machine(b).facts().generation() == sim.machine(worker_at(4)).facts().generation());
    CHECK(sim.machine(worker_at(4)).status().component == 6);
  }
}

TEST_CASE("network_simulation: without anybody to welcome it a worker stays away") {
  auto o = options_for("ring", 4, "full", 20);
  o.suspect_after = 3s;
  auto seen = recorder{o};
  auto sim = network_simulation{o, nullptr, &seen};
  for (std::size_t i = 0; i < 2; ++i)
    sim.schedule(5050ms, crash_fault{worker_at(i)});
  sim.schedule(9s, restart_fault{a, {b}, 0s}); // worker 1 is dead, too
  REQUIRE(sim.run(1h));
  CHECK(sim.crashed(a));
  CHECK(seen.restarts.empty());
}

TEST_CASE("network_simulation: a circle of false suspicions while workers wait for each other's end does not "
          "hold") {
  for (const auto stops : {false, true}) {
    auto o = options_for("ring", 3, "adaptive", 20);
    o.suspect_after = 6s;
    o.step_time = [](worker_id id, nanoseconds) {
      return (1 + static_cast<int>(index_of(id))) * nanoseconds{1s};
    };
    auto sim = network_simulation{o, nullptr, nullptr};
    if (stops) // all but the last
      for (std::size_t i = 0; i < 2; ++i)
        sim.schedule(5s, stop_fault{worker_at(i)});
    REQUIRE_FALSE(sim.run(45s)); // one, two have made their last steps, three makes 60 s of them
    for (const nanoseconds at : {nanoseconds{46s}, nanoseconds{60s + 200ms}}) // .. each forgets it of another
      for (std::size_t i = 0; i < 3; ++i)
        sim.schedule(at, suspicion_fault{worker_at(i), worker_at((i + 1) % 3)});
    CHECK(sim.run(10min));
  }
}

TEST_CASE("network_simulation: a pair averages as often as each makes steps, however slow one is") {
  auto o = options_for("complete", 6, "adaptive", 30);
  o.step_time = [](worker_id id, nanoseconds) {
    return id == worker_at(0) ? nanoseconds{9s} : nanoseconds{1s};
  };
  auto sim = network_simulation{o, nullptr, nullptr};
  REQUIRE(sim.run(1h));
  for (std::size_t i = 0; i < 6; ++i)
    CHECK(sim.machine(worker_at(i)).counters().steps_used == 30);
}

TEST_CASE(
    "network_simulation: a worker that says nonsense now and then does not end the run, nor is it mixed") {
  for (const auto* policy : {"full", "static:1", "dtur", "hop:1:3", "barrier"}) {
    CAPTURE(policy);
    auto o = options_for("circulant:1,2", 6, policy, ~round_number{0});
    auto model = numbers{};
    auto seen = recorder{o};
    auto sim = network_simulation{o, &model, &seen};
    for (auto t = 3; t < 50; ++t)
      for (const auto& m :
           {protocol_message{estimate{~round_number{0}}}, protocol_message{closed{~round_number{0} - 1, 0}},
            protocol_message{threshold{0, 0, ~round_number{0}, make_edge(a, b)}}})
        sim.schedule(t * 700ms, forged_fault{a, b, m});
    for (std::size_t i = 0; i < 6; ++i)
      sim.schedule(60s, stop_fault{worker_at(i)});
    REQUIRE(sim.run(1h));
    CHECK(sim.machine(b).counters().rounds_refused == 3 * 47);
    CHECK(sim.machine(b).completed() > 20);
    CHECK(sim.machine(b).completed() < 100);
    CHECK(seen.timed_out == 0);
    CHECK(seen.audit.summary().clean());
  }
}

TEST_CASE(
    "network_simulation: however many edges are covered at one moment, a round takes as many messages") {
  const auto events_per_round = [](std::size_t workers) {
    auto o = options_for("random:4", workers, "dtur", 10);
    o.latency = [](const link_use&, nanoseconds) { return nanoseconds{0}; };
    auto sim = network_simulation{o, nullptr, nullptr};
    REQUIRE(sim.run(1h));
    CHECK(sim.machine(a).counters().sweeps_completed >= 9); // all at once, each time
    return static_cast<double>(sim.events_handled()) / static_cast<double>(10 * workers);
  };
  const auto few = events_per_round(20);
  CHECK(events_per_round(500) < 2.5 * few); // the network is wider: more waves
}

TEST_CASE("network_simulation: what a fact makes of the network is worked out once for all workers") {
  for (const auto* policy : {"full", "dtur", "barrier", "adaptive"}) {
    CAPTURE(policy);
    auto o = options_for("random:6", 200, policy, 6);
    const auto parts = std::make_shared<known_parts>(o.machine.graph, nullptr);
    o.machine.parts = parts;
    auto sim = network_simulation{o, nullptr, nullptr};
    const auto near = o.machine.graph->neighbours(a)[0];
    sim.schedule(2500ms, crash_fault{a, true});
    sim.schedule(2600ms, suspicion_fault{near, a, neighbour_lost::cause::crashed});
    sim.run(5s);
    CHECK_FALSE(sim.machine(worker_at(199)).facts().worker_up(a));
    CHECK(sim.machine(worker_at(199)).status().component == 199);
    const auto has_tree = o.machine.policy.closes_by_threshold();
    CHECK(parts->generations_seen() == (has_tree ? 2 : 1)); // with that of no facts
    CHECK(parts->edge_sets_made() == (has_tree ? 2 : 0));
  }
}
