#include "fuzz.hpp"

#include "transcript.hpp"

#include "learning/consensus/mixing_audit.hpp"
#include "learning/graph/topology.hpp"
#include "learning/random.hpp"
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

using std::chrono::milliseconds;
using std::chrono::seconds;

class dice {
public:
  explicit dice(std::uint64_t seed) : generator_(seed) {}
  double uniform(double a, double b) {
    return a + (b - a) * static_cast<double>(generator_() >> 11) * 0x1p-53;
  }
  bool chance(double p) { return uniform(0, 1) < p; }
  /// 0 .. n-1
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(generator_() % n); }
  nanoseconds duration(nanoseconds a, nanoseconds b) {
    return from_seconds(uniform(to_seconds(a), to_seconds(b)));
  }
  double exponential() { return -std::log(1 - uniform(0, 1)); }

private:
  random_generator generator_;
};

// --- The workers' estimates: one number each, really mixed.

class scalar_model final : public simulated_model {
public:
  explicit scalar_model(std::uint64_t seed) : dice_(seed) {}

  estimate_handle start(worker_id) override { return moved(0); }
  estimate_handle step(worker_id, const estimate_handle& estimate) override { return moved(value(estimate)); }
  estimate_handle mix(worker_id, const estimate_handle& own,
                      std::span<const weighted_estimate> neighbours) override {
    auto result = value(own);
    for (const auto& n : neighbours)
      result += n.weight * (value(n.estimate) - value(own));
    return std::make_shared<const double>(result);
  }
  estimate_handle step_onto(worker_id, const estimate_handle&, const estimate_handle& onto, double) override {
    return moved(value(onto));
  }
  estimate_handle absorb(worker_id, const estimate_handle& own, const estimate_handle& theirs,
                         const estimate_handle& mine, double weight) override {
    return std::make_shared<const double>(value(own) + weight * (value(theirs) - value(mine)));
  }
  estimate_witness look(const estimate_handle& estimate) override {
    return {value(estimate), std::abs(value(estimate))};
  }

  /// The start values and all steps: what the sum of the estimates must be if no mixing ever moved it.
  double sum_put_in() const { return put_in_; }
  static double value(const estimate_handle& estimate) { return *static_cast<const double*>(estimate.get()); }

private:
  estimate_handle moved(double x) {
    const auto by = dice_.uniform(-1, 1);
    put_in_ += by;
    return std::make_shared<const double>(x + by);
  }
  dice dice_;
  double put_in_ = 0;
};

// --- The schedule.

enum class trouble {
  none,
  timeouts,
  crashes,
  silent_crashes,
  hangs,
  suspicions,
  partition,
  reconnections,
  restarts,
  everything
};
const char* const trouble_names[] = {"none",     "timeouts",   "crashes",   "silent crashes",
                                     "hangs",    "suspicions", "partition", "reconnections",
                                     "restarts", "everything"};

struct schedule {
  simulation_options options;
  std::shared_ptr<const topology> graph;
  trouble kind = trouble::none;
  bool stops = false;
  std::vector<std::pair<nanoseconds, fault>> faults;
  nanoseconds quiet_from{0}; ///< no faults after this moment
  nanoseconds tail_from{0};  ///< and all is back to normal
  bool patient = false;
  bool jumpy = false;  ///< never
  nanoseconds unit{0}; ///< a typical step
  nanoseconds step_min{0};
  nanoseconds step_max{0};
  nanoseconds latency_max{0};
  nanoseconds limit{0};
  std::string text;
};

std::shared_ptr<const topology> draw_graph(dice& d) {
  const std::size_t n = d.chance(0.15) ? 2 : 3 + std::min(d.below(10), d.below(10));
  std::vector<edge> edges;
  std::string name;
  const auto shape = d.below(10);
  if (shape == 0) {
    name = "ring";
    for (std::size_t i = 0; i < n; ++i)
      if (n > 2 || i == 0)
        edges.push_back(make_edge(worker_at(i), worker_at((i + 1) % n)));
  } else if (shape == 1) {
    name = "star";
    for (std::size_t i = 1; i < n; ++i)
      edges.push_back(make_edge(worker_at(0), worker_at(i)));
  } else if (shape == 2) {
    name = "path";
    for (std::size_t i = 1; i < n; ++i)
      edges.push_back(make_edge(worker_at(i - 1), worker_at(i)));
  } else {
    name = "random";
    for (std::size_t i = 1; i < n; ++i)
      edges.push_back(make_edge(worker_at(d.below(i)), worker_at(i)));
    const auto density = shape < 4 ? 1.0 : d.uniform(0, 0.5);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (d.chance(density))
          edges.push_back(make_edge(worker_at(i), worker_at(j)));
  }
  return std::make_shared<const topology>(n, std::move(edges), name);
}

void draw_pace(schedule& s, dice& d) {
  const nanoseconds units[] = {milliseconds{10}, milliseconds{100}, seconds{1}};
  s.unit = units[d.below(3)];
  // Before anything is observed a wait of ten times the own first step, at least 10 s, is honest: no slower.
  const auto slowest = s.unit == seconds{1} ? 4.0 : s.unit == milliseconds{100} ? 30.0 : 100.0;
  const auto n = s.graph->workers();
  auto factors = std::vector<double>(n, 1.0);
  for (auto& f : factors)
    if (d.chance(0.25))
      f = d.uniform(1, d.chance(0.5) ? 3 : slowest);
  enum class noise { constant, uniform, exponential, spikes };
  const auto how = static_cast<noise>(d.below(4));
  const auto unit = to_seconds(s.unit);
  const auto cap = unit * slowest * 1.5;
  const auto spike = s.unit == seconds{1} ? 3.0 : 20.0;
  s.step_max = from_seconds(unit * *std::max_element(factors.begin(), factors.end()) *
                            (how == noise::spikes ? spike : 3));
  s.step_max = std::min(s.step_max, from_seconds(cap));
  auto own = dice{split_mix(d.below(1u << 30))};
  s.options.step_time = [=](worker_id id, nanoseconds) mutable {
    auto t = unit * factors[index_of(id)];
    if (how == noise::uniform)
      t *= own.uniform(0.5, 1.5);
    else if (how == noise::exponential)
      t *= 0.2 + std::min(own.exponential(), 2.5);
    else if (how == noise::spikes)
      t *= own.chance(0.05) ? spike : 1;
    return from_seconds(std::min(t, cap));
  };
  enum class delay { zero, constant, uniform, spikes, by_link };
  const auto delays = static_cast<delay>(d.below(5));
  const double scales[] = {0.01, 0.1, 1, 3};
  const auto scale =
      unit * scales[d.below(s.unit == seconds{1} ? 3 : 4)]; // the first wait is honest up to 10 s
  s.step_min = from_seconds(unit * 0.2);
  s.latency_max = from_seconds(delays == delay::zero ? 0 : delays == delay::spikes ? 4 * scale : scale);
  auto link = dice{split_mix(d.below(1u << 30))};
  const auto salt = d.below(1u << 30);
  s.options.latency = [=](const link_use& use, nanoseconds) mutable {
    switch (delays) {
    case delay::zero:
      return nanoseconds{0};
    case delay::constant:
      return from_seconds(scale);
    case delay::uniform:
      return from_seconds(link.uniform(0, scale));
    case delay::spikes:
      return from_seconds(link.chance(0.1) ? link.uniform(0, 4 * scale) : link.uniform(0, 0.1 * scale));
    case delay::by_link: // the way through a third worker may be the quicker one
      return from_seconds(
          scale * static_cast<double>(split_mix(salt + index_of(use.from) * 64 + index_of(use.to)) % 1024) /
          1024);
    }
    return nanoseconds{0};
  };
  s.text += " unit=" + std::to_string(unit) + " noise=" + std::to_string(static_cast<int>(how)) +
            " delay=" + std::to_string(static_cast<int>(delays)) + "x" + std::to_string(scale / unit);
}

void add(schedule& s, nanoseconds at, nanoseconds until, const fault& f) {
  s.faults.emplace_back(at, f);
  s.quiet_from = std::max(s.quiet_from, until);
}

void draw_crashes(schedule& s, dice& d, nanoseconds window, bool silently) {
  const auto count = 1 + d.below(3);
  auto crashed = std::set<worker_id>{};
  while (crashed.size() < std::min(count, s.graph->workers() - 1)) {
    const auto who = worker_at(d.below(s.graph->workers()));
    if (!crashed.insert(who).second)
      continue;
    const auto at = d.duration(nanoseconds{0}, window);
    add(s, at, at, crash_fault{who, d.chance(0.5)});
    if (!silently)
      for (auto n : s.graph->neighbours(who)) {
        const auto told = at + d.duration(nanoseconds{0}, d.chance(0.5) ? s.latency_max : 3 * s.unit);
        add(s, told, told, suspicion_fault{n, who, neighbour_lost::cause::crashed});
      }
  }
}

void draw_hangs(schedule& s, dice& d, nanoseconds window) {
  const auto suspect = *s.options.suspect_after;
  for (auto count = 1 + d.below(3); count > 0; --count) {
    const auto at = d.duration(nanoseconds{0}, window);
    const auto kind = d.below(3);
    const auto length = kind == 0   ? d.duration(nanoseconds{0}, suspect / 2)
                        : kind == 1 ? d.duration(suspect / 2, suspect * 3 / 2)
                                    : d.duration(suspect, 4 * suspect);
    add(s, at, at + length,
        hang_fault{worker_at(d.below(s.graph->workers())), length,
                   static_cast<hang_fault::wake>(d.below(3))});
  }
}

void draw_suspicions(schedule& s, dice& d, nanoseconds window) {
  for (auto count = 1 + d.below(4); count > 0; --count) {
    const auto who = worker_at(d.below(s.graph->workers()));
    const auto near = s.graph->neighbours(who);
    const auto at = d.duration(nanoseconds{0}, window);
    add(s, at, at,
        suspicion_fault{who, near[d.below(near.size())],
                        d.chance(0.25) ? neighbour_lost::cause::crashed : neighbour_lost::cause::silent});
  }
}

void draw_partition(schedule& s, dice& d, nanoseconds window) {
  const auto suspect = *s.options.suspect_after;
  for (auto count = 1 + d.below(2); count > 0; --count) {
    auto half = std::vector<bool>(s.graph->workers());
    for (std::size_t i = 0; i < half.size(); ++i)
      half[i] = d.chance(0.5);
    const auto at = d.duration(nanoseconds{0}, window);
    const auto length =
        d.chance(0.5) ? d.duration(nanoseconds{0}, 2 * suspect) : d.duration(suspect, 8 * suspect);
    const auto how = d.chance(0.5) ? cut_fault::kind::holds : cut_fault::kind::loses;
    const auto jitter = d.chance(0.5) ? nanoseconds{0} : s.unit;
    const auto one = d.chance(0.2); // just one link
    const auto only = d.below(s.graph->edges().size());
    for (std::size_t i = 0; i < s.graph->edges().size(); ++i) {
      const auto e = s.graph->edges()[i];
      if (one ? i != only : half[index_of(e.a)] == half[index_of(e.b)])
        continue;
      const auto from = at + d.duration(nanoseconds{0}, jitter);
      const auto until = from + length + d.duration(nanoseconds{0}, jitter);
      add(s, from, until, cut_fault{e, how});
      add(s, until, until, mend_fault{e});
      if (how == cut_fault::kind::loses && d.chance(0.5)) { // one or both ends see the connection close
        const auto told = d.duration(from, until);
        add(s, told, until, suspicion_fault{e.a, e.b});
        if (d.chance(0.5))
          add(s, d.duration(from, until), until, suspicion_fault{e.b, e.a});
      }
    }
  }
}

/// Connections that break and are opened again, one by one or all of a worker's.
void draw_reconnections(schedule& s, dice& d, nanoseconds window) {
  const auto suspect = *s.options.suspect_after;
  for (auto count = 1 + d.below(6); count > 0; --count) {
    const auto at = d.duration(nanoseconds{0}, window);
    const auto length = d.chance(0.3)   ? nanoseconds{0}
                        : d.chance(0.5) ? d.duration(nanoseconds{0}, 2 * s.unit)
                                        : d.duration(nanoseconds{0}, 2 * suspect);
    const auto one = s.graph->edges()[d.below(s.graph->edges().size())];
    const auto all = d.chance(0.3);
    for (const auto e : s.graph->edges()) {
      if (all ? e.a != one.a && e.b != one.a : e != one)
        continue;
      add(s, at, at + length, cut_fault{e, cut_fault::kind::loses});
      add(s, at + length, at + length, mend_fault{e});
      for (const auto& [end, other] : {std::pair{e.a, e.b}, std::pair{e.b, e.a}})
        if (d.chance(0.5)) { // told when it breaks; otherwise by the new connection
          const auto told = at + d.duration(nanoseconds{0}, length);
          add(s, told, told, suspicion_fault{end, other});
        }
    }
  }
}

/// Workers that are killed and join again, some several times: in no time, so that the others are hardly a
/// message further, or after a while, knowing what is out of date.
void draw_restarts(schedule& s, dice& d, nanoseconds window) {
  const auto suspect = *s.options.suspect_after;
  const auto in_no_time = d.chance(0.5);
  const auto soon = s.unit + s.latency_max;
  const auto longest = in_no_time ? nanoseconds{0} : suspect;
  for (auto count = 1 + d.below(in_no_time ? 8 : 3); count > 0; --count) {
    const auto who = worker_at(d.below(s.graph->workers()));
    const auto near = s.graph->neighbours(who);
    const auto died = d.duration(nanoseconds{0}, window);
    const auto again =
        died + (d.chance(0.3) ? nanoseconds{0} : d.duration(nanoseconds{0}, soon + 4 * longest));
    add(s, died, died, crash_fault{who, d.chance(0.5)});
    if (d.chance(0.7))
      for (auto n : near)
        if (d.chance(0.7)) {
          const auto told = died + d.duration(nanoseconds{0}, std::min(again - died, s.unit));
          add(s, told, told,
              suspicion_fault{
                  n, who, d.chance(0.2) ? neighbour_lost::cause::crashed : neighbour_lost::cause::silent});
        }
    auto restart = restart_fault{who, {near.begin(), near.end()}, {}};
    if (d.chance(0.7))
      restart.asked = {near[d.below(near.size())]};
    restart.begins_after = d.chance(0.3) ? nanoseconds{0} : d.duration(nanoseconds{0}, soon + 2 * longest);
    add(s, again, again + restart.begins_after, restart);
    for (auto n : near) {
      const auto stands = again + (d.chance(0.4)   ? nanoseconds{0}
                                   : d.chance(0.5) ? restart.begins_after
                                                   : d.duration(nanoseconds{0}, soon + 3 * longest));
      add(s, stands, stands, mend_fault{make_edge(who, n)});
    }
  }
}

void draw_stops(schedule& s, dice& d, nanoseconds window) {
  s.stops = true;
  const auto at = d.duration(nanoseconds{0}, window);
  const auto spread = d.chance(0.5) ? s.unit / 10 : 5 * s.unit;
  const auto all = d.chance(0.7);
  for (std::size_t i = 0; i < s.graph->workers(); ++i)
    if (all || d.chance(0.3)) {
      const auto when = at + d.duration(nanoseconds{0}, spread);
      add(s, when, when, stop_fault{worker_at(i)});
    }
}

/// Restarts twice as often as each of the others: what can go wrong with them is rare.
trouble draw_trouble(dice& d) {
  const auto kind = 1 + d.below(10);
  return kind == 10 ? trouble::restarts : static_cast<trouble>(kind);
}

schedule draw_schedule(const fuzz_family& family, std::uint64_t seed) {
  auto d = dice{split_mix(seed)};
  schedule s;
  s.graph = draw_graph(d);
  const auto n = s.graph->workers();
  auto& m = s.options.machine;
  m.graph = s.graph;
  m.on_miss = family.on_miss;
  auto text = std::string{family.policy};
  if (text == "static")
    text += ":" + std::to_string(d.below(s.graph->smallest_degree()));
  m.policy = parse_policy(text, s.graph->smallest_degree(), worker_id{});
  if (d.chance(0.25))
    m.weights = d.chance(0.5) ? weight_rule::active : weight_rule::graph;
  if (d.chance(0.3))
    m.connect.how = connect_spec::kind::path;
  s.text = std::string{family.name} + " " + text + " " + s.graph->name() + " n=" + std::to_string(n) +
           " e=" + std::to_string(s.graph->edges().size());
  draw_pace(s, d);
  m.last_round = 30 + d.below(16);
  if (d.chance(0.2))
    m.last_round += 4 * n;
  s.kind = d.chance(0.35) ? trouble::none : draw_trouble(d);
  // Faults come while about the first half of the rounds is done.
  const auto window = s.unit * static_cast<std::int64_t>(m.last_round / 2);
  const auto all = s.kind == trouble::everything;
  const auto once = [&](trouble k) { return s.kind == k || (all && d.chance(0.4)); };
  if (s.kind == trouble::timeouts) { // closing early is local and must do no harm
    m.round_timeout = d.duration(s.unit / 2, 6 * s.unit);
    m.last_round += 4 * n;
  }
  if (s.kind > trouble::timeouts && (s.kind != trouble::crashes || d.chance(0.5)))
    s.options.suspect_after =
        std::max<nanoseconds>({s.unit * static_cast<std::int64_t>(2 + d.below(9)),
                               s.step_max / static_cast<std::int64_t>(1 + d.below(8)),
                               3 * s.latency_max * static_cast<std::int64_t>(d.below(3))});
  if (once(trouble::crashes))
    draw_crashes(s, d, window, false);
  else if (once(trouble::silent_crashes))
    draw_crashes(s, d, window, true);
  if (once(trouble::hangs))
    draw_hangs(s, d, window);
  if (once(trouble::suspicions))
    draw_suspicions(s, d, window);
  if (once(trouble::partition))
    draw_partition(s, d, window);
  if (once(trouble::reconnections))
    draw_reconnections(s, d, window);
  if (once(trouble::restarts))
    draw_restarts(s, d, window);
  s.tail_from = s.quiet_from + 4 * s.options.suspect_after.value_or(nanoseconds{0}) + 20 * s.latency_max +
                2 * s.step_max;
  // Where suspicion is hastier than the links, honest workers are given up now and then all along.
  if (s.options.suspect_after && *s.options.suspect_after < 2 * s.latency_max)
    s.jumpy = true;
  m.last_round += s.kind == trouble::none
                      ? 0
                      : std::min<round_number>(static_cast<round_number>(s.tail_from / s.unit), 40);
  if (d.chance(0.15))
    draw_stops(s, d, 2 * window);
  const auto rounds = static_cast<std::int64_t>(m.last_round);
  const auto per_round = s.step_max + s.latency_max * static_cast<std::int64_t>(n + 6);
  s.limit =
      20 * rounds * per_round + 100 * s.quiet_from +
      static_cast<std::int64_t>(s.faults.size()) * 50 *
          (s.options.suspect_after.value_or(nanoseconds{0}) + std::chrono::seconds{10} + 10 * s.step_max);
  // Timeouts beyond all waits for what fails and is noticed: then there must be none, and a worker that waits
  // for what never comes cannot hide behind one.
  if (s.kind > trouble::timeouts && d.chance(0.5)) {
    s.patient = true;
    m.round_timeout = static_cast<std::int64_t>(1 + s.faults.size()) *
                      (s.step_max + 4 * s.latency_max * static_cast<std::int64_t>(n) +
                       5 * s.options.suspect_after.value_or(nanoseconds{0}) + 4 * s.unit);
    s.limit += 20 * *m.round_timeout;
  }
  s.text += std::string{" trouble="} + trouble_names[static_cast<int>(s.kind)] + (s.stops ? " stops" : "") +
            " rounds=" + std::to_string(m.last_round) + " faults=" + std::to_string(s.faults.size());
  return s;
}

// --- The checks.

class inspector final : public simulation_observer {
public:
  inspector(const schedule& s, bool trace)
      : schedule_(s), trace_(trace), audit_(s.graph), worker_(s.graph->workers()) {}

  void watch(const network_simulation& sim) { sim_ = &sim; }

  void round_done(nanoseconds now, const round_record& r, const mix_report& report) override {
    auto& w = worker_[index_of(report.worker)];
    expect(r.round > w.round, [&] { return "a round completed twice"; });
    expect(r.round <= schedule_.options.machine.last_round, [&] { return "a round after the last"; });
    expect(r.started <= r.joined && r.joined <= r.closed && r.closed <= r.mixed && r.mixed == now,
           [&] { return "a round's moments are out of order"; });
    w.round = r.round;
    // A joiner whose neighbours have all died since waits for somebody to tell it where they are.
    if (std::exchange(w.joins, false) && r.timed_out && live_degree(report.worker) == 0)
      ++timeouts_alone_;
    audit_.add(report);
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
    if (schedule_.options.machine.policy.name == "full" && !schedule_.stops &&
        schedule_.kind != trouble::timeouts)
      expect(r.committed.size() == live_degree(report.worker), [&] {
        return "full was not full: worker " + to_string(report.worker) + ", round " + std::to_string(r.round);
      });
  }

  void crashed(nanoseconds, worker_id id) override {
    auto& w = worker_[index_of(id)];
    w.crashed = true;
    if (!w.finished) {
      audit_.lost(id);
      if (tail_)
        tail_->lost(id);
    }
  }

  void restarted(nanoseconds, worker_id id, round_number completed) override {
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

  void finished(nanoseconds, worker_id id, const dybw::finished&) override {
    worker_[index_of(id)].finished = true;
    ++left_;
    audit_.left(id);
    if (tail_)
      tail_->left(id);
  }

  void stepped(nanoseconds now, worker_id id, const event& e, const std::vector<effect>& effects) override {
    if (trace_)
      std::cerr << transcript_line(now, id, e, effects) << '\n';
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
    expect(sim.peaks().facts <= sim.workers() + schedule_.graph->edges().size(),
           [&] { return "too many facts"; });
    std::uint64_t timeouts = 0;
    for (std::size_t i = 0; i < sim.workers(); ++i) {
      result.rounds = std::max(result.rounds, sim.machine(worker_at(i)).completed());
      timeouts += sim.machine(worker_at(i)).counters().timeouts;
      result.fingerprint += static_cast<double>(i + 1) * scalar_model::value(sim.estimate_of(worker_at(i)));
    }
    if (schedule_.kind == trouble::none || (schedule_.patient && !schedule_.jumpy))
      expect(timeouts == timeouts_alone_,
             [&] { return std::to_string(timeouts) + " timeouts although nobody was waited for in vain"; });
    conclude_tail(sim);
    if (is_honest()) {
      conclude_honest(sim, model);
      conclude_closings();
    }
    conclude_membership(sim);
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
    auto parent = std::vector<std::size_t>(worker_.size());
    std::iota(parent.begin(), parent.end(), std::size_t{0});
    const auto root = [&](std::size_t i) {
      while (parent[i] != i)
        i = parent[i];
      return i;
    };
    auto parts = static_cast<std::size_t>(
        std::count_if(worker_.begin(), worker_.end(), [](const auto& w) { return !w.crashed; }));
    for (auto e : schedule_.graph->edges()) {
      const auto a = root(index_of(e.a));
      const auto b = root(index_of(e.b));
      if (a == b || worker_[index_of(e.a)].crashed || worker_[index_of(e.b)].crashed)
        continue;
      parent[a] = b;
      --parts;
    }
    return parts <= 1;
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
    if (schedule_.stops || schedule_.kind == trouble::timeouts || !by_threshold() ||
        !live_graph_is_connected())
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
    if (schedule_.kind != trouble::none || left_ > 0 || schedule_.options.machine.policy.name == "static")
      return;
    const auto newest = sim_->machine(id).completed();
    const auto ahead_max =
        worker_.size() + 2 * static_cast<std::size_t>(schedule_.latency_max / schedule_.step_min);
    for (std::size_t i = 0; i < worker_.size(); ++i)
      expect(newest <= sim_->machine(worker_at(i)).completed() + ahead_max,
             [&] { return "worker " + to_string(id) + " is too many rounds ahead"; });
  }

  void conclude_honest(const network_simulation& sim, const scalar_model& model) {
    double sum = 0;
    for (std::size_t i = 0; i < sim.workers(); ++i)
      sum += scalar_model::value(sim.estimate_of(worker_at(i)));
    expect(std::abs(sum - model.sum_put_in()) < 1e-8, [&] { return "the sum of the estimates was moved"; });
    expect(sim.peaks().facts == 0, [&] { return "facts without failures"; });
    expect(sim.peaks().blocks_under_way <= flow_window::blocks_max,
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
  std::optional<mixing_audit> tail_;
  std::vector<worker_notes> worker_;
  const network_simulation* sim_ = nullptr;
  std::size_t left_ = 0;
  std::uint64_t timeouts_alone_ = 0;
  round_number tail_after_ = 0; ///< rounds after this one are the tail
  std::map<round_number, closing> closings_;
};

} // namespace

fuzz_result run_schedule(const fuzz_family& family, std::uint64_t seed, bool trace) {
  const auto s = draw_schedule(family, seed);
  auto model = scalar_model{split_mix(seed + 1)};
  auto check = inspector{s, trace};
  if (trace) {
    std::cerr << s.text << '\n';
    for (auto e : s.graph->edges())
      std::cerr << to_string(e.a) << '-' << to_string(e.b) << ' ';
    std::cerr << '\n';
  }
  auto sim = network_simulation{s.options, &model, &check};
  check.watch(sim);
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
