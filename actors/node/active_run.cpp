#include "actors/node/active_run.hpp"

#include "actors/node/run_lifecycle.hpp"
#include "actors/run/run_end.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace dybw {

// --- Until it begins ---

void active_run::link(const run_spec& spec, const topology& graph, std::optional<connection_id> asked_by,
                      nanoseconds now, nanoseconds for_values) {
  asked_by_ = asked_by;
  for_values_ = for_values;
  linking_since_ = now;
  part_.emplace(spec.placement, spec.self, !asked_by, now);
  part_told_ = spec.placement.size();
  for (auto id : workers_here(spec))
    for (auto neighbour : graph.neighbours(id))
      if (const auto node = spec.placement[index_of(neighbour)]; node != spec.self)
        links_missing_.emplace(node, "no answer yet");
}

void active_run::note(const link_changed& x) {
  if (x.up)
    links_missing_.erase(x.node);
  else
    links_missing_[x.node] = x.reason;
}

std::optional<connect_reply> active_run::linked(const run_spec& spec, nanoseconds now) const {
  const auto since = now - linking_since_;
  if (!links_missing_.empty()) {
    if (since <= link_patience + for_values_)
      return std::nullopt;
    const auto& [node, why] = *links_missing_.begin();
    return connect_reply{
        fmt::format("it cannot connect to node {}: {}", to_string(spec.nodes[index_of(node)]), why)};
  }
  if (leads_ && !others_reached_ && since < follow_patience)
    return std::nullopt;
  return connect_reply{};
}

// --- While it lasts ---

void active_run::begin(nanoseconds origin, double cpu_s_before) {
  begun_ = true;
  origin_ = origin;
  before_.cpu_s = cpu_s_before;
}

expenses active_run::in_this_run(expenses all) const {
  all.sent.link_bytes_sent -= std::min(all.sent.link_bytes_sent, before_.sent.link_bytes_sent);
  all.sent.eval_bytes_sent -= std::min(all.sent.eval_bytes_sent, before_.sent.eval_bytes_sent);
  all.cpu_s = begun_ ? all.cpu_s - before_.cpu_s : 0;
  return all;
}

void active_run::note(const local_reports& x, nanoseconds now) {
  progress_ = x.progress;
  ends_.insert(ends_.end(), x.finished.begin(), x.finished.end());
  lost_ = x.lost;
  rounds_dropped_ = x.rounds_dropped;
  rounds_passed_ += x.rounds.size();
  if (elapsed(now) >= first_rounds_time)
    std::vector<round_report>{}.swap(first_rounds_);
  else if (first_rounds_.size() + x.rounds.size() <= first_rounds_max)
    first_rounds_.insert(first_rounds_.end(), x.rounds.begin(), x.rounds.end());
}

bool active_run::fail(const std::string& why) {
  if (!failure_.empty())
    return false;
  failure_ = why;
  return true;
}

bool active_run::withdraw(const std::string& why) {
  if (has_withdrawn())
    return false;
  withdrawn_ = why;
  return true;
}

bool active_run::is_overdue(nanoseconds now, bool leaving) const {
  return stopping_since_ && !finishing_since_ &&
         now - *stopping_since_ > (leaving || has_withdrawn() ? leave_patience : stop_patience);
}

// --- Subscribers ---

void active_run::subscribe(connection_id from, nanoseconds now) {
  subscriber s;
  s.dropped_before = rounds_dropped_;
  if (begun_ && elapsed(now) < first_rounds_time) {
    s.gets_first_rounds = first_rounds_.size() == rounds_passed_;
    s.dropped = s.gets_first_rounds ? 0 : rounds_passed_;
  }
  subscribers_[from] = s;
  asked(now);
}

void active_run::note(connection_id to, const backlog& x) {
  if (const auto s = subscribers_.find(to); s != subscribers_.end())
    s->second.backlog = x.bytes;
}

std::map<connection_id, std::optional<report_batch>>
active_run::batches(run_id run, const local_reports& x, const expenses& spent, nanoseconds now) {
  report_batch common;
  common.run = run;
  common.elapsed_s = to_seconds(elapsed(now));
  common.lost = lost_;
  common.component = static_cast<std::uint32_t>(part_->component());
  common.lead = static_cast<std::uint32_t>(part_->lead());
  common.failure = failure_;
  common.left = withdrawn_;
  common.link_bytes_sent = spent.sent.link_bytes_sent;
  common.eval_bytes_sent = spent.sent.eval_bytes_sent;
  common.cpu_s = spent.cpu_s;
  const auto take_rest = [](auto& to, const auto& all, std::size_t& sent) {
    to.assign(all.begin() + static_cast<std::ptrdiff_t>(sent), all.end());
    sent = all.size();
  };
  std::map<connection_id, std::optional<report_batch>> all;
  for (auto& [connection, s] : subscribers_) {
    auto& batch = all[connection];
    const auto full = s.backlog > subscriber_backlog_max;
    if (full)
      s.dropped += x.rounds.size();
    if (full && !is_owed(s))
      continue;
    batch = common;
    if (!full) {
      batch->rounds = std::exchange(s.gets_first_rounds, false) ? first_rounds_ : x.rounds; // both with `x`
      batch->evaluations = evaluations_.since(std::exchange(s.evaluations_sent, evaluations_.count()));
    }
    take_rest(batch->finished, ends_, s.ends_sent);
    s.lost_sent = lost_.size();
    s.failure_sent = !failure_.empty();
    s.withdrawal_sent = has_withdrawn();
    batch->rounds_dropped = rounds_dropped_ - s.dropped_before + s.dropped;
  }
  return all;
}

/// There is something that no subscriber may miss, however slow it is.
bool active_run::is_owed(const subscriber& s) const {
  return s.ends_sent < ends_.size() || s.lost_sent < lost_.size() || (!s.failure_sent && !failure_.empty()) ||
         (!s.withdrawal_sent && has_withdrawn());
}

local_reports active_run::ends() const {
  local_reports x;
  x.finished = ends_;
  x.lost = lost_;
  return x;
}

local_reports active_run::without_reporter(std::span<const worker_id> here) const {
  local_reports x;
  x.rounds_dropped = rounds_dropped_;
  x.progress = progress_;
  x.lost = lost_;
  for (const auto id : here)
    if (std::ranges::find(lost_, id) == lost_.end() &&
        std::ranges::none_of(ends_, [id](const worker_end& end) { return end.totals.worker == id; }))
      x.lost.push_back(id);
  x.progress.workers_done = here.size();
  x.progress.workers_lost = x.lost.size();
  return x;
}

void active_run::complete(node_status& x, const expenses& spent, nanoseconds now) const {
  if (begun_) {
    x.elapsed_s = to_seconds(elapsed(now));
    x.newest_round = progress_.newest_round;
    x.local_steps = progress_.local_steps;
    x.loss = progress_.loss;
  }
  if (part_) {
    x.component = static_cast<std::uint32_t>(part_->component());
    x.lead = static_cast<std::uint32_t>(part_->lead());
  }
  x.link_bytes_sent = spent.sent.link_bytes_sent;
  x.eval_bytes_sent = spent.sent.eval_bytes_sent;
}

void active_run::complete(process_metrics& x, const expenses& spent) const {
  if (!evaluations_.kept().empty())
    x.newest_evaluation = evaluations_.kept().back();
  if (x.failure.empty())
    x.failure = failure_;
  x.link_bytes_sent = spent.sent.link_bytes_sent;
  x.eval_bytes_sent = spent.sent.eval_bytes_sent;
  x.connections_refused = spent.sent.connections_refused;
  x.leads = leads_;
}

// --- Leading ---

bool active_run::keep_lead(nanoseconds now) {
  if (measuring_ || !part_)
    return leads_;
  const auto leads = part_->leads(now) && (leads_ || !over_elsewhere_);
  if (std::exchange(leads_, leads) && !leads) {
    evaluations_.clear();
    for (auto& [connection, s] : subscribers_)
      s.evaluations_sent = 0;
  }
  return leads_;
}

std::optional<std::size_t> active_run::news_of_part() {
  if (!begun_ || finishing_since_)
    return std::nullopt;
  const auto told = std::exchange(part_told_, part_->component());
  return told == part_told_ ? std::nullopt : std::optional{part_told_};
}

// --- The end ---

bool active_run::note(const cluster_status& x, bool leaving) {
  others_reached_ = others_reached_ || std::all_of(x.reachable.begin(), x.reachable.end(), std::identity{});
  return finishing_since_ && (leaving || x.phase == cluster_phase::over) && !std::exchange(measuring_, true);
}

run_result active_run::known_result(const run_spec& spec, const cluster_status& x,
                                    const expenses& spent) const {
  run_result known;
  known.interrupted = interrupted_;
  known.failure = failure_.empty() ? x.failure : failure_;
  known.failed = !known.failure.empty();
  for (std::size_t i = 0; i < spec.nodes.size(); ++i)
    known.nodes.push_back({to_string(spec.nodes[i]),
                           {},
                           !x.reachable[i],
                           node_at(i) == spec.self ? withdrawn_
                           : i < x.left.size()     ? x.left[i]
                                                   : std::string{}});
  if (const auto why = all_left_text(known.nodes); !known.failed && !why.empty()) {
    known.failed = true;
    known.failure = why;
  }
  for (std::size_t w = 0; w < spec.placement.size(); ++w)
    known.nodes[index_of(spec.placement[w])].workers.push_back(static_cast<std::uint32_t>(w));
  known.link_bytes_sent = x.link_bytes_sent + spent.sent.link_bytes_sent;
  known.eval_bytes_sent = x.eval_bytes_sent + spent.sent.eval_bytes_sent;
  known.host_cpu_s = x.cpu_s + spent.cpu_s;
  return known;
}

bool active_run::may_let_go(nanoseconds now, bool leaving) const {
  const auto finished_for = now - *finishing_since_;
  if (leads_ && has_withdrawn() && !measuring_) // the others go on, another node measures their end
    return finished_for > withdrawn_time;
  if (leads_ && !measured_at_) // whoever says that it is over: this part's result would be lost
    return leaving && finished_for > stop_patience;
  const auto owed = std::any_of(subscribers_.begin(), subscribers_.end(),
                                [this](const auto& x) { return is_owed(x.second); });
  if (owed && finished_for < (leaving ? leave_patience : linger_time))
    return false;
  if (leaving || over_elsewhere_)
    return true;
  if (has_withdrawn() && !measured_at_)
    return finished_for > withdrawn_time;
  const auto listened_to = !subscribers_.empty();
  const auto unasked_for = now - asked_at_;
  if (measured_at_)
    return !listened_to || std::min(now - *measured_at_, unasked_for) > linger_time;
  return std::min(finished_for, unasked_for) > (listened_to ? linger_time_max : linger_time);
}

} // namespace dybw
