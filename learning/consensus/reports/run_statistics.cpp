#include "learning/consensus/reports/run_statistics.hpp"

#include <algorithm>

namespace dybw {

namespace {

/// Exponential smoothing that starts with the first value.
void smooth(double& mean, double x, std::uint64_t count, double window) {
  mean += (x - mean) / std::min(static_cast<double>(count), window);
}

void merge_pairs(worker_series& bins) {
  for (std::size_t i = 0; i < bins.size(); ++i) {
    if (i % 2 == 0)
      bins[i / 2] = bins[i];
    else
      bins[i / 2].merge(bins[i]);
  }
  bins.resize((bins.size() + 1) / 2);
}

} // namespace

run_statistics::run_statistics(std::size_t workers) : workers_(workers), series_(workers) {}

void run_statistics::add(const round_report& r) {
  const auto w = index_of(r.mixed.worker);
  const auto compute_s = to_seconds(r.compute);
  const auto wait_s = to_seconds(r.done - r.joined);
  const auto backup = static_cast<double>(r.backup_workers());
  auto& sums = workers_[w];
  sums.compute_s.add(compute_s);
  sums.wait_s.add(wait_s);
  sums.backup_workers.add(backup);
  sums.loss.add(r.loss);
  sums.gradients += r.gradients;
  sums.samples += r.samples;
  sums.timeouts += r.timed_out ? 1 : 0;

  newest_round_ = std::max(newest_round_, r.mixed.round);
  ++reports_;
  local_steps_ += r.gradients;
  timeouts_seen_ += r.timed_out ? 1 : 0;
  const auto window = 4.0 * static_cast<double>(workers_.size());
  smooth(recent_loss_, r.loss, reports_, window);
  smooth(recent_backup_workers_, backup, reports_, window);

  while (to_seconds(r.done) >= bin_width_s_ * static_cast<double>(bins_max))
    widen_bins();
  const auto bin = static_cast<std::size_t>(to_seconds(r.done) / bin_width_s_);
  auto& bins = series_[w];
  if (bins.size() <= bin)
    bins.resize(bin + 1);
  bins[bin].merge({1, backup, wait_s, to_seconds(r.done - r.started)});
}

void run_statistics::add(const worker_totals& t) {
  auto& sums = workers_[index_of(t.worker)];
  sums.totals = t;
  sums.has_totals = true;
}

void run_statistics::widen_bins() {
  bin_width_s_ *= 2;
  for (auto& bins : series_)
    merge_pairs(bins);
}

void run_statistics::fill(run_result& result, nanoseconds duration) const {
  const auto seconds = to_seconds(duration);
  auto compute_s = 0.0;
  auto backup = running_mean{};
  result.rounds = newest_round_;
  result.local_steps = local_steps_;
  result.per_worker.resize(workers_.size());
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const auto& w = workers_[i];
    auto& out = result.per_worker[i];
    out.id = worker_at(i);
    out.rounds = w.compute_s.count();
    out.local_steps = w.gradients;
    out.compute_s = w.compute_s.sum();
    out.wait_s = w.wait_s.sum();
    out.discarded_s = to_seconds(w.totals.discarded);
    // With discard the longest steps are those that are cut off: their time counts, or steps would look
    // shorter.
    const auto steps = static_cast<double>(std::max<std::uint64_t>(w.gradients, 1));
    out.mean_step_s = (out.compute_s + out.discarded_s) / steps;
    out.mean_backup_workers = w.backup_workers.mean();
    compute_s += w.compute_s.sum();
    backup.merge(w.backup_workers);
    if (out.mean_step_s > 0)
      result.no_wait_rate += 1 / out.mean_step_s;
    result.samples += w.samples;
    result.timeouts += w.totals.timeouts;
    result.estimates_sent += w.totals.estimates_sent;
    result.estimates_late += w.totals.estimates_late;
    result.steps_discarded += w.totals.steps_discarded;
    result.bytes_sent += w.totals.bytes_sent;
    result.coverage_sweeps = std::max(result.coverage_sweeps, w.totals.sweeps_completed);
    if (w.has_totals)
      result.rounds = std::max(result.rounds, w.totals.completed);
  }
  result.mean_backup_workers = backup.mean();
  result.duration_s = seconds;
  result.mean_round_s = result.rounds > 0 ? seconds / static_cast<double>(result.rounds) : 0;
  if (seconds > 0) {
    result.useful_gradient_rate = static_cast<double>(local_steps_) / seconds;
    result.compute_share = compute_s / (seconds * static_cast<double>(workers_.size()));
  }
}

} // namespace dybw
