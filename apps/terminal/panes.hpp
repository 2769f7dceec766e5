#pragma once

#include "apps/terminal/frame.hpp"
#include "apps/terminal/state.hpp"
#include "learning/monitoring/run_view.hpp"

#include <cstddef>

namespace dybw {

/// Rows of a picture: from `top` on.
struct terminal_area {
  std::size_t top = 0;
  std::size_t rows = 0;
};

/// Panes begin with a rule; an area without rows draws nothing. A list shows what fits, from `first` on, and
/// says how much there is.

/// Who waits for whom, the longest first.
void draw_waits(terminal_frame& frame, const run_view& view, terminal_area area, std::size_t first = 0);
/// What happened, the newest first.
void draw_events(terminal_frame& frame, const run_view& view, terminal_area area, std::size_t first = 0);
/// Rows that `draw_nodes` needs for all nodes.
std::size_t node_rows(const run_view& view);
void draw_nodes(terminal_frame& frame, const run_view& view, terminal_area area, std::size_t first = 0);
/// Charts of the whole run next to each other, as many as are wide enough.
void draw_history(terminal_frame& frame, const run_view& view, terminal_area area);
/// A list that takes the whole area; sets the extent of the picture. REQUIRES: `pane` is not `lanes`.
void draw_large(terminal_frame& frame, const run_view& view, terminal_pane pane, terminal_area area,
                std::size_t scroll);
/// The keys and signs, on top of the picture.
void draw_help(terminal_frame& frame);

} // namespace dybw
