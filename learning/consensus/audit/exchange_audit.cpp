#include "learning/consensus/audit/exchange_audit.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace dybw {

namespace {

constexpr std::size_t violations_max = 20;

std::size_t index_of_edge(const topology& graph, worker_id a, worker_id b) {
  const auto& edges = graph.edges();
  const auto found = std::lower_bound(edges.begin(), edges.end(), make_edge(a, b));
  assert(found != edges.end() && *found == make_edge(a, b));
  return static_cast<std::size_t>(found - edges.begin());
}

} // namespace

exchange_audit::exchange_audit(std::shared_ptr<const topology> graph)
    : graph_(std::move(graph)), workers_(graph_->workers()), edges_(graph_->edges().size()),
      joined_(graph_->workers()), components_(graph_->workers()) {}

void exchange_audit::add(const exchange_half& half) {
  if (!graph_->has_edge(half.worker, half.neighbour))
    return; // nobody's who is of this run
  auto& w = workers_[index_of(half.worker)];
  w.newest = std::max(w.newest, half.round);
  newest_round_ = std::max(newest_round_, half.round);
  const auto e = index_of_edge(*graph_, half.worker, half.neighbour);
  const name key{e, half.first, half.number};
  const auto [other, is_first] = in_flight_.try_emplace(key, half);
  if (is_first)
    return bound_pending(e);
  if (other->second.worker == half.worker) {
    ++summary_.one_sided_edges;
    violations_.push_back(sentence(half, "added its half twice"));
    return;
  }
  match(other->second, half, e);
  in_flight_.erase(other);
  --edges_[e].pending;
  settle_before(key);
}

/// Both ends have reported up to here, in order: what is before stays single.
void exchange_audit::settle_before(const name& matched) {
  const auto& [edge, first, number] = matched;
  auto i = in_flight_.lower_bound({edge, first, 0});
  while (i != in_flight_.end() && i->first < matched) {
    i = in_flight_.erase(i);
    --edges_[edge].pending;
    ++edges_[edge].single;
  }
}

/// One end's reports do not come, maybe for days: loses sight of the edge rather than memory.
void exchange_audit::bound_pending(std::size_t edge_index) {
  auto& e = edges_[edge_index];
  if (++e.pending <= pending_max)
    return;
  in_flight_.erase(in_flight_.lower_bound({edge_index, worker_id{0}, 0}));
  --e.pending;
  ++e.single;
  e.ever_lost = true;
}

void exchange_audit::match(const exchange_half& a, const exchange_half& b, std::size_t edge_index) {
  ++summary_.rounds_audited;
  const auto column_error = std::abs(a.weight - b.weight);
  const auto size = std::max(a.size, b.size);
  const auto projection_error = size > 0 ? std::abs(a.projection + b.projection) / size : 0;
  summary_.max_column_error = std::max(summary_.max_column_error, column_error);
  summary_.max_projection_error = std::max(summary_.max_projection_error, projection_error);
  if ((column_error > 1e-9 || projection_error > 1e-5) && violations_.size() < violations_max)
    violations_.push_back(sentence(a, "and its neighbour did not add opposite amounts"));
  auto& e = edges_[edge_index];
  ++e.exchanges;
  const auto& lower = a.worker < b.worker ? a : b;
  const auto& upper = a.worker < b.worker ? b : a;
  longest_gap_ = std::max({longest_gap_, lower.round - std::min(lower.round, e.seen_a),
                           upper.round - std::min(upper.round, e.seen_b)});
  e.seen_a = lower.round;
  e.seen_b = upper.round;
  join(edge_index);
}

void exchange_audit::join(std::size_t edge_index) {
  if (!joined_.join(graph_->edges()[edge_index]) || --components_ > 1)
    return;
  summary_.connect_rounds_max = std::max(summary_.connect_rounds_max, newest_round_ - stretch_begin_);
  stretch_begin_ = newest_round_;
  components_ = workers_.size();
  joined_.part_all();
}

void exchange_audit::edge_lost(worker_id worker, worker_id neighbour) {
  if (graph_->has_edge(worker, neighbour))
    edges_[index_of_edge(*graph_, worker, neighbour)].ever_lost = true;
}

void exchange_audit::left(worker_id worker) {
  workers_[index_of(worker)].left = true;
}

void exchange_audit::lost(worker_id worker) {
  workers_[index_of(worker)].ever_lost = true;
}

void exchange_audit::back(worker_id worker) {
  auto& w = workers_[index_of(worker)];
  w.ever_lost = true; // what its predecessor had in flight is not known
  w.left = false;
}

bool exchange_audit::is_excused(std::size_t edge_index) const {
  const auto ends = graph_->edges()[edge_index];
  return edges_[edge_index].ever_lost || workers_[index_of(ends.a)].ever_lost ||
         workers_[index_of(ends.b)].ever_lost;
}

mixing_summary exchange_audit::summary() const {
  auto s = summary_;
  for (const auto& [key, half] : in_flight_) {
    if (is_excused(std::get<0>(key)))
      ++s.edges_lost;
    else if (workers_[index_of(half.neighbour)].left)
      ++s.one_sided_edges;
    else
      ++s.rounds_unaudited;
  }
  for (std::size_t i = 0; i < edges_.size(); ++i)
    (is_excused(i) ? s.edges_lost : s.one_sided_edges) += edges_[i].single;
  return s;
}

std::vector<edge_activity> exchange_audit::activity() const {
  std::vector<edge_activity> all;
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    const auto e = graph_->edges()[i];
    const auto rounds =
        std::max({workers_[index_of(e.a)].newest, workers_[index_of(e.b)].newest, round_number{1}});
    all.push_back({e, std::min(1.0, static_cast<double>(edges_[i].exchanges) / static_cast<double>(rounds))});
  }
  return all;
}

double exchange_audit::mean_active_share() const {
  double sum = 0;
  for (const auto& a : activity())
    sum += a.active_share;
  return edges_.empty() ? 0 : sum / static_cast<double>(edges_.size());
}

std::string exchange_audit::sentence(const exchange_half& half, const std::string& what) const {
  return "worker " + to_string(half.worker) + ", exchange " + std::to_string(half.number) + " of worker " +
         to_string(half.first) + " with worker " +
         to_string(half.first == half.worker ? half.neighbour : half.worker) + ": " + what;
}

} // namespace dybw
