#pragma once

#include "actors/local_messages.hpp"
#include "learning/run/run_config.hpp"
#include "learning/run/run_result.hpp"

#include <nlohmann/json.hpp>

#include <span>
#include <string>

namespace dybw {

/// The RUN of `run.json` (docs: "What a run writes"). What is unset or not finite is null; `mean_drift` is
/// there only for consensus-only runs.
nlohmann::ordered_json to_json(const run_result& result);

/// The `config` of `run.json`: the options by their names on the command line; null where not given.
nlohmann::ordered_json config_to_json(const run_config& config);

/// The document that `--format json` prints and that `run.json` holds.
nlohmann::ordered_json results_to_json(const run_config& config, std::span<const run_result> results);

/// What `run.json` holds while a run lasts, and afterwards if the program was killed: the results so far, and
/// last the run of `policy` with its "state" "running" and as much as is known of it `now`.
nlohmann::ordered_json running_to_json(const run_config& config, std::span<const run_result> results,
                                       const std::string& policy, const run_progress& now);

/// As in one line of `evals.jsonl`.
nlohmann::ordered_json to_json(const evaluation& measured);

/// What a vector of parameters consists of, for `model.json` and `run.json`: [{name, shape, offset}, ..].
nlohmann::ordered_json to_json(const parameter_layout& layout);

/// What stands before the values in NumPy's format 1.0: float32, C order. REQUIRES: at least one extent, at
/// most 1,000.
std::string npy_header(std::span<const std::uint64_t> shape);

} // namespace dybw
