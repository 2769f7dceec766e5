#pragma once

#include "apps/terminal/frame.hpp"
#include "apps/terminal/state.hpp"
#include "learning/monitoring/run_view.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace dybw {

/// The workers that the filter lets through, in the order chosen. A number or a range ("12", "10-20") means
/// worker numbers; any other text is looked for, in any case, in the node's address, the phase, the standing
/// and, for a straggler, the word "straggler".
std::vector<const worker_view*> chosen_lanes(const run_view& view, const terminal_state& state);

/// The lanes from `state.scroll` on, one row per worker: a rule that says which are shown, the names of the
/// columns, then `rows` lanes beginning at `top + 2`. Columns that do not fit are left out.
void draw_lanes(terminal_frame& frame, const run_view& view, const terminal_state& state, std::size_t top,
                std::size_t rows);

/// "120 ms", "1.5 s", "42 s", "12 min", "3.2 h": at most six columns for the first ten days.
std::string brief_time(double s);
/// "0:42", "1:02:03": of a run's clock. "-" if not finite.
std::string clock_text(double s);

} // namespace dybw
