#pragma once

#include "learning/base/types.hpp"

#include <cstdint>

namespace dybw {

/// Processor time of the whole process so far, user and system, in seconds.
double process_cpu_s();

/// Processor time of the calling thread so far, in seconds.
double thread_cpu_s();

/// The most memory the process has held resident since its start.
std::uint64_t peak_rss_bytes();

/// For how long the machine has been suspended since it was started (a laptop that was closed, a virtual
/// machine that was moved): time that the steady clock leaves out.
nanoseconds time_asleep();

} // namespace dybw
