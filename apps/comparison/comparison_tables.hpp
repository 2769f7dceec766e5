#pragma once

#include "apps/comparison/comparison.hpp"

#include <string>

namespace dybw {

/// A line for each run.
std::string runs_table(const comparison& all);

/// A line for each group: means with 95 % intervals, marked where they bound what is not known.
std::string groups_table(const comparison& all);

/// The same for a paper: a `tabular` with the rules of the package booktabs.
std::string latex_table(const comparison& all);

/// A line for each run with all its figures, for other programs: RFC 4180, with a header.
std::string runs_csv(const comparison& all);
/// A line for each group: of every figure NAME, NAME_half_width (empty for one run) and NAME_runs; and
/// time_to_target_s_bound, ">" where the mean is that of the runs that reached it and the others' is more.
std::string groups_csv(const comparison& all);

} // namespace dybw
