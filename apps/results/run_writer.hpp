#pragma once

#include "actors/run/finished_run.hpp"
#include "apps/results/run_directory.hpp"
#include "learning/run/run_config.hpp"

#include <span>

namespace dybw {

/// A SERIES of the report page: a run's rounds over time.
nlohmann::json series_to_json(const finished_run& run);

/// Writes run.json and report.html from all that is known so far, and the newest run's evaluations and model.
/// `series` has one SERIES per result. Throws `std::system_error`.
void write_files(const run_directory& directory, const run_config& config,
                 std::span<const run_result> results, const nlohmann::json& series,
                 const finished_run& newest);

} // namespace dybw
