#include "learning/consensus/audit/mixing_audit.hpp"

#include "learning/consensus/audit/audit_error.hpp"
#include "learning/consensus/mutation.hpp"

#include <cassert>
#include <cmath>
#include <numeric>

namespace dybw {

namespace {

constexpr std::size_t violations_max = 20;
constexpr double sum_error_max = 1e-9;
constexpr std::uint8_t both_ends = 3;

bool contains(const std::vector<worker_id>& ids, worker_id id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

/// The bit of `worker` on its edge to `neighbour`.
std::uint8_t end_of(worker_id worker, worker_id neighbour) {
  return worker < neighbour ? 1 : 2;
}

std::string in_round(round_number round) {
  return "round " + std::to_string(round) + ": ";
}

} // namespace

mixing_audit::mixing_audit(std::shared_ptr<const topology> graph, round_number after)
    : graph_(std::move(graph)), edges_(*graph_), workers_(graph_->workers()), active_(edges_.count()),
      rejoined_(edges_.count()), joined_(graph_->workers()), parts_(graph_->workers()),
      stretch_is_known_(after > 0), stretch_begin_(after), last_checked_(after),
      report_of_(graph_->workers()), column_(graph_->workers()), ends_(edges_.count()),
      differing_(edges_.count()), is_excused_(graph_->workers()), correcting_(edges_.count()) {
  awaited_[0] = workers_.size();
}

/// Who is awaited, and since when, changes with a worker's state.
template <class Change>
void mixing_audit::change(worker_state& w, Change what) {
  const auto is_awaited = [&w] { return !w.left && !w.lost; };
  const auto is_away = [&w] { return w.lost || w.returning; };
  if (is_awaited()) {
    const auto found = awaited_.find(w.reported);
    if (--found->second == 0)
      awaited_.erase(found);
  }
  away_ -= is_away() ? 1u : 0u;
  what();
  if (is_awaited())
    ++awaited_[w.reported];
  away_ += is_away() ? 1u : 0u;
}

void mixing_audit::add(mix_report report) {
  auto& w = workers_[index_of(report.worker)];
  const auto round = report.round;
  if (w.returning)
    note_return(report.worker, round);
  const auto is_in_time = round > std::max(w.reported, last_checked_);
  if (round > w.reported) // also if it comes too late: its next ones are waited for, not this one
    change(w, [&] { w.reported = round; });
  if (!is_in_time)
    w.missed_a_report = true;
  if (is_in_time) {
    if (std::exchange(w.missed_a_report, false))
      w.behind_a_gap.push_back(round);
    const auto [reports, is_first] = pending_.try_emplace(round);
    if (is_first)
      reports->second.swap(spare_);
    reports->second.push_back(std::move(report));
    ++reports_pending_;
  }
  advance();
}

void mixing_audit::left(worker_id worker) {
  auto& w = workers_[index_of(worker)];
  change(w, [&] { w.left = true; });
  advance();
}

void mixing_audit::lost(worker_id worker) {
  auto& w = workers_[index_of(worker)];
  if (w.left && mutated(mutation::audit_keeps_leavers))
    return;
  settle(w.as_returned);
  change(w, [&] { w.lost = true; });
  advance();
}

void mixing_audit::back(worker_id worker) {
  auto& w = workers_[index_of(worker)];
  if ((!w.lost && !w.left) || (w.left && mutated(mutation::audit_keeps_leavers)))
    return;
  settle(w.as_gone);
  settle(w.as_returned);
  change(w, [&] {
    w.lost = w.left = false;
    w.returning = true;
  });
  if (w.reported > last_checked_)
    note_unknown(worker, last_checked_ + 1, w.reported);
  w.back_after = w.reported;
  w.missed_a_report = true;
  const auto neighbours = graph_->neighbours(worker);
  w.apart.assign(neighbours.begin(), neighbours.end());
  for (auto id : neighbours) // its first reports may not have been heard
    note_rejoined(worker, id);
}

void mixing_audit::note_return(worker_id id, round_number first) {
  auto& w = workers_[index_of(id)];
  change(w, [&] { w.returning = false; });
  const auto after = w.reported + 1;
  if (first != after)
    note_unknown(id, std::min(first, after), std::max(first, after) - 1);
}

void mixing_audit::note_unknown(worker_id id, round_number first, round_number last) {
  auto& unknown = workers_[index_of(id)].unknown;
  if (unknown.empty())
    returned_.push_back(id);
  unknown.emplace_back(first, last);
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

/// Whether the neighbour is there again, as this end reported, and both have not mixed over the edge since.
bool mixing_audit::has_returned(const mix_report& report, worker_id neighbour) const {
  return (rejoined_[edges_.between(report.worker, neighbour)] & end_of(report.worker, neighbour)) != 0;
}

/// Whether the neighbour, which is gone, may have been started again meanwhile and gone again, unseen. Its
/// reports are then its predecessor's, also of rounds that the new process did once more.
bool mixing_audit::is_of_a_new_process(const mix_report& report, worker_id neighbour) const {
  const auto& w = workers_[index_of(neighbour)];
  return (w.lost || w.left) && !mutated(mutation::audit_misses_nobody) && has_returned(report, neighbour);
}

void mixing_audit::note_doubt(doubt& of, std::string text) {
  ++doubts_;
  if (of.count++ == 0)
    of.first = std::move(text);
}

void mixing_audit::settle(doubt& of) {
  summary_.edges_lost += of.count;
  doubts_ -= of.count;
  of = {};
}

void mixing_audit::note_rejoined(worker_id worker, worker_id neighbour) {
  if (const auto e = edges_.between(worker, neighbour); e != edges_.count())
    rejoined_[e] |= end_of(worker, neighbour);
}

void mixing_audit::note_departed(const mix_report& report) {
  auto& w = workers_[index_of(report.worker)];
  if (report.round > w.back_after)
    std::erase_if(w.apart, [&](worker_id id) { return !contains(report.departed, id); });
}

void mixing_audit::advance() {
  const auto complete = awaited_.empty() ? ~round_number{0} : awaited_.begin()->first;
  const auto checked_before = last_checked_;
  while (!pending_.empty() && pending_.begin()->first <= complete) {
    auto& reports = pending_.begin()->second;
    reports_pending_ -= reports.size();
    check(pending_.begin()->first, reports);
    reports.clear();
    spare_.swap(reports);
    pending_.erase(pending_.begin());
  }
  while (reports_pending_ > reports_pending_max(workers_.size()))
    drop_oldest();
  if (last_checked_ == checked_before)
    return;
  std::erase_if(returned_, [this](worker_id id) {
    auto& unknown = workers_[index_of(id)].unknown;
    std::erase_if(unknown, [this](const auto& x) { return x.second <= last_checked_; });
    return unknown.empty();
  });
}

/// Somebody's reports do not come, maybe for days. What comes of this round later comes too late.
void mixing_audit::drop_oldest() {
  const auto oldest = pending_.begin();
  ++summary_.rounds_unaudited;
  reports_pending_ -= oldest->second.size();
  for (const auto& r : oldest->second) {
    note_gap(r);
    workers_[index_of(r.worker)].correction.forget();
  }
  last_checked_ = oldest->first;
  stretch_begin_ = last_checked_;
  stretch_is_known_ = false;
  pending_.erase(oldest);
}

// --- One round ---

void mixing_audit::check(round_number round, const std::vector<mix_report>& reports) {
  if (!std::exchange(stretch_is_known_, true)) {
    stretch_begin_ = round - 1;
    joined_.part_all();
    parts_ = workers_.size();
  }
  ++summary_.rounds_audited;
  lay_out(reports);
  check_edges(reports);
  check_sums(reports);
  if (excused_.empty())
    check_witness(round, reports);
  check_corrections(round, reports);
  clear(reports);
  join_components(round);
  for (const auto& r : reports)
    note_departed(r);
  last_checked_ = round;
}

void mixing_audit::lay_out(const std::vector<mix_report>& reports) {
  for (const auto& r : reports) {
    report_of_[index_of(r.worker)] = &r;
    column_[index_of(r.worker)] += r.own_weight;
    for (auto id : r.returned)
      note_rejoined(r.worker, id);
    for (const auto& t : r.committed) {
      const auto e = edges_.between(r.worker, t.neighbour);
      term_edges_.push_back(e);
      if (e == edges_.count())
        continue;
      column_[index_of(t.neighbour)] += t.weight;
      differing_[e] += ends_[e] == 0 ? t.weight : -t.weight;
      ends_[e] |= end_of(r.worker, t.neighbour);
      if (t.corrects)
        correcting_[e] |= end_of(r.worker, t.neighbour);
    }
  }
}

void mixing_audit::check_edges(const std::vector<mix_report>& reports) {
  auto next = term_edges_.begin();
  for (const auto& r : reports)
    for (const auto& t : r.committed) {
      const auto e = *next++;
      const auto is_edge = e < edges_.count();
      if (!is_edge || ends_[e] != both_ends) {
        check_half(r, t.neighbour, is_edge);
        continue;
      }
      if (r.worker > t.neighbour)
        continue;
      if (is_of_two_lives(r, t.neighbour)) {
        excuse(r.worker);
        excuse(t.neighbour);
        if (audit_error(differing_[e]) > sum_error_max) {
          ++summary_.edges_lost;
          continue;
        }
      }
      if (correcting_[e] != 0 && correcting_[e] != both_ends)
        check_one_sided_correction(r, *report_of_[index_of(t.neighbour)]);
      ++active_[e];
      rejoined_[e] = 0;
      parts_ -= joined_.join(graph_->edges()[e]) ? 1u : 0u;
    }
}

/// Both ends mixed over the edge: whether maybe in different lives. Processes that were started again do
/// rounds once more which their predecessors reported.
bool mixing_audit::is_of_two_lives(const mix_report& report, worker_id neighbour) const {
  if (away_ == 0 && returned_.empty())
    return false;
  return is_unknown(report.worker, report.round) || is_unknown(neighbour, report.round) ||
         is_of_a_new_process(report, neighbour) ||
         is_of_a_new_process(*report_of_[index_of(neighbour)], report.worker);
}

/// Only this end mixed over the edge.
void mixing_audit::check_half(const mix_report& report, worker_id neighbour, bool is_edge) {
  const auto sentence = [&](const char* what) {
    return in_round(report.round) + "worker " + to_string(report.worker) + " mixed with worker " +
           to_string(neighbour) + ", which " + what;
  };
  if (!is_edge) {
    ++summary_.one_sided_edges;
    return note_violation(sentence("is not its neighbour"));
  }
  auto& w = workers_[index_of(neighbour)];
  if (is_excused(report, neighbour, report_of_[index_of(neighbour)]) ||
      is_of_a_new_process(report, neighbour)) {
    ++summary_.edges_lost;
  } else if (w.left || w.lost) {
    note_doubt(w.as_gone, sentence(w.reported < report.round ? "had left" : "did not mix with it"));
  } else if (has_returned(report, neighbour) && !mutated(mutation::audit_hears_at_once)) {
    note_doubt(w.as_returned, sentence("did not mix with it"));
  } else {
    ++summary_.one_sided_edges;
    return note_violation(sentence("did not mix with it")); // the sums tell by how much
  }
  excuse(report.worker);
  excuse(neighbour);
}

void mixing_audit::excuse(worker_id id) {
  if (is_excused_[index_of(id)])
    return;
  is_excused_[index_of(id)] = true;
  excused_.push_back(id);
}

void mixing_audit::check_sums(const std::vector<mix_report>& reports) {
  for (const auto& r : reports) {
    const auto row = std::accumulate(r.committed.begin(), r.committed.end(), r.own_weight,
                                     [](double sum, const mix_term& t) { return sum + t.weight; });
    const auto row_error = audit_error(row - 1);
    summary_.max_row_error = std::max(summary_.max_row_error, row_error);
    if (row_error > sum_error_max)
      note_violation(in_round(r.round) + "the row of worker " + to_string(r.worker) + " sums to " +
                     std::to_string(row));
    if (is_excused_[index_of(r.worker)])
      continue;
    const auto error = audit_error(column_[index_of(r.worker)] - 1);
    summary_.max_column_error = std::max(summary_.max_column_error, error);
    if (error > sum_error_max)
      note_violation(in_round(r.round) + "the column of worker " + to_string(r.worker) + " is off by " +
                     std::to_string(error));
  }
}

/// Each addition of a term rounds anew and at random, so the honest error grows with the root of the squares.
void mixing_audit::check_witness(round_number round, const std::vector<mix_report>& reports) {
  double moved = 0;
  double squares = 0;
  for (const auto& r : reports) {
    moved += r.projection_after - r.projection_before;
    squares += static_cast<double>(1 + r.committed.size()) * r.norm_before * r.norm_before;
  }
  check_kept(round, moved, squares, "mixing moved the sum of the estimates");
}

/// That the sum of projections has moved by no more than rounding explains, of the numbers of these squares.
void mixing_audit::check_kept(round_number round, double moved, double squares, const char* violation) {
  const auto error = audit_error(moved, std::sqrt(squares));
  summary_.max_projection_error = std::max(summary_.max_projection_error, error);
  if (error > projection_error_max)
    note_violation(in_round(round) + violation +
                   (std::isfinite(error)
                        ? " (projection off by " + std::to_string(error / projection_error_max) +
                              " times what rounding explains)"
                        : std::string{" (they are not finite)"}));
}

/// Who counts nothing must have begun anew.
void mixing_audit::check_one_sided_correction(const mix_report& a, const mix_report& b) {
  corrections_differ_ = true;
  if (a.generation != b.generation || is_excused_[index_of(a.worker)])
    return;
  ++summary_.one_sided_edges;
  note_violation(in_round(a.round) + "the edge between worker " + to_string(a.worker) + " and worker " +
                 to_string(b.worker) + " counts into the correction of one of them only");
}

/// Of what its worker's correction was before nothing is known if something between was not heard.
void mixing_audit::note_gap(const mix_report& report) {
  auto& w = workers_[index_of(report.worker)];
  if (w.behind_a_gap.empty() || w.behind_a_gap.front() != report.round)
    return;
  w.behind_a_gap.erase(w.behind_a_gap.begin());
  w.correction.forget();
}

/// Where every edge counts at both ends or at none, the corrections together grow by nothing.
void mixing_audit::check_corrections(round_number round, const std::vector<mix_report>& reports) {
  const auto differ = std::exchange(corrections_differ_, false);
  auto is_known = excused_.empty() && !differ;
  double grown = 0;
  double squares = 0;
  for (const auto& r : reports) {
    note_gap(r);
    const auto by =
        workers_[index_of(r.worker)].correction.grown(r.generation, r.correction, r.correction_size);
    is_known = is_known && by;
    if (!is_known)
      continue;
    grown += by->projection;
    squares += static_cast<double>(1 + r.committed.size()) * by->size * by->size;
  }
  if (is_known)
    check_kept(round, grown, squares, "averaging moved the sum of the corrections");
}

void mixing_audit::clear(const std::vector<mix_report>& reports) {
  auto next = term_edges_.begin();
  for (const auto& r : reports) {
    report_of_[index_of(r.worker)] = nullptr;
    column_[index_of(r.worker)] = 0;
    for (const auto& t : r.committed)
      if (const auto e = *next++; e < edges_.count()) {
        column_[index_of(t.neighbour)] = 0;
        ends_[e] = correcting_[e] = 0;
        differing_[e] = 0;
      }
  }
  term_edges_.clear();
  for (auto id : excused_)
    is_excused_[index_of(id)] = false;
  excused_.clear();
}

/// Looks at every worker only when all that are there may hang together.
void mixing_audit::join_components(round_number round) {
  if (parts_ > 1 + away_ + returned_.size())
    return;
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
  parts_ = workers_.size();
}

// --- What came of it ---

mixing_summary mixing_audit::summary() const {
  auto result = summary_;
  result.one_sided_edges += doubts_;
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

std::vector<std::string> mixing_audit::violations() const {
  auto all = violations_;
  for (const auto& w : workers_)
    for (const auto* d : {&w.as_gone, &w.as_returned})
      if (d->count > 0 && all.size() < violations_max)
        all.push_back(d->first);
  return all;
}

void mixing_audit::note_violation(std::string text) {
  if (violations_.size() < violations_max)
    violations_.push_back(std::move(text));
}

} // namespace dybw
