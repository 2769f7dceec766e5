#include "tests/learning/consensus/fuzz/fuzz.hpp"
#include "tests/learning/consensus/fuzz/onlooker.hpp"
#include "tests/learning/consensus/fuzz/scalar_model.hpp"
#include "tests/learning/consensus/fuzz/schedule.hpp"
#include "tests/learning/consensus/transcript.hpp"

#include "learning/base/random.hpp"
#include "learning/consensus/audit/mixing_audit.hpp"
#include "learning/graph/topology.hpp"
#include "learning/simulation/network_simulation.hpp"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <numeric>
#include <set>
#include <sstream>

namespace dybw::test {

namespace {

// --- The checks.

class inspector final : public simulation_observer {
public:
  inspector(const schedule& s, std::uint64_t seed, bool trace)
      : schedule_(s), trace_(trace), audit_(s.graph), onlooker_(s.graph, 3 * s.unit, seed),
        worker_(s.graph->workers()) {}

  void watch(const network_simulation& sim, scalar_model& model) {
    sim_ = &sim;
    model_ = &model;
  }

  void round_done(nanoseconds now, const round_record& r, const mix_report& report) override {
    auto& w = worker_[index_of(report.worker)];
    expect(r.round > w.round, [&] { return "a round completed twice"; });
    expect(r.round <= schedule_.options.machine.last_round, [&] { return "a round after the last"; });
    expect(r.started <= r.joined && r.joined <= r.closed && r.closed <= r.mixed && r.mixed == now,
           [&] { return "a round's moments are out of order"; });
    w.round = r.round;
    // A joiner whose neighbours have all died since waits for somebody to tell it where they are; a pause may
    // have ended rounds before.
    const auto is_alone = w.joins && live_degree(report.worker) == 0;
    timeouts_alone_ += is_alone && r.timed_out ? 1 : 0;
    w.joins = is_alone && !r.timed_out;
    audit_.add(report);
    onlooker_.reported(now, report);
    note_closing(r);
    note_spread(report.worker);
    if (!tail_ || r.round <= tail_after_)
      return;
    tail_->add(report);
    if (left_ > 0)
      return;
    for (auto id : r.departed)
      expect(worker_[index_of(id)].crashed,
             [&] { return "a departure without failures in round " + std::to_string(r.round); });
    expect(!r.timed_out || schedule_.kind == trouble::timeouts, [&] {
      return "worker " + to_string(report.worker) + " timed out without failures in round " +
             std::to_string(r.round);
    });
    const auto& policy = schedule_.options.machine.policy.name;
    if (policy == "hop" && schedule_.kind == trouble::none && !schedule_.stops)
      check_gap(report.worker, r.round);
    if ((policy == "full" || policy == "barrier") && !schedule_.stops && schedule_.kind != trouble::timeouts)
      expect(r.committed.size() == live_degree(report.worker), [&] {
        return "not everybody was waited for: worker " + to_string(report.worker) + ", round " +
               std::to_string(r.round);
      });
  }

  /// `hop`: no round closes while a neighbour is more than GAP rounds behind; who settles a round has closed
  /// it.
  void check_gap(worker_id id, round_number round) {
    const auto gap = schedule_.options.machine.policy.parameters.at(1);
    for (auto n : schedule_.graph->neighbours(id))
      expect(sim_->machine(n).completed() + 2 + gap >= round, [&] {
        return "worker " + to_string(id) + " closed round " + std::to_string(round) + " with worker " +
               to_string(n) + " " + std::to_string(round - sim_->machine(n).completed()) + " rounds behind";
      });
  }

  void crashed(nanoseconds now, worker_id id) override {
    auto& w = worker_[index_of(id)];
    w.crashed = true;
    onlooker_.process_ended(now, id);
    if (!w.finished) {
      audit_.lost(id);
      if (tail_)
        tail_->lost(id);
    }
  }

  void restarted(nanoseconds now, worker_id id, round_number completed) override {
    onlooker_.process_began(now, id);
    model_->forget_correction(id);
    if (trace_)
      std::cerr << "worker " << to_string(id) << " joins after round " << completed << '\n';
    auto& w = worker_[index_of(id)];
    if (w.finished)
      --left_;
    w = {};
    w.round = completed;
    w.joins = true;
    ++result.restarts;
    audit_.back(id);
    if (tail_)
      tail_->back(id);
  }

  void finished(nanoseconds now, worker_id id, const dybw::finished& end) override {
    onlooker_.finished(now, id, end.completed);
    worker_[index_of(id)].finished = true;
    ++left_;
    audit_.left(id);
    if (tail_)
      tail_->left(id);
  }

  void stepped(nanoseconds now, worker_id id, const event& e, const std::vector<effect>& effects) override {
    if (trace_)
      std::cerr << transcript_line(now, id, e, effects) << '\n';
    onlooker_.look(now);
    if (is_honest() && by_threshold())
      for (const auto& x : effects)
        if (const auto* sent = std::get_if<send>(&x); sent != nullptr)
          if (const auto* t = std::get_if<threshold>(&sent->message); t != nullptr)
            closings_[t->round].threshold = std::min(closings_[t->round].threshold, now);
    if (!tail_ && !schedule_.jumpy && now >= schedule_.tail_from && left_ == 0)
      begin_tail();
  }

  void conclude(network_simulation& sim, const scalar_model& model) {
    const auto summary = audit_.summary();
    result.edges_lost = summary.edges_lost;
    result.events = sim.events_handled();
    for (const auto& v : audit_.violations())
      result.failures.push_back("audit: " + v);
    expect(summary.one_sided_edges == 0, [&] { return "one-sided edges"; });
    expect(summary.max_row_error <= 1e-9, [&] { return "row error"; });
    expect(summary.max_column_error <= 1e-9, [&] { return "column error"; });
    expect(summary.max_projection_error <= 1e-9, [&] { return "mixing moved the mean"; });
    expect(summary.rounds_unaudited == 0, [&] { return "unaudited rounds"; });
    const auto& seen_from_elsewhere = onlooker_.conclude();
    for (const auto& v : seen_from_elsewhere.violations())
      result.failures.push_back("audit from elsewhere: " + v);
    expect(seen_from_elsewhere.summary().clean(), [&] { return "the audit from elsewhere is not clean"; });
    expect(sim.peaks().facts <= sim.workers() + schedule_.graph->edges().size(),
           [&] { return "too many facts"; });
    expect(schedule_.restarts() || sim.peaks().bases_missing == 0,
           [&] { return "a change came to who lacks what it counts from"; });
    std::uint64_t timeouts = 0;
    std::uint64_t refused = 0;
    for (std::size_t i = 0; i < sim.workers(); ++i) {
      refused += sim.machine(worker_at(i)).counters().rounds_refused;
      result.rounds = std::max(result.rounds, sim.machine(worker_at(i)).completed());
      timeouts += sim.machine(worker_at(i)).counters().timeouts;
      result.fingerprint += static_cast<double>(i + 1) * scalar_model::value(sim.estimate_of(worker_at(i)));
    }
    expect(schedule_.forges || refused == 0, [&] { return "an honest round was refused"; });
    if (schedule_.kind == trouble::none || (schedule_.patient && !schedule_.jumpy))
      expect(timeouts == timeouts_alone_,
             [&] { return std::to_string(timeouts) + " timeouts although nobody was waited for in vain"; });
    conclude_tail(sim);
    if (schedule_.kind == trouble::stalls && !schedule_.hasty) {
      expect(summary.edges_lost == 0, [&] { return "edges lost though nobody was"; });
      expect_sum(sim, model);
    }
    if (is_honest()) {
      conclude_honest(sim, model);
      conclude_closings();
    }
    conclude_membership(sim);
    expect(schedule_.jumpy || model.corrections_left(sim) < 1e-9,
           [&] { return "the corrections do not add up to nothing"; });
  }

  fuzz_result result;

private:
  struct worker_notes {
    round_number round = 0;
    std::uint64_t sweeps_before_tail = 0;
    bool finished = false;
    bool crashed = false;
    bool joins = false; ///< began again and has not completed a round since
  };

  bool by_threshold() const { return schedule_.options.machine.policy.closes_by_threshold(); }
  bool covers() const { return by_threshold() && !schedule_.options.machine.policy.waits_for_everybody(); }
  /// Nothing fails; at most rounds are given up early.
  bool is_honest() const { return schedule_.kind <= trouble::timeouts; }

  /// When a round of DTUR closed.
  struct closing {
    nanoseconds threshold = nanoseconds::max(); ///< the first was sent, or would have been after a timeout
    nanoseconds last{0};                        ///< the last worker in the round closed it
  };

  void note_closing(const round_record& r) {
    if (!is_honest() || !by_threshold())
      return;
    auto& c = closings_[r.round];
    c.last = std::max(c.last, r.closed);
    if (r.timed_out)
      c.threshold = std::min(c.threshold, r.closed);
  }

  /// theta(k) closes round k for everybody, as fast as floods travel; a timeout does the same.
  void conclude_closings() {
    const auto flood = schedule_.latency_max * static_cast<std::int64_t>(worker_.size());
    for (const auto& [round, c] : closings_)
      expect(c.threshold == nanoseconds::max() || c.last <= c.threshold + flood,
             [&] { return "round " + std::to_string(round) + " did not close for everybody"; });
  }

  template <class Text>
  void expect(bool ok, Text text) {
    if (!ok && result.failures.size() < 20)
      result.failures.push_back(text());
  }

  std::size_t live_degree(worker_id id) const {
    std::size_t count = 0;
    for (auto n : schedule_.graph->neighbours(id))
      count += worker_[index_of(n)].crashed ? 0u : 1u;
    return count;
  }

  bool live_graph_is_connected() const {
    return dybw::test::live_graph_is_connected(*sim_, *schedule_.graph);
  }

  /// Faults are over: from the round after the newest on, the run must be as if there had never been any.
  void begin_tail() {
    for (std::size_t i = 0; i < worker_.size(); ++i) {
      const auto& m = sim_->machine(worker_at(i));
      worker_[i].sweeps_before_tail = m.counters().sweeps_completed;
      if (!worker_[i].crashed && schedule_.tail_from.count() > 0)
        tail_after_ = std::max(tail_after_, m.status().round + 1);
    }
    tail_.emplace(schedule_.graph, tail_after_);
    for (std::size_t i = 0; i < worker_.size(); ++i)
      if (worker_[i].crashed)
        tail_->lost(worker_at(i));
  }

  void conclude_tail(const network_simulation& sim) {
    if (!tail_)
      return;
    const auto summary = tail_->summary();
    expect(summary.edges_lost == 0, [&] { return "edges lost without failures"; });
    if (schedule_.stops || schedule_.kind == trouble::timeouts || !covers() || !live_graph_is_connected())
      return;
    // One connecting edge per round, some rounds closed because nobody was left to wait for.
    const auto sweep_rounds_max = 3 * (sim.workers() - 1);
    expect(summary.connect_rounds_max <= sweep_rounds_max, [&] {
      return "the committed edges did not join everybody for " + std::to_string(summary.connect_rounds_max) +
             " rounds";
    });
    for (std::size_t i = 0; i < sim.workers(); ++i) {
      const auto& m = sim.machine(worker_at(i));
      const auto rounds = m.completed() - std::min(tail_after_, m.completed());
      const auto sweeps = m.counters().sweeps_completed - worker_[i].sweeps_before_tail;
      expect(worker_[i].crashed || live_degree(worker_at(i)) == 0 ||
                 (sweeps + 2) * sweep_rounds_max >= rounds,
             [&] {
               return "worker " + std::to_string(i) + " saw " + std::to_string(sweeps) +
                      " sweeps completed in " + std::to_string(rounds) + " rounds";
             });
    }
  }

  /// What the audit has to keep: rounds that some have reported and others not.
  void note_spread(worker_id id) {
    const auto& policy = schedule_.options.machine.policy.name;
    if (schedule_.kind != trouble::none || left_ > 0 || policy == "static" || policy == "hop")
      return;
    const auto newest = sim_->machine(id).completed();
    const auto ahead_max =
        worker_.size() + 2 * static_cast<std::size_t>(schedule_.latency_max / schedule_.step_min);
    for (std::size_t i = 0; i < worker_.size(); ++i)
      expect(newest <= sim_->machine(worker_at(i)).completed() + ahead_max,
             [&] { return "worker " + to_string(id) + " is too many rounds ahead"; });
  }

  void expect_sum(const network_simulation& sim, const scalar_model& model) {
    expect(std::abs(model.sum_moved(sim)) < 1e-8, [&] { return "the sum of the estimates was moved"; });
  }

  void conclude_honest(const network_simulation& sim, const scalar_model& model) {
    expect_sum(sim, model);
    expect(sim.peaks().facts == 0, [&] { return "facts without failures"; });
    expect(schedule_.forges || sim.peaks().blocks_under_way <= flow_window::blocks_max,
           [&] { return "too many blocks on a link"; });
    // What a neighbour can say in the rounds that fit into a message's way, and as many floods.
    const auto rounds_under_way = 2 + to_seconds(schedule_.latency_max) / to_seconds(schedule_.step_min);
    expect(static_cast<double>(sim.peaks().messages_under_way) <= 8 * rounds_under_way,
           [&] { return std::to_string(sim.peaks().messages_under_way) + " messages on a link"; });
  }

  /// Everybody knows the same, and nobody alive is thought down.
  void conclude_membership(network_simulation& sim) {
    if (!result.failures.empty() || schedule_.jumpy)
      return;
    const auto grace = 3 * schedule_.options.suspect_after.value_or(nanoseconds{0}) +
                       schedule_.latency_max * static_cast<std::int64_t>(sim.workers() + 4);
    sim.run_on(std::max(sim.now(), schedule_.quiet_from) + grace);
    auto generation = std::optional<std::uint64_t>{};
    const auto connected = live_graph_is_connected();
    for (std::size_t i = 0; i < sim.workers(); ++i) {
      const auto id = worker_at(i);
      if (worker_[i].crashed)
        continue;
      const auto& facts = sim.machine(id).facts();
      if (connected && generation)
        expect(*generation == facts.generation(), [&] { return "live workers know different facts"; });
      generation = facts.generation();
      for (auto n : schedule_.graph->neighbours(id)) {
        const auto up = facts.usable(make_edge(id, n));
        expect(up != worker_[index_of(n)].crashed, [&] {
          return "worker " + to_string(id) + " thinks its link to worker " + to_string(n) +
                 (up ? " up, which crashed" : " down, which is alive");
        });
      }
    }
  }

  const schedule& schedule_;
  bool trace_;
  mixing_audit audit_;
  onlooker<mixing_audit> onlooker_;
  std::optional<mixing_audit> tail_;
  std::vector<worker_notes> worker_;
  const network_simulation* sim_ = nullptr;
  scalar_model* model_ = nullptr;
  std::size_t left_ = 0;
  std::uint64_t timeouts_alone_ = 0;
  round_number tail_after_ = 0; ///< rounds after this one are the tail
  std::map<round_number, closing> closings_;
};

} // namespace

fuzz_result run_schedule(const fuzz_family& family, std::uint64_t seed, bool trace) {
  const auto s = draw_schedule(family, seed);
  auto model = scalar_model{split_mix(seed + 1), s.graph->workers(), s.options.machine.corrects};
  auto check = inspector{s, seed, trace};
  if (trace) {
    std::cerr << s.text << '\n';
    for (auto e : s.graph->edges())
      std::cerr << to_string(e.a) << '-' << to_string(e.b) << ' ';
    std::cerr << '\n';
  }
  auto sim = network_simulation{s.options, &model, &check};
  check.watch(sim, model);
  for (const auto& [at, f] : s.faults)
    sim.schedule(at, f);
  if (!sim.run(s.limit)) {
    auto text = std::ostringstream{};
    text << "not all finished by " << to_seconds(sim.now()) << " s:";
    for (std::size_t i = 0; i < sim.workers(); ++i)
      if (const auto id = worker_at(i); !sim.crashed(id) && !sim.machine(id).has_left())
        text << ' ' << describe(id, sim.machine(id).status()) << ';';
    check.result.failures.push_back(text.str());
  }
  check.conclude(sim, model);
  check.result.description = s.text;
  return std::move(check.result);
}

} // namespace dybw::test
