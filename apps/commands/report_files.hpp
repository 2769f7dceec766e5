#pragma once

#include "apps/comparison/comparison.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace dybw {

/// The runs of all these directories, those of `dybw run --seeds` among them. A run counts once, however
/// often it is named or copied. One that cannot be read is told on standard error and does not hide the
/// others; throws `input_error` if none can.
std::vector<stored_run> read_all_runs(const std::vector<std::string>& directories);

/// Writes the report page of a comparison. Throws `input_error` as `write_output` does.
void write_report_page(const comparison& all, const std::filesystem::path& file);

/// What the runs of several seeds below `directory` have together: a page, and a table or one document on
/// standard output.
void show_seeds(const std::filesystem::path& directory, bool as_json);

} // namespace dybw
