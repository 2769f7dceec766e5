#pragma once

#include "apps/terminal/frame.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace dybw {

/// What the lanes are sorted by.
enum class lane_order { number, round, loss, waiting, step, backup };
/// "number", "step time": after "by".
std::string_view to_string(lane_order x);

/// What takes the place below the header.
enum class terminal_pane { lanes, waiting, events, nodes };

/// What the user has chosen to see.
struct terminal_state {
  static constexpr std::size_t filter_length_max = 40;

  lane_order order = lane_order::number;
  bool reversed = false;
  std::string filter;  ///< lanes shown, see `chosen_lanes`; empty: all
  bool typing = false; ///< keys go to the filter
  bool paused = false; ///< the picture stands still
  bool help = false;
  terminal_pane pane = terminal_pane::lanes;
  std::size_t scroll = 0; ///< lines of the list above the picture
  bool quit = false;
};

struct terminal_key {
  enum class kind { character, enter, escape, backspace, up, down, page_up, page_down, home, end };
  kind what = kind::character;
  char character = 0; ///< of `kind::character`
};

/// What the user's key makes of the state; `extent` is that of the picture in front of the user.
terminal_state on_key(terminal_state state, const terminal_key& key, const scroll_extent& extent);

} // namespace dybw
