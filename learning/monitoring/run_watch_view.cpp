#include "learning/monitoring/run_watch.hpp"

#include <algorithm>
#include <set>

// The picture that is made of what was heard.

namespace dybw {

namespace {

/// Sketches older than this, by the newest, belong to another moment.
constexpr nanoseconds sketch_age_max{std::chrono::seconds{4}};

bool in_round(const worker_metrics& x) {
  return x.phase == phase::gathering || x.phase == phase::settling;
}

double ratio(double x, double y) {
  return y > run_watch::faded ? x / y : 0;
}

double median(std::vector<double> all) {
  if (all.empty())
    return 0;
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  std::nth_element(all.begin(), middle, all.end());
  return *middle;
}

bool has_ended(const worker_view& w) {
  return w.standing == worker_standing::done || w.standing == worker_standing::lost;
}

/// Nothing is recent of a worker that has ended: what it did is what its whole run was.
void show_whole_run(worker_view& v, const worker_metrics& x) {
  const auto rounds = static_cast<double>(x.rounds);
  v.backup_workers = ratio(static_cast<double>(x.backup_workers), rounds);
  v.wait_share = ratio(v.wait_s, v.wait_s + v.compute_s);
  v.round_s = ratio(v.wait_s + v.compute_s, rounds);
  v.step_s = ratio(v.compute_s, static_cast<double>(x.gradients));
}

/// Means over all of a run that has ended, from those of its workers.
void add_whole_run(run_view& v) {
  double rounds = 0;
  double backup_workers = 0;
  double compute_s = 0;
  double wait_s = 0;
  std::vector<double> steps_s;
  for (const auto& w : v.workers) {
    rounds += static_cast<double>(w.rounds);
    backup_workers += w.backup_workers * static_cast<double>(w.rounds);
    compute_s += w.compute_s;
    wait_s += w.wait_s;
    v.steps_per_s += ratio(static_cast<double>(w.local_steps), w.compute_s + w.wait_s);
    if (w.step_s > 0) {
      v.no_wait_per_s += 1 / w.step_s;
      steps_s.push_back(w.step_s);
    }
  }
  v.backup_workers = ratio(backup_workers, rounds);
  v.wait_share = ratio(wait_s, wait_s + compute_s);
  const auto typical = median(steps_s);
  for (auto& w : v.workers)
    w.straggler = steps_s.size() > 2 && w.step_s >= 2 * typical;
}

} // namespace

double run_watch::elapsed_s(nanoseconds now) const {
  auto newest = nanoseconds{0};
  for (const auto& n : nodes_)
    if (n.ever_heard)
      newest = std::max(newest, n.newest.elapsed + (over_ || !n.reachable ? nanoseconds{0} : now - n.heard));
  return to_seconds(newest);
}

bool run_watch::is_silent(const node& n, nanoseconds now) const {
  return n.reachable && n.asked && now - *n.asked > silent_after;
}

worker_standing run_watch::standing_of(std::size_t i, nanoseconds now) const {
  const auto& x = workers_[i].newest;
  const auto& n = nodes_[plan_.placement[i]];
  if (x.lost)
    return worker_standing::lost;
  if (x.done)
    return worker_standing::done;
  if (!n.reachable && n.ever_heard)
    return over_ ? worker_standing::done : worker_standing::lost;
  return is_silent(n, now) || !workers_[i].heard ? worker_standing::silent : worker_standing::working;
}

/// Into how many the workers that answer have fallen, by the lowest number that each knows in its part.
std::optional<std::uint32_t> run_watch::parts(nanoseconds now) const {
  std::set<worker_id> lowest;
  for (std::size_t i = 0; i < workers_.size(); ++i)
    if (workers_[i].newest.component > 0 && standing_of(i, now) == worker_standing::working)
      lowest.insert(workers_[i].newest.lowest);
  if (lowest.empty())
    return std::nullopt;
  return static_cast<std::uint32_t>(lowest.size());
}

sketch_sums run_watch::sketches() const {
  auto newest = nanoseconds{0};
  for (const auto& n : nodes_)
    newest = std::max(newest, n.sketched);
  sketch_sums sums;
  for (const auto& n : nodes_)
    if (n.newest.sketch && newest - n.sketched <= sketch_age_max)
      sums.add(*n.newest.sketch);
  return sums;
}

worker_view run_watch::view_of_worker(std::size_t i, nanoseconds now) const {
  const auto& w = workers_[i];
  const auto& x = w.newest;
  const auto& r = w.recent;
  worker_view v;
  v.id = worker_at(i);
  v.node = plan_.placement[i];
  v.standing = standing_of(i, now);
  v.phase = x.phase;
  v.maker = x.maker;
  v.in_phase_s = to_seconds(x.in_phase);
  if (v.standing == worker_standing::silent && w.heard)
    v.in_phase_s += to_seconds(now - nodes_[v.node].heard);
  v.round = x.round;
  v.rounds = x.rounds;
  v.local_steps = x.local_steps;
  v.timeouts = x.timeouts;
  v.estimates_late = x.estimates_late;
  v.compute_s = to_seconds(x.compute);
  v.wait_s = to_seconds(x.wait);
  if (plan_.has_model && r.rounds > faded)
    v.loss = r.loss / r.rounds;
  v.backup_workers = ratio(r.backup_workers, r.rounds);
  // A round that has not ended yet is in no counter.
  const auto waiting_s = in_round(x) && x.in_phase > from_seconds(recent_s / 2) ? to_seconds(x.in_phase) : 0;
  v.wait_share = ratio(r.wait_s + waiting_s, r.wait_s + waiting_s + r.compute_s);
  v.round_s = std::max(ratio(r.elapsed_s, r.rounds), waiting_s);
  v.step_s = ratio(r.compute_s, r.gradients);
  v.recent_round_s = w.round_s;
  if (has_ended(v) || over_)
    show_whole_run(v, x);
  return v;
}

edge_view run_watch::view_of_edge(const edge_state& e, const std::vector<worker_view>& workers) const {
  const auto working = [&](worker_id id) {
    return workers[index_of(id)].standing == worker_standing::working;
  };
  const auto lowest = [&](worker_id id) { return workers_[index_of(id)].newest.lowest; };
  edge_view v;
  v.link = e.link;
  v.committed = e.committed;
  v.recent_per_s = ratio(e.recent, e.elapsed_s);
  v.up = working(e.link.a) && working(e.link.b) && lowest(e.link.a) == lowest(e.link.b);
  return v;
}

node_view run_watch::view_of_node(std::size_t i, nanoseconds now) const {
  const auto& n = nodes_[i];
  node_view v;
  v.address = n.address;
  v.reachable = n.reachable && n.ever_heard;
  v.silent_s = is_silent(n, now) ? to_seconds(now - *n.asked) : 0;
  for (std::size_t w = 0; w < workers_.size(); ++w)
    if (plan_.placement[w] == i) {
      ++v.workers;
      v.component = std::max(v.component, workers_[w].newest.component);
    }
  v.cpu_s = n.newest.cpu_s;
  v.peak_rss_bytes = n.newest.peak_rss_bytes;
  v.link_bytes_sent = n.newest.link_bytes_sent;
  v.eval_bytes_sent = n.newest.eval_bytes_sent;
  v.connections_refused = n.newest.connections_refused;
  v.leads = n.newest.leads;
  return v;
}

void run_watch::add_waits(run_view& v, nanoseconds now) const {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const auto& x = workers_[i].newest;
    if (v.workers[i].standing != worker_standing::working)
      continue;
    const auto age = now - nodes_[plan_.placement[i]].heard;
    for (const auto& wait : x.waits) {
      wait_view w{x.worker,  wait.neighbour,          x.round,     x.phase,
                  wait.what, to_seconds(wait.waited), std::nullopt};
      if (x.timeout_in)
        w.timeout_in_s = to_seconds(*x.timeout_in - age);
      if (wait.what == wait_cause::kind::step)
        w.maker = x.maker;
      v.waits.push_back(w);
    }
  }
  std::stable_sort(v.waits.begin(), v.waits.end(),
                   [](const wait_view& a, const wait_view& b) { return a.waited_s > b.waited_s; });
}

/// Of late, or since the start where that is too few steps to tell: times that scatter make nobody a
/// straggler.
double run_watch::typical_step_s(const worker& w) {
  constexpr double enough_rounds = 8;
  if (w.recent.rounds >= enough_rounds || w.newest.rounds == 0)
    return ratio(w.recent.compute_s, w.recent.gradients);
  return ratio(to_seconds(w.newest.compute), static_cast<double>(w.newest.gradients));
}

/// From the workers that are in it already.
void run_watch::add_totals(run_view& v) const {
  for (const auto& w : v.workers) {
    v.newest_round = std::max(v.newest_round, w.round);
    v.local_steps += w.local_steps;
    v.timeouts += w.timeouts;
  }
  if (over_ || std::ranges::all_of(v.workers, has_ended)) {
    if (!history_.empty())
      v.loss = history_.back().loss;
    return add_whole_run(v);
  }
  auto sums = fading_sums{};
  auto rates = 0.0;
  std::vector<double> steps_s; // of those who work
  for (const auto& w : v.workers) {
    const auto& r = workers_[index_of(w.id)].recent;
    if (w.standing != worker_standing::working)
      continue;
    rates += ratio(r.steps, r.elapsed_s);
    sums.rounds += r.rounds;
    sums.loss += r.loss;
    sums.backup_workers += r.backup_workers;
    sums.compute_s += r.compute_s;
    sums.wait_s += r.wait_s;
    if (w.step_s > 0)
      v.no_wait_per_s += 1 / w.step_s;
    if (const auto step_s = typical_step_s(workers_[index_of(w.id)]); step_s > 0)
      steps_s.push_back(step_s);
  }
  v.steps_per_s = rates;
  if (plan_.has_model && sums.rounds > faded)
    v.loss = sums.loss / sums.rounds;
  v.backup_workers = ratio(sums.backup_workers, sums.rounds);
  v.wait_share = ratio(sums.wait_s, sums.wait_s + sums.compute_s);
  const auto typical = median(steps_s);
  for (auto& w : v.workers)
    w.straggler = steps_s.size() > 2 && w.standing == worker_standing::working &&
                  typical_step_s(workers_[index_of(w.id)]) >= 2 * typical;
}

run_view run_watch::view(nanoseconds now) const {
  run_view v;
  v.name = plan_.name;
  v.policy = plan_.policy;
  v.topology = plan_.topology;
  v.dataset = plan_.dataset;
  v.model = plan_.model;
  v.parameters = plan_.parameters;
  v.seed = plan_.seed;
  v.elapsed_s = elapsed_s(now);
  v.target_accuracy = plan_.target_accuracy;
  v.newest_evaluation = newest_evaluation_;
  v.failure = failure_;
  for (std::size_t i = 0; i < workers_.size(); ++i)
    v.workers.push_back(view_of_worker(i, now));
  for (const auto& e : edges_) {
    ++v.workers[index_of(e.link.a)].neighbours;
    ++v.workers[index_of(e.link.b)].neighbours;
  }
  const auto is_over = over_ || std::ranges::all_of(v.workers, has_ended);
  add_totals(v);
  for (const auto& e : edges_)
    v.edges.push_back(view_of_edge(e, v.workers));
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    v.nodes.push_back(view_of_node(i, now));
  add_waits(v, now);
  const auto sums = sketches();
  v.consensus_distance = sums.consensus_distance();
  v.mean_norm = sums.mean_norm();
  v.parts = parts(now).value_or(1);
  v.fraction = done_share(plan_.rounds, plan_.time_limit_s, v.newest_round, v.elapsed_s);
  if (v.fraction) {
    v.fraction = std::clamp(over_ ? 1.0 : *v.fraction, 0.0, 1.0);
    if (*v.fraction > 0)
      v.remaining_s = v.elapsed_s * (1 / *v.fraction - 1);
  }
  const auto may_answer = [](const node& n) { return n.reachable; }; // one not heard yet may
  v.now = is_over ? run_view::state::over : run_view::state::running;
  if (!over_ && std::none_of(nodes_.begin(), nodes_.end(), may_answer)) {
    v.now = run_view::state::lost;
    v.trouble = nodes_.empty() || nodes_.front().why_not.empty() ? "no node answers" : nodes_.front().why_not;
  }
  v.events = events_;
  v.events_before = events_before_;
  v.history = history_;
  return v;
}

} // namespace dybw
