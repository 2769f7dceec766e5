#pragma once

#include "learning/monitoring/run_view.hpp"

#include <string>

namespace dybw {

/// "worker 3 waits for worker 7's estimate of round 41, 1.2 s; goes on without it in 8.8 s": one line.
std::string wait_text(const wait_view& w);

} // namespace dybw
