#pragma once

#include "learning/monitoring/run_view.hpp"

#include <string>

namespace dybw {

/// "worker 3 waits for worker 7's estimate of round 41, 1.2 s; goes on without it in 8.8 s": one line.
std::string wait_text(const wait_view& w);

/// How a run stands: one line.
std::string plain_line(const run_view& v);

/// "  12.3 s  warning: worker 2 is lost": one line.
std::string line_of(const event_view& e);

/// Everything that anybody waits for, the longest first, as a table: who, in which round and phase, for whom
/// and what, how long, and what happens then; before it the nodes that do not answer. Says so if nobody
/// waits.
std::string waiting_text(const run_view& v);

} // namespace dybw
