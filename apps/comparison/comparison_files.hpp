#pragma once

#include "apps/comparison/comparison.hpp"

#include <filesystem>

namespace dybw {

/// Writes `text` into a file that is new, empty or begins as such a file does; throws `input_error`
/// (configuration fault) for any other, and for one that cannot be written. A slip must not cost what a run
/// measured. `option`: what named the file.
void write_output(const std::string& option, const std::filesystem::path& file, const std::string& begins,
                  const std::string& text);

/// The figures of a comparison below `directory`, which is made if need be: accuracy, loss, worst worker and
/// consensus distance over time with bands, and time to target as bars. Those of runs in virtual time have
/// "-virtual" in their names where both clocks are compared. Returns the files.
std::vector<std::filesystem::path> write_figures(const comparison& all,
                                                 const std::filesystem::path& directory);

} // namespace dybw
