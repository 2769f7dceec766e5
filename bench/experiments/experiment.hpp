#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dybw::bench {

/// A choice on one axis of an experiment: a name for tables, and the options of `dybw run` that it stands
/// for.
struct variant_of {
  std::string name;
  std::vector<std::string> options;
};

struct axis {
  std::string name;
  std::vector<variant_of> variants;
};

/// An experiment as its file in config/experiments/ describes it: every combination of the axes, under every
/// policy, with every seed.
struct experiment {
  std::string name; ///< of the file
  std::string title;
  std::vector<std::string> options; ///< of all runs
  std::vector<axis> axes;
  std::vector<variant_of> policies; ///< the first is what the others are compared with
  std::vector<std::uint64_t> seeds;
  /// Runs of the other policies end at this many times the first one's time.
  std::optional<double> patience;
  bool keeps_series = false; ///< what the evaluations found goes into the results
  bool keeps_backup = false; ///< .. and how many backup workers each worker had over time
};

/// Reads lines `NAME = VALUE`; `#` starts a comment.
///
///     title    = TEXT
///     options  = OPTION..                           (may be repeated)
///     axis     = NAME; VARIANT: OPTION.. | VARIANT: OPTION.. | ..
///     policy   = VARIANT: OPTION..                  (may be repeated)
///     seeds    = 1 2 3
///     patience = 2
///     series   = yes                                (or: backup)
///
/// Throws std::runtime_error that names the line.
experiment read_experiment(const std::filesystem::path& file);

/// One combination of the axes with one seed.
struct cell {
  std::vector<std::pair<std::string, std::string>> names; ///< axis, variant
  std::vector<std::string> options;                       ///< of `dybw run`
  std::uint64_t seed = 0;
};

/// Those of the first `seeds` seeds, all of a seed before the next.
std::vector<cell> cells_of(const experiment& x, std::size_t seeds);

/// All options of a policy's run. `{1/N}` is the share of workers that makes one slow at a time.
std::vector<std::string> options_of(const cell& c, const variant_of& policy);

/// Whether the policy has a fixed number of backup workers, which may be too many for a graph.
bool has_backup_workers(const variant_of& policy);

} // namespace dybw::bench
