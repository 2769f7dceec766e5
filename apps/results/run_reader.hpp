#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace dybw {

/// A run as its directory tells of it.
struct stored_run {
  std::filesystem::path directory;
  nlohmann::json config; ///< of the invocation
  nlohmann::json run;    ///< RUN of run.json
};

/// Whether it has not come to its end: the program still runs, or was killed.
bool is_unfinished(const stored_run& run);

/// The runs of a directory that `dybw run --out` wrote. The figures of one that has not come to its end are
/// those that its rounds.jsonl and evals.jsonl tell; one without a round is left out. Throws `input_error`
/// (data fault) if there is no run.json, or one that is not what `dybw run` writes.
std::vector<stored_run> read_runs(const std::filesystem::path& directory);

/// SERIES of the report page (report_page.hpp), summed up from the run's rounds.jsonl, line by line; null if
/// there is none. Throws `input_error` (data fault) for a line that is not one of `dybw run`; a last line
/// that was cut short is left out.
nlohmann::json read_series(const stored_run& run);

} // namespace dybw
