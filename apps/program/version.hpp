#pragma once

#include <string>

namespace dybw {

/// For example "0.1.0".
std::string version();

/// What `dybw --version` prints: the program, the processor it was built for and its libraries.
std::string version_text();

} // namespace dybw
