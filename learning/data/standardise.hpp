#pragma once

#include "learning/data/dataset.hpp"

#include <vector>

namespace dybw {

/// What gives the samples mean 0 and standard deviation 1, one entry per channel of images, else per
/// feature (those that never change become 0). REQUIRES: at least one sample.
std::vector<dataset::standardisation> standardisation_of(const dataset& data);

} // namespace dybw
