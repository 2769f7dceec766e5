#include "learning/consensus/audit/exchange_audit.hpp"

#include "learning/consensus/audit/audit_error.hpp"

#include <algorithm>
#include <cmath>

namespace dybw {

namespace {

constexpr std::size_t violations_max = 20;
constexpr const char* no_other_half = "the other half is missing";

} // namespace

exchange_audit::exchange_audit(std::shared_ptr<const topology> graph)
    : graph_(std::move(graph)), numbers_(*graph_), workers_(graph_->workers()), edges_(numbers_.count()),
      joined_(graph_->workers()), components_(graph_->workers()) {}

void exchange_audit::add(const exchange_half& half) {
  if (index_of(half.worker) >= workers_.size())
    return;
  const auto e = numbers_.between(half.worker, half.neighbour);
  if (e == numbers_.count() || (half.first != half.worker && half.first != half.neighbour))
    return; // nobody's who is of this run
  auto& w = workers_[index_of(half.worker)];
  w.newest = std::max(w.newest, half.round);
  newest_round_ = std::max(newest_round_, half.round);
  const auto grown = w.correction.grown(half.generation, half.correction, half.correction_size);
  if (half.number <= stream_of(e, half.first).dropped)
    return;
  const name key{e, half.first, half.number};
  const pending_half present{half, grown, ++added_};
  const auto [other, is_first] = in_flight_.try_emplace(key, present);
  if (is_first) {
    ++edges_[e].pending;
    return bound_pending(e);
  }
  const auto before = other->second;
  if (before.half.worker == half.worker)
    return note_one_sided(half, "added its half twice");
  match(before, present, e);
  in_flight_.erase(other);
  --edges_[e].pending;
  settle_before(key);
  end_excuse(before, e);
  end_excuse(present, e);
}

/// Both ends have reported up to here, in order: what is before stays alone.
void exchange_audit::settle_before(const name& matched) {
  const auto& [edge, first, number] = matched;
  auto i = in_flight_.lower_bound({edge, first, 0});
  while (i != in_flight_.end() && i->first < matched) {
    leave_alone(i->second.half, edge);
    i = in_flight_.erase(i);
    --edges_[edge].pending;
  }
}

void exchange_audit::leave_alone(const exchange_half& half, std::size_t edge_index) {
  auto& x = stream_of(edge_index, half.first).lacking[end_of(edge_index, half.neighbour)];
  if (x.unknown || workers_[index_of(half.neighbour)].lost) {
    ++summary_.edges_lost;
  } else if (x.give_ups > 0) {
    --x.give_ups;
    ++summary_.edges_lost;
  } else {
    note_one_sided(half, no_other_half);
  }
}

/// With this half there is a pair. What its worker may have lacked before has been settled.
void exchange_audit::end_excuse(const pending_half& half, std::size_t edge_index) {
  const auto worker = half.half.worker;
  const auto& w = workers_[index_of(worker)];
  auto& x = stream_of(edge_index, half.half.first).lacking[end_of(edge_index, worker)];
  if (!w.lost && half.at > w.back_at)
    x.unknown = false;
  if (half.half.round > x.given_up_in)
    x.give_ups = 0;
}

/// One end's reports do not come, maybe for days.
void exchange_audit::bound_pending(std::size_t edge_index) {
  auto& e = edges_[edge_index];
  if (e.pending <= pending_max)
    return;
  const auto oldest = in_flight_.lower_bound({edge_index, worker_id{0}, 0});
  const auto& [edge, first, number] = oldest->first;
  stream_of(edge, first).dropped = number;
  in_flight_.erase(oldest);
  --e.pending;
  ++summary_.rounds_unaudited;
}

void exchange_audit::match(const pending_half& first, const pending_half& second, std::size_t edge_index) {
  const auto& a = first.half;
  const auto& b = second.half;
  match_corrections(first, second);
  ++summary_.rounds_audited;
  const auto column_error = audit_error(a.weight - b.weight);
  const auto size = std::sqrt(2 * (a.size * a.size + b.size * b.size)); // each end adds once
  const auto projection_error = audit_error(a.projection + b.projection, size);
  summary_.max_column_error = std::max(summary_.max_column_error, column_error);
  summary_.max_projection_error = std::max(summary_.max_projection_error, projection_error);
  if ((column_error > 1e-9 || projection_error > projection_error_max) && violations_.size() < violations_max)
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

/// It counts into both corrections or none, unless one of them has begun anew meanwhile.
void exchange_audit::match_corrections(const pending_half& first, const pending_half& second) {
  const auto& a = first.half;
  const auto& b = second.half;
  if (a.corrects != b.corrects) {
    if (a.generation == b.generation)
      note_one_sided(a, "it counts into the correction of one end only");
    return;
  }
  if (!first.grown || !second.grown)
    return;
  const auto size = std::sqrt(2.0) * std::hypot(first.grown->size, second.grown->size);
  const auto moved = a.corrects ? std::abs(first.grown->projection + second.grown->projection)
                                : std::abs(first.grown->projection) + std::abs(second.grown->projection);
  const auto error = audit_error(moved, size);
  summary_.max_projection_error = std::max(summary_.max_projection_error, error);
  if (error > projection_error_max && violations_.size() < violations_max)
    violations_.push_back(sentence(a, "it and its neighbour did not correct by opposite amounts"));
}

void exchange_audit::join(std::size_t edge_index) {
  if (!joined_.join(graph_->edges()[edge_index]) || --components_ > 1)
    return;
  summary_.connect_rounds_max = std::max(summary_.connect_rounds_max, newest_round_ - stretch_begin_);
  stretch_begin_ = newest_round_;
  components_ = workers_.size();
  joined_.part_all();
}

void exchange_audit::edge_lost(worker_id worker, worker_id neighbour, round_number round) {
  if (index_of(worker) >= workers_.size())
    return;
  const auto e = numbers_.between(worker, neighbour);
  if (e == numbers_.count())
    return;
  for (auto& s : edges_[e].streams) {
    auto& x = s.lacking[end_of(e, worker)];
    ++x.give_ups;
    x.given_up_in = std::max(x.given_up_in, round);
  }
}

void exchange_audit::left(worker_id worker) {
  workers_[index_of(worker)].left = true;
}

void exchange_audit::lost(worker_id worker) {
  workers_[index_of(worker)].lost = true;
}

void exchange_audit::back(worker_id worker) {
  auto& w = workers_[index_of(worker)];
  if (!w.lost && !w.left)
    return;
  w.lost = w.left = false;
  w.back_at = added_;
  w.correction.forget();
  for (auto neighbour : graph_->neighbours(worker)) {
    const auto e = numbers_.between(worker, neighbour);
    for (auto& s : edges_[e].streams)
      s.lacking[end_of(e, worker)].unknown = true; // what its predecessor had in flight
  }
}

/// Tells of each half in flight what it is if nothing more comes. They ascend by edge and who offered.
template <class Tell>
void exchange_audit::judge_in_flight(Tell tell) const {
  auto of = std::pair{edges_.size(), worker_id{}};
  std::array<std::uint64_t, 2> give_ups{};
  for (const auto& [key, pending] : in_flight_) {
    const auto& [edge, first, number] = key;
    const auto& lacking = edges_[edge].streams[end_of(edge, first)].lacking;
    if (of != std::pair{edge, first}) {
      of = {edge, first};
      give_ups = {lacking[0].give_ups, lacking[1].give_ups};
    }
    const auto end = end_of(edge, pending.half.neighbour);
    const auto& w = workers_[index_of(pending.half.neighbour)];
    if (lacking[end].unknown || w.lost) {
      tell(pending.half, alone::lost);
    } else if (give_ups[end] > 0) {
      --give_ups[end];
      tell(pending.half, alone::lost);
    } else {
      tell(pending.half, w.left ? alone::one_sided : alone::in_flight);
    }
  }
}

mixing_summary exchange_audit::summary() const {
  auto s = summary_;
  judge_in_flight([&s](const exchange_half&, alone what) {
    ++(what == alone::lost        ? s.edges_lost
       : what == alone::one_sided ? s.one_sided_edges
                                  : s.rounds_unaudited);
  });
  return s;
}

std::vector<std::string> exchange_audit::violations() const {
  auto all = violations_;
  judge_in_flight([&](const exchange_half& half, alone what) {
    if (what == alone::one_sided && all.size() < violations_max)
      all.push_back(sentence(half, no_other_half));
  });
  return all;
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

void exchange_audit::note_one_sided(const exchange_half& half, const std::string& what) {
  ++summary_.one_sided_edges;
  if (violations_.size() < violations_max)
    violations_.push_back(sentence(half, what));
}

std::string exchange_audit::sentence(const exchange_half& half, const std::string& what) const {
  return "worker " + to_string(half.worker) + ", exchange " + std::to_string(half.number) + " of worker " +
         to_string(half.first) + " with worker " +
         to_string(half.first == half.worker ? half.neighbour : half.worker) + ": " + what;
}

} // namespace dybw
