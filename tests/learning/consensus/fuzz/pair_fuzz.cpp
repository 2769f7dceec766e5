#include "tests/learning/consensus/fuzz/fuzz.hpp"
#include "tests/learning/consensus/fuzz/onlooker.hpp"
#include "tests/learning/consensus/fuzz/scalar_model.hpp"
#include "tests/learning/consensus/fuzz/schedule.hpp"
#include "tests/learning/consensus/transcript.hpp"

#include "learning/consensus/audit/exchange_audit.hpp"
#include "learning/consensus/flow_window.hpp"
#include "learning/consensus/policies/pairwise_policy.hpp"

#include <cmath>
#include <iostream>
#include <map>

/// The fuzzer's schedules for policies that average in pairs: the same networks, delays and faults as in
/// fuzz.cpp, other promises.
namespace dybw::test {

namespace {

class pair_inspector final : public simulation_observer {
public:
  pair_inspector(const schedule& s, std::uint64_t seed, bool trace)
      : schedule_(s), trace_(trace), audit_(s.graph), onlooker_(s.graph, 3 * s.unit, seed) {}

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
  }
  void crashed(nanoseconds now, worker_id id) override {
    audit_.lost(id);
    onlooker_.process_ended(now, id);
  }
  void restarted(nanoseconds now, worker_id id, round_number completed) override {
    onlooker_.process_began(now, id);
    newest_[id] = completed;
    audit_.back(id);
  }
  void stepped(nanoseconds now, worker_id id, const event& e, const std::vector<effect>& effects) override {
    if (trace_)
      std::cerr << transcript_line(now, id, e, effects) << '\n';
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
    double sum = 0;
    for (std::size_t i = 0; i < sim.workers(); ++i) {
      timeouts += sim.machine(worker_at(i)).counters().timeouts;
      sum += scalar_model::value(sim.estimate_of(worker_at(i)));
    }
    if (schedule_.kind == trouble::none)
      expect(timeouts == 0, std::to_string(timeouts) + " timeouts without failures");
    if (schedule_.kind > trouble::timeouts)
      return;
    expect(s.edges_lost == 0, "exchanges lost without failures");
    expect(sim.peaks().blocks_under_way <= flow_window::blocks_max, "too many blocks on a link");
    expect(std::abs(sum - model.sum_put_in()) < 1e-8, "the sum of the estimates was moved");
    const auto sweeps = closing_sweeps();
    for (const auto e : schedule_.graph->edges())
      for (const auto& [a, b] : {std::pair{e.a, e.b}, std::pair{e.b, e.a}})
        expect(since_step_[a][b] >= sweeps, "worker " + to_string(a) + " averaged " +
                                                std::to_string(since_step_[a][b]) + " times with worker " +
                                                to_string(b) + " after its last step");
    // Adaptive serves every edge at the pace of its faster end, unless the answer takes longer.
    if (schedule_.options.machine.policy.name == "adaptive" && schedule_.kind == trouble::none &&
        4 * schedule_.latency_max < schedule_.step_min)
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
  exchange_audit audit_;
  onlooker<exchange_audit> onlooker_;
  std::map<worker_id, round_number> newest_;
  std::map<worker_id, std::map<worker_id, std::size_t>> since_step_;
};

} // namespace

fuzz_result run_pair_schedule(const fuzz_family& family, std::uint64_t seed, bool trace) {
  const auto s = draw_schedule(family, seed);
  scalar_model model{split_mix(seed + 1)};
  pair_inspector check{s, seed, trace};
  network_simulation sim{s.options, &model, &check};
  for (const auto& [at, f] : s.faults)
    sim.schedule(at, f);
  if (!sim.run(s.limit))
    for (std::size_t i = 0; i < sim.workers(); ++i)
      if (const auto id = worker_at(i); !sim.crashed(id) && !sim.machine(id).has_left())
        check.failures.push_back("not finished: " + describe(id, sim.machine(id).status()));
  sim.run_on(sim.now() + 4 * s.latency_max); // what is under way arrives
  check.conclude(sim, model);
  fuzz_result result;
  result.failures = check.failures;
  result.description = s.text;
  result.rounds = check.rounds;
  result.edges_lost = check.edges_lost;
  return result;
}

} // namespace dybw::test
