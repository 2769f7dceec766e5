#pragma once

#include <array>
#include <cstdint>
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

/// A figure of each row, as lines or as bars.
struct picture {
  enum class style { lines, bars } drawn_as = style::lines;
  enum class what { time, share, times_alone } of = what::time; ///< see `pair_of_runs`
  std::vector<std::string> policies;                            ///< that are drawn; empty for all
};

/// An experiment as its file in config/experiments/ describes it: every combination of the axes, under every
/// policy, with every seed.
struct experiment {
  std::string name; ///< of the file
  std::string title;
  std::vector<std::string> options; ///< of all runs
  std::vector<axis> axes;
  /// The first is what the others are compared with. Two names have a meaning: `alone`, and `ideal`, the
  /// steps of which are what each cell's policies could take if nobody waited.
  std::vector<variant_of> policies;
  std::vector<std::uint64_t> seeds;
  /// The mean test accuracy of three tests in a row that ends a run.
  std::optional<double> target;
  /// Of these `--step-size` every row has its best one, chosen with seeds that are not reported.
  std::vector<std::string> step_sizes;
  /// Runs end at this many times the time that the row needed when its step size was chosen.
  std::optional<double> patience;
  /// How the figures at the target are drawn, over the variants of the last axis, a panel for each
  /// combination of the others.
  std::optional<picture> drawn;
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
///     target   = 0.915
///     step-sizes = 0.02 0.04 0.08
///     patience = 3
///     picture  = lines times-alone; full | ideal    (or: bars; time, share; no names for all rows)
///     series   = yes                                (or: backup)
///
/// Throws std::runtime_error that names the line.
experiment read_experiment(const std::filesystem::path& file);

/// They choose step sizes, and are not reported. Times to a target differ by a third from seed to seed.
constexpr std::array<std::uint64_t, 2> tuning_seeds{100, 101};

/// One combination of the axes.
struct cell {
  std::vector<std::pair<std::string, std::string>> names; ///< axis, variant
  std::vector<std::string> options; ///< of `dybw run`; of two with one name the later counts
};

std::vector<cell> cells_of(const experiment& x);

/// What is run for a policy in a cell: the cell's options, those of the policy in place of the same ones, by
/// name. `{1/N}` is the share of workers that makes one slow at a time, `{N*B}` the batches of all workers
/// together, by the cell's options. Rows of several cells may be the same: they are run once.
std::vector<std::string> row_of(const cell& c, const variant_of& policy);

/// The options of one run of a row; as one text they are its name in a file of results. `step_size`: empty
/// for the row's own.
std::vector<std::string> run_of(const std::vector<std::string>& row, const std::string& step_size,
                                std::uint64_t seed);
std::string name_of(const std::vector<std::string>& run);

/// The value of an option of a run, or a row. Throws std::runtime_error if it is not given.
double number_of(const std::vector<std::string>& run, const std::string& name);

/// Whether the policy has a fixed number of backup workers, which may be too many for a graph.
bool has_backup_workers(const variant_of& policy);

} // namespace dybw::bench
