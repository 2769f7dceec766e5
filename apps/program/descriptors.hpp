#pragma once

#include <cstdint>

namespace dybw {

/// Lets this process have as many open files and connections as the system allows it; how many.
std::uint64_t raise_descriptor_limit();

} // namespace dybw
