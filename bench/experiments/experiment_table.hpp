#pragma once

#include "bench/experiments/experiment.hpp"

#include <filesystem>
#include <string>

namespace dybw::bench {

/// Tables in Markdown of what an experiment's runs came to: the speed-up of each policy over the first, and
/// its share of the no-wait limit (the steps that the first policy needed, divided by the rate of steps if
/// nobody ever waited), as geometric means over the seeds, each paired with the first policy's run of the
/// same seed. A run that did not reach the target counts with the time that it was given: its figures are
/// bounds, marked < or >, and so is every mean that they are in (? where they pull both ways). Then means
/// over all cells with 95 % intervals over the seeds (Student's t of the logarithms), and how the policies
/// compare cell by cell. Throws std::runtime_error if a file cannot be read.
std::string table_of(const experiment& x, const std::filesystem::path& results);

} // namespace dybw::bench
