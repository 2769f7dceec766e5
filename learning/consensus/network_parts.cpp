#include "learning/consensus/network_parts.hpp"

#include "learning/graph/worker_sets.hpp"

#include <algorithm>
#include <cassert>

namespace dybw {

namespace {

/// So many worker's numbers are kept of all generations together.
constexpr std::size_t numbers_max = 4'000'000;

} // namespace

known_parts::known_parts(std::shared_ptr<const topology> graph, std::shared_ptr<const connect_spec> connect)
    : graph_(std::move(graph)), connect_(std::move(connect)),
      generations_max_(std::clamp<std::size_t>(numbers_max / graph_->workers(), 16, 256)) {}

network_part known_parts::part_of(worker_id id, const membership& facts) {
  return look_at(facts).up.of(id).what;
}

coverage_sweep::edge_set known_parts::connecting(worker_id id, const membership& facts) {
  auto& g = look_at(facts);
  auto& edges = (g.working ? *g.working : g.up).of(id).connecting;
  if (!edges) {
    ++edge_sets_made_;
    edges = std::make_shared<const std::vector<edge>>(connecting_edges(
        *graph_, connect_ ? *connect_ : connect_spec{}, id, [&facts](edge e) { return facts.usable(e); }));
  }
  return edges;
}

known_parts::generation& known_parts::look_at(const membership& facts) {
  const auto number = facts.generation();
  if (const auto known = known_.find(number); known != known_.end())
    return known->second;
  if (order_.size() == generations_max_) {
    known_.erase(order_.front());
    order_.pop_front();
  }
  ++generations_seen_;
  order_.push_back(number);
  const auto known_facts = facts.facts();
  generation g{find_parts(known_facts, true), std::nullopt};
  if (std::ranges::any_of(known_facts, &fact::rests))
    g.working = find_parts(known_facts, false);
  return known_.emplace(number, std::move(g)).first->second;
}

known_parts::partition known_parts::find_parts(const std::vector<fact>& facts, bool with_resting) const {
  const auto workers = graph_->workers();
  const auto edges = graph_->edges();
  std::vector<bool> worker_down(workers);
  std::vector<bool> link_down(edges.size());
  for (const auto& f : facts) {
    if (f.up && (with_resting || !f.rests))
      continue;
    if (f.a == f.b) {
      worker_down[index_of(f.a)] = true;
      continue;
    }
    const auto i = std::lower_bound(edges.begin(), edges.end(), edge{f.a, f.b});
    assert(i != edges.end() && *i == (edge{f.a, f.b}));
    link_down[static_cast<std::size_t>(i - edges.begin())] = true;
  }
  worker_sets together{workers};
  for (std::size_t i = 0; i < edges.size(); ++i)
    if (!link_down[i] && !worker_down[index_of(edges[i].a)] && !worker_down[index_of(edges[i].b)])
      together.join(edges[i]);

  constexpr auto none = ~std::uint32_t{0};
  partition g;
  g.part_of.resize(workers);
  std::vector<std::uint32_t> part_of_set(workers, none);
  for (std::size_t i = 0; i < workers; ++i) {
    auto& place = part_of_set[together.set_of(worker_at(i))];
    if (place == none) {
      place = static_cast<std::uint32_t>(g.parts.size());
      g.parts.push_back({{0, worker_at(i)}, nullptr});
    }
    ++g.parts[place].what.workers;
    g.part_of[i] = place;
  }
  return g;
}

} // namespace dybw
