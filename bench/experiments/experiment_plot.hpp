#pragma once

#include "bench/experiments/experiment.hpp"

#include <filesystem>
#include <string>

namespace dybw::bench {

/// A gnuplot script that draws SVG files into a directory. For an experiment with a `picture`: figures at the
/// target with 95 % intervals, one file NAME.svg; bounds are left out. For one that keeps its series:
/// accuracy and loss against time, and loss against the samples used, means over the seeds, a file
/// NAME-VARIANT...svg for each combination of the axes; or the backup workers of each worker over time,
/// likewise. Throws std::runtime_error if the results cannot be read or do not suffice.
std::string plot_of(const experiment& x, const std::filesystem::path& results,
                    const std::filesystem::path& directory);

} // namespace dybw::bench
