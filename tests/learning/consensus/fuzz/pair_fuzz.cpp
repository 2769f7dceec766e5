#include "tests/learning/consensus/fuzz/fuzz.hpp"
#include "tests/learning/consensus/fuzz/onlooker.hpp"
#include "tests/learning/consensus/fuzz/scalar_model.hpp"
#include "tests/learning/consensus/fuzz/schedule.hpp"
#include "tests/learning/consensus/transcript.hpp"

#include "learning/consensus/audit/exchange_audit.hpp"
#include "learning/consensus/flow_window.hpp"
#include "learning/consensus/policies/pairwise_policy.hpp"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>

/// The fuzzer's schedules for policies that average in pairs: the same networks, delays and faults as in
/// fuzz.cpp, other promises.
namespace dybw::test {

namespace {

class pair_inspector final : public simulation_observer {
public:
  pair_inspector(const schedule& s, std::uint64_t seed, bool trace, scalar_model& model)
      : schedule_(s), trace_(trace), model_(model), audit_(s.graph), onlooker_(s.graph, 3 * s.unit, seed) {}

  void round_done(nanoseconds now, const round_record& r, const mix_report& report) override {
    onlooker_.reported(now, report);
    auto& newest = newest_[report.worker];
    expect(r.round > newest, "a round completed twice");
    expect(r.round <= schedule_.options.machine.last_round, "a round after the last");
    expect(r.started <= r.joined && r.joined <= r.mixed && r.mixed == now, "moments out of order");
    newest = r.round;
    ++rounds;
    since_step_[report.worker].clear();
  }
  void exchanged(nanoseconds, const exchange_half& half) override {
    audit_.add(half);
    onlooker_.exchanged(half);
    ++since_step_[half.worker][half.neighbour];
  }
  void edge_lost(nanoseconds, worker_id id, worker_id neighbour, round_number round) override {
    audit_.edge_lost(id, neighbour, round);
    onlooker_.edge_lost(id, neighbour);
  }
  void finished(nanoseconds now, worker_id id, const dybw::finished& end) override {
    audit_.left(id);
    onlooker_.finished(now, id, end.completed);
    const auto stopped = stopped_.find(id);
    if (stopped != stopped_.end() && schedule_.kind <= trouble::stalls)
      expect(now <= stopped->second + stop_limit(id),
             "worker " + to_string(id) + " left long after its stop");
  }
  void crashed(nanoseconds now, worker_id id) override {
    audit_.lost(id);
    onlooker_.process_ended(now, id);
  }
  void restarted(nanoseconds now, worker_id id, round_number completed) override {
    onlooker_.process_began(now, id);
    model_.forget_correction(id);
    newest_[id] = completed;
    audit_.back(id);
  }
  void stepped(nanoseconds now, worker_id id, const event& e, const std::vector<effect>& effects) override {
    if (trace_)
      std::cerr << transcript_line(now, id, e, effects) << '\n';
    if (std::holds_alternative<stop_requested>(e))
      stopped_.emplace(id, now);
    onlooker_.look(now);
  }

  void conclude(const network_simulation& sim, const scalar_model& model) {
    const auto s = audit_.summary();
    for (const auto& v : audit_.violations())
      failures.push_back(v);
    expect(s.one_sided_edges == 0, std::to_string(s.one_sided_edges) + " one-sided exchanges");
    expect(s.max_column_error == 0 && s.max_projection_error < 1e-9, "averaging moved the mean");
    expect(s.rounds_unaudited == 0, "exchanges in flight at the end");
    const auto& seen_from_elsewhere = onlooker_.conclude();
    for (const auto& v : seen_from_elsewhere.violations())
      failures.push_back("audit from elsewhere: " + v);
    expect(seen_from_elsewhere.summary().clean(), "the audit from elsewhere is not clean");
    edges_lost = s.edges_lost;
    std::uint64_t timeouts = 0;
    for (std::size_t i = 0; i < sim.workers(); ++i) {
      const auto& counters = sim.machine(worker_at(i)).counters();
      timeouts += counters.timeouts;
      expect(counters.rounds_refused == 0, "an honest round was refused");
      if (schedule_.kind <= trouble::stalls && !schedule_.stops)
        expect(counters.steps_used == schedule_.gradients * schedule_.options.machine.last_round,
               "worker " + std::to_string(i) + " made " + std::to_string(counters.steps_used) + " steps");
    }
    if (schedule_.kind == trouble::none)
      expect(timeouts == 0, std::to_string(timeouts) + " timeouts without failures");
    if (schedule_.kind > trouble::stalls)
      return;
    expect(s.edges_lost == 0, "exchanges lost without failures");
    expect(sim.peaks().blocks_under_way <= flow_window::blocks_max, "too many blocks on a link");
    expect(std::abs(model.sum_moved(sim)) < 1e-8, "the sum of the estimates was moved");
    expect(schedule_.restarts() || sim.peaks().bases_missing == 0,
           "a change came to who lacks what it counts from");
    if (schedule_.stops && !schedule_.stops_all)
      return; // who goes on has left behind who does not
    const auto sweeps = closing_sweeps();
    for (const auto e : schedule_.graph->edges())
      for (const auto& [a, b] : {std::pair{e.a, e.b}, std::pair{e.b, e.a}})
        expect(since_step_[a][b] >= sweeps, "worker " + to_string(a) + " averaged " +
                                                std::to_string(since_step_[a][b]) + " times with worker " +
                                                to_string(b) + " after its last step");
    // Adaptive serves every edge at the pace of its faster end, unless the answer takes longer.
    if (schedule_.options.machine.policy.name == "adaptive" && schedule_.kind == trouble::none &&
        schedule_.options.mix_time.count() == 0 && 4 * schedule_.latency_max < schedule_.step_min)
      expect(audit_.longest_gap() <= 2 * rounds_per_step(),
             "an edge was neglected for " + std::to_string(audit_.longest_gap()) + " rounds");
  }

  std::vector<std::string> failures;
  std::uint64_t rounds = 0;
  std::uint64_t edges_lost = 0;

private:
  /// How often the ends of each edge average after both have made their last step.
  std::size_t closing_sweeps() const {
    const auto made = make_policy(schedule_.options.machine.policy);
    return static_cast<const pairwise_policy&>(*made).closing_sweeps();
  }
  /// How long a worker's steps are at most, with what makes them hang: that counts, too.
  nanoseconds longest_step(worker_id id) const {
    auto longest = schedule_.step_max;
    for (const auto& [at, f] : schedule_.faults)
      if (const auto* stall = std::get_if<stall_fault>(&f); stall != nullptr && stall->worker == id)
        longest += stall->length;
    return longest;
  }
  /// After a stop the waiting for others' steps is bounded by what answers take, the averaging of the end by
  /// its sweeps.
  nanoseconds stop_limit(worker_id id) const {
    return std::max<nanoseconds>(
               {std::chrono::seconds{10}, 10 * longest_step(id), 100 * schedule_.latency_max}) +
           (4 + 2 * static_cast<std::int64_t>(closing_sweeps())) * schedule_.latency_max;
  }
  void expect(bool ok, const std::string& what) {
    if (!ok && failures.size() < 10)
      failures.push_back(what);
  }
  /// A slow worker's round numbers leap by as many as its neighbours do in one of its steps.
  round_number rounds_per_step() const {
    return 2 + static_cast<round_number>(to_seconds(schedule_.step_max) / to_seconds(schedule_.step_min));
  }

  const schedule& schedule_;
  bool trace_;
  scalar_model& model_;
  exchange_audit audit_;
  onlooker<exchange_audit> onlooker_;
  std::map<worker_id, round_number> newest_;
  std::map<worker_id, nanoseconds> stopped_;
  std::map<worker_id, std::map<worker_id, std::size_t>> since_step_;
};

/// What averaging costs, of a step: often nothing, or so much that neighbours have to take turns; and how far
/// apart they are said to be.
void draw_price(schedule& s, std::uint64_t seed) {
  dice d{split_mix(split_mix(seed) + 3)};
  if (d.chance(0.5))
    return;
  const double shares[] = {0.01, 0.1, 0.5, 3};
  s.options.mix_time = from_seconds(to_seconds(s.step_min) * shares[d.below(4)]);
  s.step_max += 2 * static_cast<std::int64_t>(s.graph->workers()) * s.options.mix_time;
  s.limit +=
      40 * static_cast<std::int64_t>(s.options.machine.last_round * s.graph->workers()) * s.options.mix_time;
  if (d.chance(0.7)) {
    const auto least = d.below(5);
    s.options.strides_apart = [least, apart = dice{split_mix(split_mix(seed) + 4)}](worker_id) mutable {
      const double strides[] = {0, 0.1, 3, 6, 30};
      return strides[least + apart.below(5 - least)];
    };
    s.text += " far apart: " + std::to_string(least) + " of 4";
  }
  s.text += " mixing takes " + std::to_string(to_seconds(s.options.mix_time)) + " s";
}

/// When somebody has made its last step first, and when the last worker leaves.
struct closing_watch final : simulation_observer {
  void stepped(nanoseconds now, worker_id id, const event&, const std::vector<effect>&) override {
    if (simulation->machine(id).current_phase() == phase::settling)
      begins = std::min(begins, now);
  }
  void finished(nanoseconds now, worker_id, const dybw::finished&) override { ends = now; }
  const network_simulation* simulation = nullptr;
  nanoseconds begins = nanoseconds::max();
  nanoseconds ends{0};
};

/// A circle of neighbours, found at random; empty if the walk ends before it closes one.
std::vector<worker_id> draw_circle(const topology& graph, dice& d) {
  std::vector<worker_id> walk{worker_at(d.below(graph.workers()))};
  for (;;) {
    std::vector<worker_id> onward;
    for (auto id : graph.neighbours(walk.back()))
      if (walk.size() < 2 || id != walk[walk.size() - 2])
        onward.push_back(id);
    if (onward.empty())
      return {};
    const auto next = onward[d.below(onward.size())];
    const auto before = std::find(walk.begin(), walk.end(), next);
    if (before != walk.end())
      return {before, walk.end()};
    walk.push_back(next);
  }
}

/// False suspicions while workers wait for each other's last steps, single ones and circles of them: found
/// out by running the schedule without.
void add_suspicions_at_the_end(schedule& s, std::uint64_t seed) {
  dice d{split_mix(split_mix(seed) + 2)};
  if ((s.kind != trouble::suspicions && s.kind != trouble::everything) || !s.options.suspect_after ||
      d.chance(0.3))
    return;
  closing_watch watch;
  network_simulation sim{s.options, nullptr, &watch};
  watch.simulation = &sim;
  for (const auto& [at, f] : s.faults)
    sim.schedule(at, f);
  if (!sim.run(s.limit) || watch.begins >= watch.ends)
    return;
  for (auto count = 1 + d.below(3); count > 0; --count) {
    auto circle = draw_circle(*s.graph, d);
    if (circle.empty()) {
      const auto e = s.graph->edges()[d.below(s.graph->edges().size())];
      circle = d.chance(0.5) ? std::vector{e.a, e.b} : std::vector{e.a};
    }
    if (d.chance(0.5))
      std::reverse(circle.begin(), circle.end());
    const auto at = d.duration(watch.begins, watch.ends);
    const auto spread = d.chance(0.5) ? nanoseconds{0} : s.latency_max;
    for (std::size_t i = 0; i < circle.size(); ++i) {
      const auto whom =
          circle.size() > 1 ? circle[(i + 1) % circle.size()] : s.graph->neighbours(circle[0])[0];
      const auto when = at + d.duration(nanoseconds{0}, spread);
      s.faults.emplace_back(when, suspicion_fault{circle[i], whom});
      s.limit += 50 * (*s.options.suspect_after + std::chrono::seconds{10} + 10 * s.step_max);
    }
  }
  s.text += " suspicions at the end";
}

} // namespace

fuzz_result run_pair_schedule(const fuzz_family& family, std::uint64_t seed, bool trace) {
  auto s = draw_schedule(family, seed);
  draw_price(s, seed);
  add_suspicions_at_the_end(s, seed);
  scalar_model model{split_mix(seed + 1), s.graph->workers(), s.options.machine.corrects};
  pair_inspector check{s, seed, trace, model};
  network_simulation sim{s.options, &model, &check};
  for (const auto& [at, f] : s.faults)
    sim.schedule(at, f);
  if (!sim.run(s.limit))
    for (std::size_t i = 0; i < sim.workers(); ++i)
      if (const auto id = worker_at(i); !sim.crashed(id) && !sim.machine(id).has_left())
        check.failures.push_back("not finished: " + describe(id, sim.machine(id).status()));
  sim.run_on(sim.now() + 4 * s.latency_max); // what is under way arrives
  check.conclude(sim, model);
  if (s.options.machine.corrects && !s.jumpy) {
    sim.run_on(std::max(sim.now(), s.quiet_from) + 3 * s.options.suspect_after.value_or(nanoseconds{0}) +
               s.latency_max * static_cast<std::int64_t>(sim.workers() + 4)); // all hear of who is up
    if (!(model.corrections_left(sim) <= 1e-9))
      check.failures.push_back("the corrections do not add up to nothing");
    if (live_graph_is_connected(sim, *s.graph) && !all_know_the_same(sim))
      check.failures.push_back("live workers know different facts");
  }
  fuzz_result result;
  result.failures = check.failures;
  result.description = s.text;
  result.rounds = check.rounds;
  result.edges_lost = check.edges_lost;
  return result;
}

} // namespace dybw::test
