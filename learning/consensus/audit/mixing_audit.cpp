#include "learning/consensus/audit/mixing_audit.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <unordered_map>

namespace dybw {

namespace {

constexpr std::size_t violations_max = 20;

bool contains(const std::vector<worker_id>& ids, worker_id id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

const mix_term* find_term(const mix_report& report, worker_id neighbour) {
  for (const auto& t : report.committed)
    if (t.neighbour == neighbour)
      return &t;
  return nullptr;
}

} // namespace

mixing_audit::mixing_audit(std::shared_ptr<const topology> graph, round_number after)
    : graph_(std::move(graph)), workers_(graph_->workers()), active_(graph_->edges().size()),
      joined_(graph_->workers()), stretch_begin_(after), last_checked_(after) {}

void mixing_audit::add(mix_report report) {
  auto& w = workers_[index_of(report.worker)];
  if (w.returning)
    note_return(w, report.round);
  if (report.round <= std::max(w.reported, last_checked_))
    return;
  w.reported = report.round;
  pending_[report.round].push_back(std::move(report));
  advance();
}

void mixing_audit::left(worker_id worker) {
  workers_[index_of(worker)].left = true;
  advance();
}

void mixing_audit::lost(worker_id worker) {
  workers_[index_of(worker)].lost = true;
  advance();
}

void mixing_audit::back(worker_id worker) {
  auto& w = workers_[index_of(worker)];
  if (!w.lost && !w.left)
    return;
  w.lost = w.left = false;
  w.returning = true;
  w.back_after = w.reported;
  const auto neighbours = graph_->neighbours(worker);
  w.apart.assign(neighbours.begin(), neighbours.end());
}

void mixing_audit::note_return(worker_state& w, round_number first) {
  w.returning = false;
  const auto after = w.reported + 1;
  if (first != after)
    w.unknown.emplace_back(std::min(first, after), std::max(first, after) - 1);
}

/// Whether what the worker did in this round, if anything, is not known.
bool mixing_audit::is_unknown(worker_id worker, round_number round) const {
  const auto& w = workers_[index_of(worker)];
  if ((w.lost || w.returning) && w.reported < round)
    return true;
  return std::any_of(w.unknown.begin(), w.unknown.end(),
                     [round](const auto& x) { return x.first <= round && round <= x.second; });
}

/// Whether the edge may be one-sided. `other`: the neighbour's report of the round, null if there is none.
bool mixing_audit::is_excused(const mix_report& report, worker_id neighbour, const mix_report* other) const {
  if (contains(report.departed, neighbour) || is_unknown(report.worker, report.round) ||
      is_unknown(neighbour, report.round))
    return true;
  return other != nullptr ? contains(other->departed, report.worker)
                          : contains(workers_[index_of(neighbour)].apart, report.worker);
}

void mixing_audit::note_departed(const mix_report& report) {
  auto& w = workers_[index_of(report.worker)];
  if (report.round > w.back_after)
    std::erase_if(w.apart, [&](worker_id id) { return !contains(report.departed, id); });
}

void mixing_audit::advance() {
  auto complete = ~round_number{0};
  for (const auto& w : workers_)
    if (!w.left && !w.lost)
      complete = std::min(complete, w.reported);
  while (!pending_.empty() && pending_.begin()->first <= complete) {
    check(pending_.begin()->first, pending_.begin()->second);
    pending_.erase(pending_.begin());
  }
  for (auto& w : workers_)
    std::erase_if(w.unknown, [this](const auto& x) { return x.second <= last_checked_; });
  while (pending_.size() > rounds_pending_max) {
    ++summary_.rounds_unaudited;
    pending_.erase(pending_.begin());
  }
}

void mixing_audit::check(round_number round, const std::vector<mix_report>& reports) {
  if (last_checked_ == 0)
    stretch_begin_ = round - 1;
  ++summary_.rounds_audited;
  auto by_worker = std::unordered_map<worker_id, const mix_report*>{};
  for (const auto& r : reports)
    by_worker[r.worker] = &r;

  auto column = std::unordered_map<worker_id, double>{};
  auto excused =
      std::vector<worker_id>{}; // ends of lost edges: their columns and the projections cannot add up
  auto committed = std::vector<edge>{};
  double before = 0;
  double after = 0;
  double norms = 0;
  for (const auto& r : reports) {
    auto row = r.own_weight;
    column[r.worker] += r.own_weight;
    for (const auto& t : r.committed) {
      row += t.weight;
      column[t.neighbour] += t.weight;
      const auto other = by_worker.find(t.neighbour);
      if (other != by_worker.end() && find_term(*other->second, r.worker) != nullptr) {
        if (r.worker < t.neighbour)
          committed.push_back(make_edge(r.worker, t.neighbour));
        continue;
      }
      if (is_excused(r, t.neighbour, other == by_worker.end() ? nullptr : other->second)) {
        ++summary_.edges_lost;
        excused.push_back(r.worker);
        excused.push_back(t.neighbour);
      } else {
        ++summary_.one_sided_edges;
        note_violation("round " + std::to_string(round) + ": worker " + to_string(r.worker) +
                       " mixed with worker " + to_string(t.neighbour) + ", which did not mix with it");
      }
    }
    summary_.max_row_error = std::max(summary_.max_row_error, std::abs(row - 1));
    if (std::abs(row - 1) > 1e-9)
      note_violation("round " + std::to_string(round) + ": the row of worker " + to_string(r.worker) +
                     " sums to " + std::to_string(row));
    before += r.projection_before;
    after += r.projection_after;
    norms += r.norm_before;
  }
  for (const auto& r : reports) {
    const auto error = std::abs(column[r.worker] - 1);
    if (contains(excused, r.worker))
      continue;
    summary_.max_column_error = std::max(summary_.max_column_error, error);
    if (error > 1e-9)
      note_violation("round " + std::to_string(round) + ": the column of worker " + to_string(r.worker) +
                     " is off by " + std::to_string(error));
  }
  if (excused.empty() && norms > 0) {
    const auto error = std::abs(after - before) / norms;
    summary_.max_projection_error = std::max(summary_.max_projection_error, error);
    if (error > 1e-5)
      note_violation("round " + std::to_string(round) +
                     ": mixing moved the sum of the estimates (projection off by " + std::to_string(error) +
                     " of the norms)");
  }
  const auto edges = graph_->edges();
  for (auto e : committed) {
    const auto i = std::lower_bound(edges.begin(), edges.end(), e);
    if (i != edges.end() && *i == e)
      ++active_[static_cast<std::size_t>(i - edges.begin())];
  }
  join_components(round, committed);
  for (const auto& r : reports)
    note_departed(r);
  last_checked_ = round;
}

void mixing_audit::join_components(round_number round, const std::vector<edge>& committed) {
  for (auto e : committed)
    joined_.join(e);
  auto first = workers_.size();
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i].lost || is_unknown(worker_at(i), round))
      continue;
    if (first == workers_.size())
      first = i;
    if (!joined_.together(worker_at(i), worker_at(first)))
      return;
  }
  summary_.connect_rounds_max = std::max(summary_.connect_rounds_max, round - stretch_begin_);
  stretch_begin_ = round;
  joined_.part_all();
}

mixing_summary mixing_audit::summary() const {
  auto result = summary_;
  result.rounds_unaudited += pending_.size();
  result.connect_rounds_max =
      std::max(result.connect_rounds_max, last_checked_ - std::min(last_checked_, stretch_begin_));
  return result;
}

std::vector<edge_activity> mixing_audit::activity() const {
  std::vector<edge_activity> result;
  const auto edges = graph_->edges();
  const auto rounds = static_cast<double>(std::max<std::uint64_t>(summary_.rounds_audited, 1));
  for (std::size_t i = 0; i < edges.size(); ++i)
    result.push_back({edges[i], static_cast<double>(active_[i]) / rounds});
  return result;
}

double mixing_audit::mean_active_share() const {
  if (active_.empty() || summary_.rounds_audited == 0)
    return 0;
  const auto sum = std::accumulate(active_.begin(), active_.end(), std::uint64_t{0});
  return static_cast<double>(sum) / static_cast<double>(active_.size()) /
         static_cast<double>(summary_.rounds_audited);
}

void mixing_audit::note_violation(std::string text) {
  if (violations_.size() < violations_max)
    violations_.push_back(std::move(text));
}

} // namespace dybw
