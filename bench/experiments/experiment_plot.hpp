#pragma once

#include "bench/experiments/experiment.hpp"

#include <filesystem>
#include <string>

namespace dybw::bench {

/// A gnuplot script that draws loss and accuracy against time, means over the seeds, one SVG file per
/// combination of the axes: DIRECTORY/NAME-VARIANT...svg. For an experiment that keeps its series. Throws
/// std::runtime_error if the results cannot be read.
std::string plot_of(const experiment& x, const std::filesystem::path& results,
                    const std::filesystem::path& directory);

} // namespace dybw::bench
