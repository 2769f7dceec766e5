#pragma once

#include "bench/experiments/experiment.hpp"
#include "learning/base/statistics.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace dybw::bench {

/// What is known of a figure: a run that did not reach the target in the time that it was given tells only on
/// which side of the figure it lies.
enum class bound {
  exact,
  upper,  ///< it is less
  lower,  ///< it is more
  unknown ///< nothing
};

/// The logarithm of a figure, with what is known of it.
struct figure {
  double log = 0;
  bound known = bound::exact;
};

/// What one run came to beside the first policy's run of the same cell and seed.
struct pair_of_runs {
  figure speed_up;
  figure share;       ///< of the ideal's pace; of no use without it
  figure times_alone; ///< steps of `alone` / those of each worker; of no use without it
  figure efficiency;  ///< that / N
  figure time;
  figure mean_round_s;
  figure steps_per_worker;
  double worst_gap = 0; ///< average model's accuracy less the worst worker's, at the end
  double gap_before = 0;
  double accuracy = 0; ///< at the end, %
  double loss = 0;
  double worst_before = 0; ///< the worst worker's accuracy while it ran, %
};

/// A geometric mean. If some of the figures are only bounds, so is the mean.
class summary {
public:
  void add(const figure& x);
  bool any() const { return values_.count() > 0; }
  double mean() const { return at(0); }
  /// Ends of the 95 % interval.
  double low() const { return at(-values_.half_width()); }
  double high() const { return at(values_.half_width()); }
  bound known() const { return known_; }
  figure log_mean() const { return {values_.mean(), known_}; }
  /// "-" if there is nothing.
  std::string text(int decimals = 2) const;
  /// Mean and 95 % interval.
  std::string interval() const;

private:
  double at(double off) const;

  sample_mean values_;
  bound known_ = bound::exact;
};

using runs_by_seed = std::map<std::uint64_t, pair_of_runs>;

/// What is known of an experiment.
struct results {
  std::vector<std::string> cells;                                   ///< in the order of the axes
  std::vector<std::string> policies;                                ///< those that have runs
  std::map<std::pair<std::string, std::string>, runs_by_seed> runs; ///< by cell and policy
  std::map<std::pair<std::string, std::string>, std::string> step_sizes;
  std::set<std::uint64_t> seeds;
  bool has_target = false; ///< the experiment has one, whoever reached it
  bool has_ideal = false;
  bool has_alone = false;
};

/// Of the runs in `file`; cells of which nothing is known are left out.
results read_results(const experiment& x, const std::filesystem::path& file);

/// A cell's name in `results`.
std::string title_of(const cell& c);

summary over_seeds(const results& r, const std::string& cell, const std::string& policy,
                   figure pair_of_runs::*field);
/// For every seed the geometric mean over all cells but those with `without` in their names; then over the
/// seeds.
summary overall(const results& r, const std::string& policy, figure pair_of_runs::*field,
                const std::string& without = "\n");

/// Whether the row is one worker, whatever the cell.
bool is_one_worker(const std::string& policy);

} // namespace dybw::bench
