#include "apps/terminal/state.hpp"

#include "learning/base/enum_text.hpp"

#include <algorithm>

namespace dybw {

namespace {

constexpr int orders = 6;

/// Another list is shown: from its beginning.
void show(terminal_state& state, terminal_pane pane) {
  state.pane = state.pane == pane ? terminal_pane::lanes : pane;
  state.scroll = 0;
}

void on_character(terminal_state& state, char c) {
  switch (c) {
  case 'q':
    state.quit = true;
    return;
  case 's':
    state.order = static_cast<lane_order>((static_cast<int>(state.order) + 1) % orders);
    state.reversed = false;
    state.scroll = 0;
    return;
  case 'r':
    state.reversed = !state.reversed;
    state.scroll = 0;
    return;
  case '/':
    state.typing = true;
    state.pane = terminal_pane::lanes;
    state.scroll = 0;
    return;
  case ' ':
    state.paused = !state.paused;
    return;
  case 'w':
    return show(state, terminal_pane::waiting);
  case 'e':
    return show(state, terminal_pane::events);
  case 'n':
    return show(state, terminal_pane::nodes);
  case 'h':
  case '?':
    state.help = !state.help;
    return;
  default:
    return;
  }
}

void on_escape(terminal_state& state) {
  if (state.help) {
    state.help = false;
  } else if (state.pane != terminal_pane::lanes) {
    show(state, terminal_pane::lanes);
  } else {
    state.filter.clear();
    state.scroll = 0;
  }
}

/// Whether the key belonged to the filter that is being typed.
bool type(terminal_state& state, const terminal_key& key) {
  switch (key.what) {
  case terminal_key::kind::character:
    if (key.character >= ' ' && key.character < 0x7f &&
        state.filter.size() < terminal_state::filter_length_max)
      state.filter += key.character;
    break;
  case terminal_key::kind::backspace:
    if (!state.filter.empty())
      state.filter.pop_back();
    break;
  case terminal_key::kind::enter:
    state.typing = false;
    break;
  case terminal_key::kind::escape:
    state.typing = false;
    state.filter.clear();
    break;
  default:
    return false;
  }
  state.scroll = 0;
  return true;
}

} // namespace

std::string_view to_string(lane_order x) {
  return enum_text<lane_order::backup>(x,
                                       {"number", "round", "loss", "waiting", "step time", "backup workers"});
}

terminal_state on_key(terminal_state state, const terminal_key& key, const scroll_extent& extent) {
  if (state.typing && type(state, key))
    return state;
  // The list may have become shorter since the last key.
  auto& scroll = state.scroll;
  scroll = std::min(scroll, extent.last);
  switch (key.what) {
  case terminal_key::kind::character:
    on_character(state, key.character);
    break;
  case terminal_key::kind::escape:
    on_escape(state);
    break;
  case terminal_key::kind::up:
    scroll -= std::min<std::size_t>(scroll, 1);
    break;
  case terminal_key::kind::down:
    scroll = std::min(scroll + 1, extent.last);
    break;
  case terminal_key::kind::page_up:
    scroll -= std::min(scroll, extent.page);
    break;
  case terminal_key::kind::page_down:
    scroll = std::min(scroll + extent.page, extent.last);
    break;
  case terminal_key::kind::home:
    scroll = 0;
    break;
  case terminal_key::kind::end:
    scroll = extent.last;
    break;
  case terminal_key::kind::enter:
  case terminal_key::kind::backspace:
    break;
  }
  return state;
}

} // namespace dybw
