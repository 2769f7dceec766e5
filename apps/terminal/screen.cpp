#include "apps/terminal/screen.hpp"

#include "apps/terminal/view.hpp"

#include <algorithm>
#include <chrono>
#include <clocale>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

// Without macros, which would take names such as `timeout` and `erase` from everybody.
#define NCURSES_NOMACROS
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <langinfo.h>
#include <poll.h>
#include <unistd.h>

namespace dybw {

namespace {

using steady = std::chrono::steady_clock;

constexpr auto refresh_every = std::chrono::milliseconds{250};
/// How long a wait for a key lasts at most. Signals may end up on another thread and then do not end the
/// wait, so this is how late an interrupt or another size may be noticed.
constexpr int wait_ms = 50;
constexpr int escape_ms = 25; ///< a lone Esc is one when nothing follows for this long
constexpr int escape_character = 27;
constexpr int delete_character = 127;

constexpr short pair_good = 1;
constexpr short pair_warning = 2;
constexpr short pair_bad = 3;
constexpr short pair_bar = 4;

/// The terminal in the hands of ncurses while it lives.
class screen {
public:
  screen() : locale_before_(std::setlocale(LC_CTYPE, nullptr)) {
    std::setlocale(LC_CTYPE, "");
    unicode_ = std::string_view{nl_langinfo(CODESET)} == "UTF-8";
    // Not initscr(), which ends the process if it fails.
    screen_ = newterm(nullptr, stdout, stdin);
    if (screen_ == nullptr || tigetstr("cup") == nullptr) {
      leave();
      const auto* kind = std::getenv("TERM");
      throw std::runtime_error("the terminal (TERM=" + std::string{kind != nullptr ? kind : ""} +
                               ") cannot show a picture");
    }
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    set_escdelay(escape_ms);
    wtimeout(stdscr, wait_ms);
    curs_set(0);
    start_colours();
  }
  ~screen() { leave(); }
  screen(const screen&) = delete;
  screen& operator=(const screen&) = delete;

  std::size_t columns() const { return static_cast<std::size_t>(std::max(getmaxx(stdscr), 0)); }
  std::size_t rows() const { return static_cast<std::size_t>(std::max(getmaxy(stdscr), 0)); }
  terminal_glyphs glyphs() const { return unicode_ ? terminal_glyphs::unicode : terminal_glyphs::ascii; }

  /// ncurses sends only what has changed.
  void show(const terminal_frame& frame) {
    werase(stdscr);
    for (std::size_t row = 0; row < frame.rows(); ++row)
      show_row(frame, row);
    wrefresh(stdscr);
  }

  /// Waits for a key for a moment; ERR if there is none.
  static int key() { return wgetch(stdscr); }

private:
  void leave() {
    if (screen_ != nullptr) {
      endwin();
      delscreen(screen_);
      screen_ = nullptr;
    }
    std::setlocale(LC_CTYPE, locale_before_.c_str());
  }

  void start_colours() {
    const auto* refused = std::getenv("NO_COLOR");
    if ((refused != nullptr && *refused != '\0') || !has_colors() || start_color() == ERR)
      return;
    const short background = use_default_colors() == OK ? -1 : COLOR_BLACK;
    init_pair(pair_good, COLOR_GREEN, background);
    init_pair(pair_warning, COLOR_YELLOW, background);
    init_pair(pair_bad, COLOR_RED, background);
    init_pair(pair_bar, COLOR_CYAN, background);
    coloured_ = true;
  }

  struct look {
    attr_t attributes = A_NORMAL;
    short pair = 0;
  };

  /// Without colours what is wrong still stands out.
  look look_of(terminal_style style) const {
    const auto paired = [this](short pair, attr_t with, attr_t without) {
      return coloured_ ? look{with, pair} : look{without, 0};
    };
    switch (style) {
    case terminal_style::plain:
      return {};
    case terminal_style::dim:
      return {A_DIM, 0};
    case terminal_style::bold:
      return {A_BOLD, 0};
    case terminal_style::good:
      return paired(pair_good, A_NORMAL, A_NORMAL);
    case terminal_style::warning:
      return paired(pair_warning, A_NORMAL, A_BOLD);
    case terminal_style::bad:
      return paired(pair_bad, A_BOLD, A_BOLD | A_UNDERLINE);
    case terminal_style::bar:
      return paired(pair_bar, A_NORMAL, A_NORMAL);
    case terminal_style::title:
      return {A_REVERSE, 0};
    case terminal_style::heading:
      return {A_DIM, 0};
    case terminal_style::chosen:
      return {A_BOLD | A_UNDERLINE, 0};
    }
    return {};
  }

  /// Piece by piece, each as long as its style.
  void show_row(const terminal_frame& frame, std::size_t row) {
    std::wstring text;
    for (std::size_t begin = 0; begin < frame.columns();) {
      const auto style = frame.at(row, begin).style;
      text.clear();
      auto end = begin;
      for (; end < frame.columns() && frame.at(row, end).style == style; ++end)
        text += static_cast<wchar_t>(frame.at(row, end).glyph);
      const auto how = look_of(style);
      wattr_set(stdscr, how.attributes, how.pair, nullptr);
      mvwaddnwstr(stdscr, static_cast<int>(row), static_cast<int>(begin), text.data(),
                  static_cast<int>(text.size()));
      begin = end;
    }
    wattr_set(stdscr, A_NORMAL, 0, nullptr);
  }

  std::string locale_before_;
  SCREEN* screen_ = nullptr;
  bool unicode_ = false;
  bool coloured_ = false;
};

std::optional<terminal_key> key_of(int code) {
  using kind = terminal_key::kind;
  switch (code) {
  case KEY_UP:
    return terminal_key{kind::up};
  case KEY_DOWN:
    return terminal_key{kind::down};
  case KEY_PPAGE:
    return terminal_key{kind::page_up};
  case KEY_NPAGE:
    return terminal_key{kind::page_down};
  case KEY_HOME:
    return terminal_key{kind::home};
  case KEY_END:
    return terminal_key{kind::end};
  case KEY_ENTER:
  case '\r':
  case '\n':
    return terminal_key{kind::enter};
  case KEY_BACKSPACE:
  case delete_character:
  case '\b':
    return terminal_key{kind::backspace};
  case escape_character:
    return terminal_key{kind::escape};
  default:
    if (code >= ' ' && code < delete_character)
      return terminal_key{kind::character, static_cast<char>(code)};
    return std::nullopt;
  }
}

/// Whether nobody is at the other end any more; then waiting for keys would end at once, again and again.
bool terminal_is_gone() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  return poll(&input, 1, 0) > 0 && (input.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

} // namespace

std::shared_ptr<const run_view> show_on_terminal(const view_source& source,
                                                 const std::function<bool()>& interrupted) {
  auto view = source();
  screen terminal;
  terminal_state state;
  scroll_extent extent;
  auto next = steady::now();
  const auto draw = [&] {
    const auto frame = render(*view, state, terminal.columns(), terminal.rows(), terminal.glyphs());
    extent = frame.extent;
    terminal.show(frame);
  };
  while (!state.quit && !interrupted()) {
    const auto code = screen::key();
    const auto key = key_of(code);
    if (key)
      state = on_key(state, *key, extent);
    else if (code == ERR && terminal_is_gone())
      break;
    const auto due = steady::now() >= next;
    if (due) {
      next = steady::now() + refresh_every;
      if (!state.paused)
        view = source();
    }
    if (due || key || code == KEY_RESIZE)
      draw();
  }
  return view;
}

} // namespace dybw
