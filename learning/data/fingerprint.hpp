#pragma once

#include "learning/data/dataset.hpp"

namespace dybw {

/// A check sum of training and test data, by which nodes find that one of them has other data. Never 0. Not
/// for use against forgery.
std::uint64_t fingerprint(const data_split& data);

} // namespace dybw
