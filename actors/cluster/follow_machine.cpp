#include "actors/cluster/follow_machine.hpp"

#include "learning/base/error.hpp"

#include <spdlog/fmt/fmt.h>

namespace dybw {

namespace {

constexpr int exit_run_failed = 1;

/// An attempt gives up earlier than the first ones of a launch: after an outage a fresh one gets through
/// sooner than an old one.
constexpr nanoseconds call_patience{std::chrono::seconds{2}};

/// The audit looks at the edges.
bool is_sound(const exchange_news& x, worker_id of) {
  return std::all_of(x.halves.begin(), x.halves.end(),
                     [of](const exchange_half& half) { return half.worker == of; });
}

/// Whether the report can be added up: nothing in it points beyond the run.
bool is_sound(const round_report& x, std::size_t workers) {
  const auto known = [&](worker_id id) { return index_of(id) < workers; };
  return x.mixed.committed.size() <= x.degree &&
         std::all_of(x.mixed.committed.begin(), x.mixed.committed.end(),
                     [&](const mix_term& t) { return known(t.neighbour); }) &&
         std::all_of(x.mixed.departed.begin(), x.mixed.departed.end(), known) &&
         std::all_of(x.mixed.returned.begin(), x.mixed.returned.end(), known) &&
         is_sound(x.exchanges, x.mixed.worker);
}

} // namespace

follow_machine::follow_machine(follow_machine_options options, const std::vector<node_line>& lines)
    : options_(std::move(options)), silence_max_(silence_max(options_.spec.config)),
      workers_(options_.spec.placement.size()) {
  for (const auto& line : lines)
    nodes_.emplace_back(line);
  for (std::size_t w = 0; w < workers_.size(); ++w)
    at(options_.spec.placement[w]).workers.push_back(worker_at(w));
}

std::vector<follow_effect> follow_machine::open(nanoseconds now) {
  now_ = ticked_ = somebody_at_ = now;
  for (auto& n : nodes_) {
    n.heard = now_;
    if (n.is_open())
      subscribe(n);
    else if (!is_here(n))
      effects_.emplace_back(n.call(now_, call_patience));
  }
  return std::exchange(effects_, {});
}

std::vector<follow_effect> follow_machine::step(nanoseconds now, const follow_event& what) {
  now_ = now;
  std::visit([this](const auto& e) { on(e); }, what);
  return std::exchange(effects_, {});
}

void follow_machine::on(const node_reached& e) {
  if (at(e.node).reached(now_))
    subscribe(at(e.node));
}

void follow_machine::subscribe(member& n) {
  n.dropped_before += std::exchange(n.dropped, 0);
  n.starts_over = true;
  tell(n, subscribe_request{options_.spec.run});
  if (stopping_)
    tell(n, stop_request{options_.spec.run});
}

void follow_machine::lose_line(node_index node, const std::string& reason) {
  if (at(node).lost(now_))
    lose(at(node), reason);
}

void follow_machine::on(const node_moved& e) {
  if (e.run == options_.spec.run && index_of(e.node) < nodes_.size())
    at(e.node).address = e.advertised;
}

void follow_machine::on(const node_said& e) {
  auto& n = at(e.node);
  if (n.is_open())
    std::visit([&](const auto& x) { hear(n, x); }, *e.message);
}

void follow_machine::hear(member& n, const report_batch& x) {
  if (x.run != options_.spec.run)
    return;
  n.heard = now_;
  note_new_lives(n, x);
  regain(n);
  n.newest = report_batch{};
  n.newest.component = x.component;
  n.newest.lead = x.lead;
  n.newest.link_bytes_sent = x.link_bytes_sent;
  n.newest.eval_bytes_sent = x.eval_bytes_sent;
  n.newest.cpu_s = x.cpu_s;
  n.has_reported = true;
  n.left = x.left;
  if (!x.failure.empty() && failure_.empty()) {
    failure_ = fmt::format("node {}: {}", n.name(), x.failure);
    exit_code_ = exit_run_failed;
  }
  pass_on(n, x);
}

void follow_machine::pass_on(member& n, const report_batch& x) {
  if (x.rounds_dropped > n.dropped) {
    // There are gaps in what these workers say: for the audit they were away.
    lose(n, fmt::format("{} of its reports did not get through", x.rounds_dropped - n.dropped));
    regain(n);
    n.dropped = x.rounds_dropped;
  }
  const auto is_theirs = [&](worker_id w) {
    return index_of(w) < workers_.size() && options_.spec.placement[index_of(w)] == n.node;
  };
  for (const auto& r : x.rounds) {
    if (!is_theirs(r.mixed.worker) || !is_sound(r, workers_.size()))
      continue;
    auto& w = workers_[index_of(r.mixed.worker)];
    if (r.mixed.round <= w.newest)
      continue;
    w.newest = r.mixed.round;
    pass(r);
  }
  for (const auto& end : x.finished) {
    if (!is_theirs(end.totals.worker) || !is_sound(end.exchanges, end.totals.worker) ||
        std::exchange(workers_[index_of(end.totals.worker)].ended, true))
      continue;
    pass(end);
  }
  workers_gone crashed{{}, fmt::format("it ended on node {}, see its log", n.name())};
  for (auto w : x.lost)
    if (is_theirs(w) && !std::exchange(workers_[index_of(w)].ended, true)) {
      workers_[index_of(w)].crashed = true;
      crashed.workers.push_back(w);
    }
  if (!crashed.workers.empty())
    pass(std::move(crashed));
  if (x.evaluations.empty() || result_candidates().front() != n.node)
    return; // in a network that fell apart only one part is shown
  for (const auto& e : x.evaluations)
    if (e.time_s > newest_evaluation_s_) {
      newest_evaluation_s_ = e.time_s;
      pass(e);
    }
}

/// A node that was restarted may have another address; the others know it.
void follow_machine::hear(member& n, const node_status& x) {
  if (x.run != options_.spec.run)
    return;
  n.waiting = x.waiting;
  if (x.nodes.size() != nodes_.size())
    return;
  for (auto& each : nodes_)
    if (each.gone)
      each.address = x.nodes[index_of(each.node)];
}

std::vector<worker_id> follow_machine::unfinished(const member& n) const {
  std::vector<worker_id> ids;
  for (auto w : n.workers)
    if (!workers_[index_of(w)].ended)
      ids.push_back(w);
  return ids;
}

/// A node that ended in good order and was started again has new workers in place of those that said their
/// last word: what the first batch does not know of has not ended in this process.
void follow_machine::note_new_lives(member& n, const report_batch& first) {
  if (!std::exchange(n.starts_over, false))
    return;
  for (auto w : n.workers) {
    const auto has_ended =
        std::ranges::any_of(first.finished, [w](const auto& end) { return end.totals.worker == w; }) ||
        std::ranges::find(first.lost, w) != first.lost.end();
    if (workers_[index_of(w)].ended && !has_ended)
      workers_[index_of(w)] = {};
  }
}

/// Also of those that have said their last word: they may be started again before we hear of it.
void follow_machine::lose(member& n, const std::string& reason) {
  if (std::exchange(n.gone, true))
    return;
  n.gone_since = now_;
  n.waiting.clear();
  auto ids = n.workers;
  std::erase_if(ids, [this](worker_id w) { return workers_[index_of(w)].crashed; });
  if (!ids.empty())
    pass(workers_gone{std::move(ids), fmt::format("node {}: {}", n.name(), reason)});
}

void follow_machine::regain(member& n) {
  if (!std::exchange(n.gone, false))
    return;
  over_ = released_; // it was we who could not be reached
  if (auto ids = unfinished(n); !ids.empty())
    pass(workers_back{std::move(ids)});
}

void follow_machine::on(const time_passed&) {
  forgive_silence(nodes_, ticked_, now_, silence_max_);
  if (released_)
    return;
  for (auto& n : nodes_)
    if (n.is_open() && now_ - n.heard > silence_max_) {
      effects_.emplace_back(n.close(now_));
      lose(n, fmt::format("no sign of life for {:.1f} s", to_seconds(now_ - n.heard)));
    } else if (n.may_be_called_again(now_) && !is_here(n)) {
      effects_.emplace_back(n.call(now_, call_patience));
    }
  ask_how_it_stands();
  notice_desertion();
  notice_end();
}

/// For what people are shown, and for where restarted nodes are.
void follow_machine::ask_how_it_stands() {
  if (now_ - asked_how_it_stands_ < ask_every)
    return;
  asked_how_it_stands_ = now_;
  if (options_.launched || std::ranges::any_of(nodes_, &member::gone))
    for (const auto& n : nodes_)
      if (!n.gone)
        tell(n, node_status_request{});
}

/// Over: every worker has said its last word, or its node is gone and nobody works any more.
void follow_machine::notice_end() {
  if (over_)
    return;
  auto ended = std::size_t{0};
  auto lost_at = std::optional<nanoseconds>{};
  for (const auto& n : nodes_) {
    const auto done = n.workers.size() - unfinished(n).size();
    ended += done;
    if (is_here(n) || done == n.workers.size())
      continue;
    if (!n.gone)
      return;
    lost_at = std::max(lost_at.value_or(n.gone_since), n.gone_since);
  }
  over_ = !lost_at ||
          now_ - *lost_at >= (ended > 0 && somebody_at_ == now_ ? straggler_patience : nobody_patience);
}

/// Nobody is left who could work on, or measure the end. In the process of a node its own workers are.
void follow_machine::notice_desertion() {
  if (options_.here ||
      std::ranges::any_of(nodes_, [](const member& n) { return answers(n) && n.left.empty(); }))
    somebody_at_ = now_;
  deserted_ = now_ - somebody_at_ >= nobody_patience;
  over_ = over_ || deserted_;
  if (!deserted_ || !failure_.empty())
    return;
  failure_ = fmt::format("no node of the run answers any more (waited {:.0f} s); what they measured is in "
                         "their --out directories",
                         to_seconds(now_ - somebody_at_));
  exit_code_ = static_cast<int>(input_fault::network);
}

void follow_machine::on(const stop_work&) {
  stopping_ = true;
  for (const auto& n : nodes_)
    tell(n, stop_request{options_.spec.run});
}

void follow_machine::on(const release_run&) {
  released_ = over_ = true;
  for (const auto& n : nodes_)
    if (!is_measured_elsewhere(n))
      tell(n, run_over{options_.spec.run});
}

/// In a network that fell apart each part has a lead, which measures and lets go of its own part.
bool follow_machine::is_measured_elsewhere(const member& n) const {
  const auto candidates = result_candidates();
  const auto measured_by = options_.here        ? options_.here
                           : candidates.empty() ? std::nullopt
                                                : std::optional{candidates.front()};
  const auto lead = std::size_t{n.newest.lead};
  if (!measured_by || !n.has_reported || lead >= nodes_.size() || lead == index_of(*measured_by))
    return false;
  const auto& other = nodes_[lead];
  return answers(other) && other.has_reported && other.newest.lead == lead;
}

cluster_status follow_machine::status(cluster_status known) const {
  auto x = std::move(known);
  x.phase = over_ ? cluster_phase::over : cluster_phase::running;
  x.deserted = deserted_;
  x.failure = failure_;
  x.exit_code = exit_code_;
  x.reachable.clear();
  x.left.clear();
  for (const auto& n : nodes_) {
    x.left.push_back(n.left);
    x.reachable.push_back(is_here(n) || answers(n));
    x.rounds_dropped += n.dropped_before + n.dropped;
    x.link_bytes_sent += n.newest.link_bytes_sent;
    x.eval_bytes_sent += n.newest.eval_bytes_sent;
    x.cpu_s += n.newest.cpu_s;
    if (x.waiting.empty())
      x.waiting = n.waiting;
  }
  return x;
}

std::vector<node_index> follow_machine::result_candidates() const {
  const auto largest_part_of = [this](node_index lead) {
    std::uint32_t largest = 0;
    for (const auto& n : nodes_)
      if (n.has_reported && !n.gone && n.newest.lead == index_of(lead))
        largest = std::max(largest, n.newest.component);
    return largest;
  };
  std::vector<node_index> order;
  for (const auto& n : nodes_)
    if (answers(n))
      order.push_back(n.node);
  std::ranges::stable_sort(order, std::ranges::greater{}, largest_part_of);
  return order;
}

} // namespace dybw
