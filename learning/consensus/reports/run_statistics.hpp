#pragma once

#include "learning/base/statistics.hpp"
#include "learning/consensus/reports/round_report.hpp"

#include <vector>

namespace dybw {

/// What a worker's rounds of some time add up to.
struct round_sums {
  std::uint64_t rounds = 0;
  double backup_workers = 0;
  double wait_s = 0;
  double round_s = 0; ///< compute + wait

  void merge(const round_sums& other) noexcept {
    rounds += other.rounds;
    backup_workers += other.backup_workers;
    wait_s += other.wait_s;
    round_s += other.round_s;
  }
};

/// Those of one worker, in bins of equal width; the width doubles when a run outgrows them.
using worker_series = std::vector<round_sums>;

/// Everything that is summed up from round reports while a run lasts. Memory does not grow with the run. Not
/// thread-safe.
class run_statistics {
public:
  static constexpr std::size_t bins_max = 240;

  /// What a worker's reports and its last word add up to.
  struct worker_sums {
    running_mean compute_s;
    running_mean wait_s;
    running_mean backup_workers;
    running_mean loss;
    std::uint64_t gradients = 0; ///< gradient steps
    std::uint64_t samples = 0;
    std::uint64_t timeouts = 0; ///< of the rounds reported
    worker_totals totals;
    bool has_totals = false;
  };

  explicit run_statistics(std::size_t workers);

  void add(const round_report& report);
  void add(const worker_totals& totals);

  /// Fills the fields of `result` that come from the reports: rounds, steps, rates, shares, totals,
  /// per_worker. `duration` is the run's.
  void fill(run_result& result, nanoseconds duration) const;

  const worker_sums& of(worker_id id) const { return workers_[index_of(id)]; }
  double bin_width_s() const noexcept { return bin_width_s_; }
  const std::vector<worker_series>& series() const noexcept { return series_; }

  // For the progress line:
  round_number newest_round() const noexcept { return newest_round_; }
  std::uint64_t local_steps() const noexcept { return local_steps_; }
  double recent_loss() const noexcept { return recent_loss_; } ///< smoothed over about N steps
  double recent_backup_workers() const noexcept { return recent_backup_workers_; }
  std::uint64_t timeouts() const noexcept { return timeouts_seen_; }

private:
  void widen_bins();

  std::vector<worker_sums> workers_;
  std::vector<worker_series> series_;
  double bin_width_s_ = 0.05;
  round_number newest_round_ = 0;
  std::uint64_t reports_ = 0;
  std::uint64_t local_steps_ = 0;
  std::uint64_t timeouts_seen_ = 0;
  double recent_loss_ = 0;
  double recent_backup_workers_ = 0;
};

} // namespace dybw
