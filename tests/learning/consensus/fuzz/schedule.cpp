#include "tests/learning/consensus/fuzz/schedule.hpp"

#include <algorithm>
#include <set>

namespace dybw::test {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

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
  s.spikes = how == noise::spikes;
  const auto unit = to_seconds(s.unit);
  const auto cap = unit * slowest * 1.5;
  const auto spike = s.unit == seconds{1} ? 3.0 : 20.0;
  s.step_max = from_seconds(unit * *std::max_element(factors.begin(), factors.end()) *
                            (how == noise::spikes ? spike : 3));
  s.step_max = std::min(s.step_max, from_seconds(cap));
  const auto own_seed = split_mix(d.below(1u << 30));
  auto own = dice{own_seed};
  const auto gradients = s.gradients = own_seed % 2 == 0 ? 1 : 1 + own_seed / 2 % 4;
  s.options.step_time = [=](worker_id id, nanoseconds) mutable {
    auto t = unit * factors[index_of(id)];
    if (how == noise::uniform)
      t *= own.uniform(0.5, 1.5);
    else if (how == noise::exponential)
      t *= 0.2 + std::min(own.exponential(), 2.5);
    else if (how == noise::spikes)
      t *= own.chance(0.05) ? spike : 1;
    return stride{from_seconds(std::min(t, cap)), gradients};
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

/// What operators do every week: one process after the other, each with some workers, is told to end, says
/// `leaving`, and joins again as a new one. Some before all their workers have left; some while the next one
/// leaves already.
void draw_rolling_restart(schedule& s, dice& d, nanoseconds window) {
  const auto suspect = *s.options.suspect_after;
  const auto soon = s.unit + s.latency_max;
  const auto processes = 2 + d.below(s.graph->workers());
  const auto restarted = 1 + d.below(std::min<std::size_t>(processes, 4));
  auto begin = d.duration(nanoseconds{0}, window / 2);
  for (std::size_t p = 0; p < restarted; ++p) {
    const auto told = begin;
    const auto ends = told + (d.chance(0.8) ? s.step_max + 4 * s.latency_max : nanoseconds{0}) +
                      d.duration(nanoseconds{0}, 2 * soon);
    const auto again = ends + d.duration(nanoseconds{0}, d.chance(0.5) ? 2 * soon : 4 * suspect);
    const auto begins_after = d.chance(0.3) ? nanoseconds{0} : d.duration(nanoseconds{0}, soon);
    for (auto i = p; i < s.graph->workers(); i += processes) {
      const auto who = worker_at(i);
      const auto near = s.graph->neighbours(who);
      add(s, told, told, stop_fault{who});
      add(s, ends, ends, crash_fault{who, false});
      for (auto n : near)
        if (d.chance(0.8)) { // the connection closes
          const auto closed = ends + d.duration(nanoseconds{0}, s.latency_max);
          add(s, closed, closed, suspicion_fault{n, who, neighbour_lost::cause::silent});
        }
      auto restart = restart_fault{who, {near.begin(), near.end()}, begins_after};
      add(s, again, again + begins_after, restart);
      for (auto n : near) {
        const auto stands = again + (d.chance(0.5) ? begins_after : d.duration(nanoseconds{0}, 2 * soon));
        add(s, stands, stands, mend_fault{make_edge(who, n)});
      }
    }
    begin =
        d.chance(0.3) ? d.duration(told, again) : again + begins_after + d.duration(nanoseconds{0}, 4 * soon);
  }
}

void draw_stops(schedule& s, dice& d, nanoseconds window) {
  s.stops = true;
  const auto at = d.duration(nanoseconds{0}, window);
  const auto spread = d.chance(0.5) ? s.unit / 10 : 5 * s.unit;
  const auto all = s.stops_all = d.chance(0.7);
  for (std::size_t i = 0; i < s.graph->workers(); ++i)
    if (all || d.chance(0.3)) {
      const auto when = at + d.duration(nanoseconds{0}, spread);
      add(s, when, when, stop_fault{worker_at(i)});
    }
}

/// What a broken worker may say, now and then, between what it says rightly: rounds and sweeps that cannot
/// be.
void draw_forgeries(schedule& s, dice& d, nanoseconds window) {
  s.forges = true;
  const auto last = s.options.machine.last_round;
  for (auto count = 1 + d.below(4); count > 0; --count) {
    const auto from = worker_at(d.below(s.graph->workers()));
    const auto near = s.graph->neighbours(from);
    const round_number absurd[] = {~round_number{0}, ~round_number{0} - d.below(3), last + 1 + d.below(9)};
    const auto round = absurd[d.below(3)];
    const auto e = s.graph->edges()[d.below(s.graph->edges().size())];
    const protocol_message said[] = {estimate{round, d.chance(0.5)},
                                     accept{round},
                                     closed{round, static_cast<std::uint32_t>(d.below(3))},
                                     threshold{0, d.below(2), round, e},
                                     threshold{0, 0, round, std::nullopt},
                                     threshold{0, last + round / 2, 1 + d.below(last), e}};
    s.faults.emplace_back(d.duration(nanoseconds{0}, window),
                          forged_fault{from, near[d.below(near.size())], said[d.below(6)]});
  }
}

/// Steps that hang, for less than a round or for more than the others take for all of theirs.
void draw_stalls(schedule& s, dice& d, nanoseconds window) {
  s.stalls = true;
  const auto n = static_cast<std::int64_t>(s.graph->workers());
  const auto whole = s.unit * static_cast<std::int64_t>(s.options.machine.last_round);
  for (auto count = 1 + d.below(4); count > 0; --count) {
    const auto at = d.duration(nanoseconds{0}, window);
    const auto length = d.chance(0.7) ? d.duration(s.unit, whole / 4) : d.duration(whole, 8 * whole);
    // Usually so late that the word of it does not overtake what the worker has said before.
    const auto noticed_after =
        d.chance(0.8) ? n * s.latency_max + d.duration(nanoseconds{0}, s.unit) : nanoseconds{0};
    s.hasty = s.hasty || noticed_after < n * s.latency_max;
    add(s, at, at + length, stall_fault{worker_at(d.below(s.graph->workers())), length, noticed_after});
  }
}

/// Restarts twice as often as each of the others: what can go wrong with them is rare.
trouble draw_trouble(dice& d) {
  const auto kind = d.below(11);
  if (kind == 0)
    return trouble::timeouts;
  return kind == 10 ? trouble::restarts : static_cast<trouble>(kind + 2);
}

/// What is forged would be no coded block.
void draw_methods(schedule& s, dice& own, std::uint64_t correction_seed) {
  const block_format formats[] = {block_format::float32, block_format::float16, block_format::int8,
                                  block_format::int8};
  if (!s.forges && own.chance(0.5))
    s.options.send = formats[own.below(4)];
  s.options.machine.corrects = dice{correction_seed}.chance(0.5);
  s.text += " send=" + std::string{to_string(s.options.send)};
  s.text += s.options.machine.corrects ? " corrects" : "";
}

} // namespace

schedule draw_schedule(const fuzz_family& family, std::uint64_t seed) {
  auto d = dice{split_mix(seed)};
  schedule s;
  s.graph = draw_graph(d);
  const auto n = s.graph->workers();
  auto& m = s.options.machine;
  m.graph = s.graph;
  m.on_miss = family.on_miss;
  auto text = std::string{family.policy};
  if (text == "static" || text == "hop")
    text += ":" + std::to_string(d.below(s.graph->smallest_degree()));
  if (text.starts_with("hop"))
    text += ":" + std::to_string(1 + d.below(5));
  m.policy = parse_policy(text, s.graph->smallest_degree(), worker_id{});
  if (d.chance(0.25))
    m.weights = d.chance(0.5) ? weight_rule::active : weight_rule::graph;
  if (d.chance(0.3))
    m.connect = std::make_shared<const connect_spec>(connect_spec{connect_spec::kind::path, {}});
  if (family.any_edges) {
    m.connect = std::make_shared<const connect_spec>(connect_spec{connect_spec::kind::any, {}});
    m.on_miss = seed % 2 == 0 ? miss_rule::carry : miss_rule::discard;
  }
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
  // Of their own numbers, so that a seed's schedule is otherwise what it would be without.
  auto stalls = dice{split_mix(split_mix(seed) + 6)};
  if (s.kind != trouble::timeouts && stalls.chance(0.15)) {
    if (s.kind == trouble::none)
      s.kind = trouble::stalls;
    draw_stalls(s, stalls, window);
  }
  if (s.kind == trouble::timeouts) { // closing early is local and must do no harm
    m.round_timeout = d.duration(s.unit / 2, 6 * s.unit);
    m.last_round += 4 * n;
  }
  if (s.kind > trouble::stalls && (s.kind != trouble::crashes || d.chance(0.5)))
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
  if (once(trouble::rolling))
    draw_rolling_restart(s, d, window);
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
  // for what never comes cannot hide behind one. Whom it waits for may wait for others, all with a long step.
  s.patient = s.kind > trouble::timeouts && d.chance(0.5);
  if (s.patient || (s.kind == trouble::none && s.spikes)) {
    m.round_timeout = static_cast<std::int64_t>(1 + s.faults.size()) *
                      ((s.step_max + 4 * s.latency_max) * static_cast<std::int64_t>(n) +
                       5 * s.options.suspect_after.value_or(nanoseconds{0}) + 4 * s.unit);
    s.limit += 20 * *m.round_timeout;
  }
  auto own = dice{split_mix(split_mix(seed) + 1)};
  if (!m.policy.averages_in_pairs() && own.chance(0.15))
    draw_forgeries(s, own, 2 * window);
  draw_methods(s, own, split_mix(split_mix(seed) + 7));
  s.text += std::string{" trouble="} + trouble_names[static_cast<int>(s.kind)] + (s.stops ? " stops" : "") +
            (s.forges ? " forges" : "") + (s.stalls ? " stalls" : "") +
            " rounds=" + std::to_string(m.last_round) + " faults=" + std::to_string(s.faults.size());
  return s;
}

} // namespace dybw::test
