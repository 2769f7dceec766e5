#pragma once

#include "learning/run/run_result.hpp"

#include <span>
#include <string>

namespace dybw {

/// What `dybw run` prints when done, at most 100 columns: one run in full, several side by side.
/// REQUIRES: at least one result.
std::string results_table(std::span<const run_result> results);

} // namespace dybw
