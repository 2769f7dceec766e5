#pragma once

#include "actors/system/durable_file.hpp"
#include "learning/base/types.hpp"
#include "learning/model/parameter_layout.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace dybw {

/// In the directory of a run with checkpoints, or a recorded one: the options that it was given, for
/// `--resume` and `dybw replay`.
inline constexpr auto* saved_options_name = "config.ini";

/// Where one `dybw run` writes: DIR/run.json, DIR/report.html and, per policy, DIR/POLICY/ with rounds.jsonl,
/// evals.jsonl, model.npy, model.npz, model.json and, if recorded, events.log. POLICY has '-' for ':'
/// ("static-1"). Files of a finished write are complete or absent: they are written beside their place and
/// moved there. Writing throws `std::system_error`.
class run_directory {
public:
  /// Creates `directory` and its policies' directories; no other process may do so while this lives. Throws
  /// `input_error` (configuration fault) if it cannot be written to, another run writes there, or it holds
  /// another run; that run's files, and nothing else, are removed with `force`.
  run_directory(std::filesystem::path directory, std::span<const std::string> policies, bool force);

  /// As the first, of a name that nothing has yet: `directory`, else with -2, -3 and so on behind it.
  static run_directory create_new(const std::filesystem::path& directory,
                                  std::span<const std::string> policies);

  /// One that a run goes on in. Throws as `reopen` does, and if another process writes there.
  static run_directory resume(std::filesystem::path directory, std::span<const std::string> policies);

  /// One that is there already, or that another process of this run may have made: missing directories are
  /// created, files stay. Throws as above if it cannot be written to.
  static run_directory reopen(std::filesystem::path directory, std::span<const std::string> policies);

  /// Only names files; touches nothing.
  static run_directory at(std::filesystem::path directory) { return run_directory{std::move(directory)}; }

  const std::filesystem::path& path() const noexcept { return directory_; }
  /// No other process writes there as long as a copy of it lives.
  const path_claim& hold() const noexcept { return claim_; }
  std::filesystem::path run_file() const { return directory_ / "run.json"; }
  std::filesystem::path report_file() const { return directory_ / "report.html"; }
  std::filesystem::path rounds_file(const std::string& policy) const;
  /// The event log of a recorded run.
  std::filesystem::path events_file(const std::string& policy) const;
  std::filesystem::path evals_file(const std::string& policy) const;
  std::filesystem::path model_file(const std::string& policy) const; ///< the .npy
  /// Directory of the workers' checkpoints.
  std::filesystem::path checkpoints(const std::string& policy) const;

  /// Directory of what the trainers print.
  std::filesystem::path trainers() const;

  void write_run(const nlohmann::ordered_json& document) const;
  /// The options that a run with checkpoints or a recorded one was given.
  void write_options(const std::string& text) const;
  /// Before rounds are appended: drops the lines of rounds after `last` (by worker), which are to be done
  /// again, and what is left of a line that was cut short.
  void trim_rounds(const std::string& policy, const std::map<worker_id, round_number>& last) const;
  void write_report(const std::string& html) const;
  /// Adds those of the lines that are not there yet: those behind the last one that is.
  void complete_evals(const std::string& policy, std::span<const std::string> lines) const;
  /// Before a run goes on that had worked for so long: drops the lines of what came later, unless it ended in
  /// good order, and what is left of a line that was cut short.
  void trim_evals(const std::string& policy, double until_s) const;
  /// Takes away what this run has made so far. REQUIRES: it has not begun.
  void discard(std::span<const std::string> policies) const;
  /// The parameters as they are, as an archive of named arrays (if that can hold them) and, for those who
  /// read the first, where each array lies.
  void write_model(const std::string& policy, std::span<const float> parameters,
                   const parameter_layout& layout) const;

private:
  explicit run_directory(std::filesystem::path directory) : directory_(std::move(directory)) {}
  void make_directories(std::span<const std::string> policies) const;
  void claim();

  std::filesystem::path directory_;
  path_claim claim_;
  bool made_ = false; ///< was not there before
};

/// Where `dybw run --seeds` writes the run of one seed below its directory.
std::filesystem::path seed_directory(const std::filesystem::path& directory, std::uint64_t seed);
/// All of them that are there, by seed.
std::vector<std::filesystem::path> seed_directories(const std::filesystem::path& directory);
/// Makes a directory of a name that nothing has yet: `directory`, else with -2, -3 and so on behind it.
/// Throws `input_error` (configuration fault).
std::filesystem::path make_new_directory(const std::filesystem::path& directory);

/// Of the runs below `parent`, a directory each, the files of all but the newest `keep` go, those of `needed`
/// in no case. Touches nothing that no run wrote; a directory that may be another's is none. Throws
/// `std::system_error` when all has gone that can.
void forget_oldest_runs(const std::filesystem::path& parent, std::size_t keep,
                        std::span<const std::string> needed);

/// Before lines are appended: a process that was killed may have left half of one, to which they must not be
/// joined. Throws `std::system_error`.
void drop_torn_line(const std::filesystem::path& file);

} // namespace dybw
