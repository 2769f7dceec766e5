#pragma once

#include "apps/comparison/comparison.hpp"

#include <string>

namespace dybw {

/// A line for each run.
std::string runs_table(const comparison& all);

/// A line for each group: means with 95 % intervals.
std::string groups_table(const comparison& all);

/// The same for a paper: a `tabular` with the rules of the package booktabs.
std::string latex_table(const comparison& all);

/// A line for each run with all its figures, for other programs: RFC 4180, with a header.
std::string runs_csv(const comparison& all);
/// A line for each group: of every figure NAME, NAME_half_width (empty for one run) and NAME_runs.
std::string groups_csv(const comparison& all);

} // namespace dybw
