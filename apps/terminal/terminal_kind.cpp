#include "apps/terminal/terminal_kind.hpp"

// In a file of its own: term.h takes names such as `columns` and `lines` from everybody.
#include <curses.h>
#include <term.h>
#include <unistd.h>

namespace dybw {

bool terminal_shows_pictures() {
  int fault = 0; // asked for, or setupterm() ends the process
  if (isatty(STDOUT_FILENO) == 0 || setupterm(nullptr, STDOUT_FILENO, &fault) == ERR)
    return false;
  const auto* move = tigetstr("cup");
  const auto can = move != nullptr && move != reinterpret_cast<const char*>(-1);
  del_curterm(cur_term);
  return can;
}

} // namespace dybw
