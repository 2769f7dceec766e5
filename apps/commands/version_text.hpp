#pragma once

#include <string>

namespace dybw {

/// What `dybw --version` prints: the program, the processor it was built for and its libraries.
std::string version_text();

} // namespace dybw
