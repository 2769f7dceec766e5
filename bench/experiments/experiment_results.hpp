#pragma once

#include "bench/experiments/experiment.hpp"

#include <nlohmann/json.hpp>

#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <span>

namespace dybw::bench {

/// What runs came to, by their names (`name_of`): one line of JSON each in a file, so that what was computed
/// once is not computed again. Any thread may use it.
class experiment_results {
public:
  using json = nlohmann::ordered_json;

  /// Reads what the file has, if it is there. A line that was cut off is as good as none.
  explicit experiment_results(std::filesystem::path file);

  /// Null if it was not run. What is found stays where it is.
  const json* find(const std::string& run) const;
  /// Throws std::runtime_error if it cannot be written.
  void add(const std::string& run, json figures);

private:
  std::filesystem::path file_;
  mutable std::mutex mutex_;
  std::map<std::string, json> runs_;
  bool is_cut_off_ = false; ///< some line is
  std::ofstream out_;
};

/// The step size to try next, from `near` on to whichever side is better; none once the
/// best has a worse one on both sides. Not tried: none; `scores` are better where they are less.
std::optional<std::size_t> next_trial(std::span<const std::optional<double>> scores, std::size_t near);

/// How a row did with a step size, by its runs with `tuning_seeds`, the less the better: its mean time to the
/// target, or how far it came. None if they are not all known.
std::optional<double> tuning_score(const experiment_results& results, const std::vector<std::string>& row,
                                   const std::string& step_size);

/// The row's best of `x.step_sizes` as far as is known; empty where there is none to choose, or none is
/// known.
std::string best_step_size(const experiment& x, const experiment_results& results,
                           const std::vector<std::string>& row);

} // namespace dybw::bench
