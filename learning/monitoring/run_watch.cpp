#include "learning/monitoring/run_watch.hpp"

#include "learning/base/number_text.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace dybw {

using enum event_view::severity;

namespace {

/// More workers than this that time out at once are told as a number.
constexpr std::size_t named_max = 3;

} // namespace

watch_plan plan_of(const run_config& config, const std::string& policy, std::span<const edge> edges,
                   std::uint64_t parameters) {
  watch_plan plan;
  plan.policy = policy;
  plan.topology = config.topology;
  plan.has_model = config.model != "none";
  if (plan.has_model)
    plan.dataset = config.data.name + " (" + config.partition_text + ")";
  plan.model = config.model;
  plan.parameters = parameters;
  plan.seed = config.seed;
  plan.rounds = config.rounds;
  plan.time_limit_s = config.time_limit_s;
  plan.target_accuracy = config.target_accuracy;
  plan.edges.assign(edges.begin(), edges.end());
  std::sort(plan.edges.begin(), plan.edges.end());
  return plan;
}

std::optional<double> done_share(std::optional<std::uint64_t> rounds, std::optional<double> time_limit_s,
                                 round_number newest, double elapsed_s) {
  std::optional<double> share;
  if (time_limit_s)
    share = elapsed_s / *time_limit_s;
  if (rounds && *rounds > 0)
    share = std::max(share.value_or(0), static_cast<double>(newest) / static_cast<double>(*rounds));
  return share;
}

run_watch::run_watch(watch_plan plan) : plan_(std::move(plan)) {
  nodes_.resize(plan_.nodes.size());
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    nodes_[i].address = plan_.nodes[i];
  workers_.resize(plan_.placement.size());
  for (std::size_t i = 0; i < workers_.size(); ++i)
    workers_[i].newest.worker = worker_at(i);
  edges_.resize(plan_.edges.size());
  for (std::size_t i = 0; i < edges_.size(); ++i)
    edges_[i].link = plan_.edges[i];
}

// --- What is heard ---

void run_watch::asked(std::size_t i, nanoseconds now) {
  now_ = now;
  nodes_[i].asked = now;
}

void run_watch::take(std::size_t i, nanoseconds now, const process_metrics& x) {
  now_ = now;
  auto& n = nodes_[i];
  if (n.ever_heard && (!n.reachable || n.told_silent))
    say(info, "node " + n.address + " answers again");
  n.reachable = true;
  n.told_silent = false;
  n.ever_heard = true;
  n.asked.reset();
  n.heard = now;
  const auto before = std::exchange(n.newest, x);
  n.newest.workers.clear();
  n.newest.edges.clear();
  if (x.sketch)
    n.sketched = now;
  else
    n.newest.sketch = before.sketch;
  std::vector<worker_id> timed_out;
  for (const auto& w : x.workers) {
    if (index_of(w.worker) >= workers_.size() || plan_.placement[index_of(w.worker)] != i)
      continue; // another program's idea of the run
    if (workers_[index_of(w.worker)].heard && w.timeouts > workers_[index_of(w.worker)].newest.timeouts)
      timed_out.push_back(w.worker);
    take(x.elapsed, w);
  }
  for (const auto& e : x.edges)
    take(x.elapsed, e);
  note_timeouts(timed_out);
  if (x.newest_evaluation &&
      (!newest_evaluation_ || x.newest_evaluation->time_s > newest_evaluation_->time_s)) {
    newest_evaluation_ = x.newest_evaluation;
    if (plan_.target_accuracy && newest_evaluation_->test_accuracy >= *plan_.target_accuracy &&
        !std::exchange(target_told_, true))
      say(info, "the target accuracy is reached");
  }
  if (!x.failure.empty() && std::exchange(failure_, x.failure) != x.failure)
    say(error, x.failure);
}

void run_watch::take(nanoseconds elapsed, const worker_metrics& x) {
  auto& w = workers_[index_of(x.worker)];
  auto before = std::exchange(w.newest, x);
  if (!x.answers) { // what it said last
    w.newest.local_steps = std::max(before.local_steps, x.gradients);
    w.newest.estimates_late = before.estimates_late;
    w.newest.round = before.round;
    w.newest.phase = before.phase;
    w.newest.component = before.component;
    w.newest.lowest = before.lowest;
  }
  if (w.heard)
    note_standing(before, x);
  if (x.rounds < before.rounds) // its process was started again
    before = worker_metrics{};
  const auto passed_s = to_seconds(elapsed - std::exchange(w.elapsed, elapsed));
  const auto grown = [](std::uint64_t now, std::uint64_t then) {
    return static_cast<double>(now > then ? now - then : 0);
  };
  auto& r = w.recent;
  // Who attaches late takes the means since the start for recent, until it knows better.
  const auto scale = w.heard ? 1 : std::min(1.0, recent_s / std::max(passed_s, faded));
  const auto fade = std::exp(-std::max(passed_s, 0.0) / recent_s);
  const auto add = [&](double& sum, double more) { sum = sum * fade + more * scale; };
  add(r.elapsed_s, std::max(passed_s, 0.0));
  add(r.rounds, grown(x.rounds, before.rounds));
  add(r.gradients, grown(x.gradients, before.gradients));
  add(r.steps, grown(w.newest.local_steps, before.local_steps));
  add(r.backup_workers, grown(x.backup_workers, before.backup_workers));
  add(r.loss, x.loss - before.loss);
  add(r.compute_s, to_seconds(x.compute - before.compute));
  add(r.wait_s, to_seconds(x.wait - before.wait));
  if (!w.heard) {
    w.sampled_at_s = to_seconds(elapsed);
    w.sampled_rounds = x.rounds;
  }
  w.heard = true;
  sample(w);
  note_stalls(x);
}

void run_watch::sample(worker& w) {
  const auto at_s = to_seconds(w.elapsed);
  const auto passed_s = at_s - w.sampled_at_s;
  if (passed_s < sample_every_s || w.newest.done || w.newest.lost)
    return;
  const auto rounds = w.newest.rounds > w.sampled_rounds ? w.newest.rounds - w.sampled_rounds : 0;
  const auto length_s =
      rounds > 0 ? passed_s / static_cast<double>(rounds) : std::max(passed_s, to_seconds(w.newest.in_phase));
  w.round_s.push_back(static_cast<float>(length_s));
  if (w.round_s.size() > run_view::samples_max)
    w.round_s.erase(w.round_s.begin());
  w.sampled_at_s = at_s;
  w.sampled_rounds = w.newest.rounds;
}

void run_watch::take(nanoseconds elapsed, const edge_metrics& x) {
  const auto found = std::lower_bound(edges_.begin(), edges_.end(), x.link,
                                      [](const edge_state& e, const edge& link) { return e.link < link; });
  if (found == edges_.end() || found->link != x.link)
    return;
  auto& e = *found;
  const auto passed_s = std::max(to_seconds(elapsed - e.at), 0.0);
  const auto grown = static_cast<double>(x.committed > e.committed ? x.committed - e.committed : 0);
  const auto scale = e.at > nanoseconds{0} ? 1 : std::min(1.0, recent_s / std::max(passed_s, faded));
  const auto fade = std::exp(-passed_s / recent_s);
  e.recent = e.recent * fade + grown * scale;
  e.elapsed_s = e.elapsed_s * fade + passed_s * scale;
  e.committed = x.committed;
  e.at = elapsed;
}

void run_watch::unreachable(std::size_t i, nanoseconds now, const std::string& reason) {
  now_ = now;
  auto& n = nodes_[i];
  n.asked.reset();
  n.why_not = reason;
  if (std::exchange(n.reachable, false) && n.ever_heard && !over_)
    say(error, "node " + n.address + " cannot be reached: " + reason);
}

void run_watch::moved(std::size_t i, const std::string& address) {
  if (std::exchange(nodes_[i].address, address) != address)
    say(info, "node " + plan_.nodes[i] + " is now at " + address);
}

void run_watch::over(nanoseconds now) {
  now_ = now;
  if (!std::exchange(over_, true))
    say(info, "the run is over");
}

void run_watch::tick(nanoseconds now) {
  now_ = now;
  for (auto& n : nodes_)
    if (is_silent(n, now) && !std::exchange(n.told_silent, true) && n.ever_heard)
      say(warning,
          "node " + n.address + " has not answered for " + fixed_text(to_seconds(now - *n.asked), 1) + " s");
  note_parts();
  note_history(now);
}

// --- What comes of it ---

void run_watch::say(event_view::severity how, std::string text) {
  if (events_.size() >= run_view::events_max) {
    events_.erase(events_.begin());
    ++events_before_;
  }
  events_.push_back({elapsed_s(now_), how, std::move(text)});
}

void run_watch::note_standing(const worker_metrics& before, const worker_metrics& now) {
  if (now.lost && !before.lost)
    say(error, "worker " + to_string(now.worker) + " is lost");
  else if (before.lost && !now.lost)
    say(info, "worker " + to_string(now.worker) + " is back");
  else if (now.rounds < before.rounds)
    say(info, "worker " + to_string(now.worker) + " was started again");
}

void run_watch::note_timeouts(const std::vector<worker_id>& who) {
  if (who.empty())
    return;
  if (who.size() > named_max) {
    say(warning, std::to_string(who.size()) + " workers closed rounds by timeout");
    return;
  }
  for (auto id : who)
    say(warning, "worker " + to_string(id) + " closed a round by timeout, after round " +
                     std::to_string(workers_[index_of(id)].newest.round));
}

void run_watch::note_stalls(const worker_metrics& x) {
  for (const auto& wait : x.waits) {
    if (wait.waited < stall_after)
      continue;
    auto& told = stalls_told_[{x.worker, wait.neighbour}];
    if (std::exchange(told, x.round) == x.round)
      continue;
    const auto whom =
        wait.neighbour == x.worker ? std::string{"any worker"} : "worker " + to_string(wait.neighbour);
    say(warning, "worker " + to_string(x.worker) + " has waited " + fixed_text(to_seconds(wait.waited), 1) +
                     " s for " + whom + " in round " + std::to_string(x.round) + " (" +
                     std::string{to_string(wait.what)} + ")");
  }
}

void run_watch::note_parts() {
  const auto now = parts(now_);
  if (!now || *now == parts_told_)
    return;
  parts_told_ = *now;
  if (*now > 1)
    say(warning, "the network has fallen into " + std::to_string(*now) + " parts");
  else
    say(info, "all workers that are up are in touch again");
}

void run_watch::note_history(nanoseconds now) {
  const auto at_s = elapsed_s(now);
  if (over_ || (!history_.empty() && at_s < history_.back().time_s + history_every_s_))
    return;
  if (std::none_of(workers_.begin(), workers_.end(), [](const worker& w) { return w.heard; }))
    return;
  run_view v;
  for (std::size_t i = 0; i < workers_.size(); ++i)
    v.workers.push_back(view_of_worker(i, now));
  const auto works = [](const worker_view& w) {
    return w.standing == worker_standing::working || w.standing == worker_standing::silent;
  };
  if (std::ranges::none_of(v.workers, works))
    return; // nothing is recent any more
  if (history_.size() >= run_view::history_max) {
    for (std::size_t i = 0; 2 * i < history_.size(); ++i)
      history_[i] = history_[2 * i];
    history_.resize((history_.size() + 1) / 2);
    history_every_s_ *= 2;
  }
  add_totals(v);
  history_point p;
  p.time_s = at_s;
  p.loss = v.loss;
  if (newest_evaluation_)
    p.accuracy = newest_evaluation_->test_accuracy;
  p.consensus_distance = sketches().consensus_distance();
  p.steps_per_s = v.steps_per_s;
  p.backup_workers = v.backup_workers;
  p.wait_share = v.wait_share;
  history_.push_back(p);
}

} // namespace dybw
