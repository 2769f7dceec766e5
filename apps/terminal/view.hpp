#pragma once

#include "apps/terminal/frame.hpp"
#include "apps/terminal/state.hpp"
#include "learning/monitoring/run_view.hpp"

#include <cstddef>

namespace dybw {

/// The picture of a live run: header, lanes, panes and the keys, as much of it as fits. Lanes go first, the
/// panes share what is left; their heights follow from the size of terminal and run alone, so that nothing
/// jumps while the run goes on. Below 40x8 only a message.
terminal_frame render(const run_view& view, const terminal_state& state, std::size_t columns,
                      std::size_t rows, terminal_glyphs glyphs = terminal_glyphs::unicode);

} // namespace dybw
