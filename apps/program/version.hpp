#pragma once

#include <string>

namespace dybw {

/// For example "0.1.0".
std::string version();

} // namespace dybw
