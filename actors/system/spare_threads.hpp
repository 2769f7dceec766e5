#pragma once

#include <cstddef>

namespace dybw {

/// Throws `std::system_error` unless the system gives so many threads more now. To be asked before detached
/// actors are spawned: one whose thread is refused stays counted in CAF 0.17.6, and the end of its actor
/// system would wait for it for ever. Any thread; takes about 50 us a thread.
void require_threads(std::size_t count);

} // namespace dybw
