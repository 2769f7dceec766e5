#pragma once

#include <cstdint>

namespace dybw {

/// Processor time of the whole process so far, user and system, in seconds.
double process_cpu_s();

/// Processor time of the calling thread so far, in seconds.
double thread_cpu_s();

/// The most memory the process has held resident since its start.
std::uint64_t peak_rss_bytes();

} // namespace dybw
