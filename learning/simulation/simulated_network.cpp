#include "learning/simulation/simulated_network.hpp"

#include <algorithm>
#include <cassert>

namespace dybw {

virtual_time_over::virtual_time_over(const std::string& what_happens)
    : std::runtime_error("virtual time ends after 9e9 s, some 285 years, while " + what_happens +
                         "; choose shorter times, fewer --rounds or a --time-limit") {}

simulated_network::simulated_network(simulation_options o) : options(std::move(o)) {
  assert(options.machine.graph && options.step_time && options.latency);
  auto& shared = options.machine;
  const auto& graph = *shared.graph;
  if (!shared.parts)
    shared.parts = parts_for(shared);
  if (!shared.effects)
    shared.effects = std::make_shared<std::vector<effect>>();
  shells.reserve(graph.workers());
  links.reserve(2 * graph.edges().size());
  if (shared.policy.averages_in_pairs())
    told.resize(2 * graph.edges().size());
  if (options.send != block_format::float32)
    codes.resize(2 * graph.edges().size());
  for (std::size_t i = 0; i < graph.workers(); ++i) {
    auto machine = shared;
    machine.self = worker_at(i);
    auto& s = shells.emplace_back(make_shell(std::move(machine)));
    s.first_link = links.size();
    for (auto to : graph.neighbours(s.id)) {
      auto& l = links.emplace_back(pool);
      l.from = s.id;
      l.to = to;
    }
    begin(s);
  }
  for (auto& l : links) {
    l.reverse = static_cast<std::uint32_t>(link_between(l.to, l.from));
    l.to_slot = static_cast<std::uint32_t>(l.reverse - at(l.to).first_link);
  }
  unfinished = shells.size();
}

simulated_shell simulated_network::make_shell(machine_options machine) const {
  const auto neighbours = machine.graph->degree(machine.self);
  return {std::move(machine), neighbours, options.suspect_after.value_or(std::chrono::hours{1})};
}

std::size_t simulated_network::link_between(worker_id from, worker_id to) const {
  const auto ids = options.machine.graph->neighbours(from);
  const auto i = std::lower_bound(ids.begin(), ids.end(), to);
  assert(i != ids.end() && *i == to);
  return at(from).first_link + static_cast<std::size_t>(i - ids.begin());
}

void simulated_network::begin(simulated_shell& s) {
  s.detector.begin(now());
  push(now(), s, {occurrence::kind::start});
  if (!options.suspect_after)
    return;
  const auto every = s.detector.heartbeat_every(); // spread out, as real processes' are
  const auto first = every * static_cast<std::int64_t>(index_of(s.id) + 1) /
                     static_cast<std::int64_t>(options.machine.graph->workers());
  push(now() + first, s, {occurrence::kind::pulse});
}

void simulated_network::push(nanoseconds when, const simulated_shell& s, occurrence o) {
  o.worker = static_cast<std::uint32_t>(s.id);
  o.era = s.incarnation;
  queue.push(when, o);
}

nanoseconds simulated_network::moment_after(nanoseconds takes, const char* what) const {
  if (takes > last_moment - now())
    throw virtual_time_over{what};
  return now() + takes;
}

void simulated_network::post(std::size_t link_index, envelope e) {
  auto& way = links[link_index].way;
  if (way.post(std::move(e)))
    schedule_delivery(link_index);
  peaks.messages_under_way = std::max(peaks.messages_under_way, way.messages_under_way());
  peaks.blocks_under_way = std::max(peaks.blocks_under_way, way.blocks_under_way());
}

void simulated_network::schedule_delivery(std::size_t link_index) {
  auto& l = links[link_index];
  // Which of the messages under way a delivery brings is only decided when it happens: the first. So all that
  // matters here of the message is its size.
  auto use = link_use{l.from, l.to, l.way.newest().carries_parameters()};
  use.is_change = use.parameters && !codes.empty() &&
                  static_cast<const coded_estimate*>(l.way.newest().block.get())->base.number != 0;
  const auto takes = options.latency(use, now());
  moment_after(takes, "a message is under way");
  queue.push(l.way.arrival(now(), takes),
             {occurrence::kind::delivery, static_cast<std::uint32_t>(l.to), l.way.connection(), link_index});
}

} // namespace dybw
