#include "apps/terminal/frame.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace dybw {

namespace {

constexpr std::size_t eighths_max = 8;

/// Takes one character off the front. Bytes that are no UTF-8 count as one question mark each.
char32_t take_character(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 0;
  if (length == 0 || length > text.size()) {
    text.remove_prefix(1);
    return U'?';
  }
  auto character = static_cast<char32_t>(length == 1 ? lead : length == 2 ? lead & 0x1fU : lead & 0x0fU);
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0U) != 0x80) {
      text.remove_prefix(1);
      return U'?';
    }
    character = (character << 6U) | (next & 0x3fU);
  }
  text.remove_prefix(length);
  return character;
}

/// Whether every terminal draws it in one column: Latin, Greek and Cyrillic letters, signs, lines and blocks.
bool is_narrow(char32_t c) {
  return (c >= 0x20 && c < 0x7f) || (c >= 0xa1 && c < 0x250 && c != 0xad) || (c >= 0x370 && c < 0x483) ||
         (c >= 0x48a && c < 0x530) || (c >= 0x2010 && c < 0x2027) || (c >= 0x2500 && c < 0x25a0);
}

void append_utf8(std::string& text, char32_t c) {
  const auto byte = [&text](char32_t x) { text += static_cast<char>(static_cast<unsigned char>(x)); };
  if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xc0U | (c >> 6U));
    byte(0x80U | (c & 0x3fU));
  } else {
    byte(0xe0U | (c >> 12U));
    byte(0x80U | ((c >> 6U) & 0x3fU));
    byte(0x80U | (c & 0x3fU));
  }
}

/// `share` of `most`, rounded; what is not a number is nothing.
std::size_t part_of(double share, std::size_t most) {
  if (!(share > 0))
    return 0;
  return static_cast<std::size_t>(std::lround(std::min(share, 1.0) * static_cast<double>(most)));
}

} // namespace

terminal_frame::terminal_frame(std::size_t columns, std::size_t rows, terminal_glyphs glyphs)
    : columns_(columns), rows_(rows), glyphs_(glyphs), cells_(columns * rows) {}

std::string terminal_frame::line(std::size_t row) const {
  std::string text;
  for (std::size_t i = 0; i < columns_; ++i)
    append_utf8(text, at(row, i).glyph);
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

std::size_t terminal_frame::write(std::size_t row, std::size_t column, std::string_view text,
                                  terminal_style style, std::size_t width) {
  if (row >= rows_ || column >= columns_)
    return column;
  const auto room = std::min(width, columns_ - column);
  for (std::size_t i = 0; i < room && !text.empty(); ++i) {
    const auto c = take_character(text);
    const auto shortened = i + 1 == room && !text.empty();
    const auto shown = is_narrow(c) && (unicode() || c < 0x80);
    put(row, column + i, shortened ? (unicode() ? U'\u2026' : U'~') : shown ? c : U'?', style);
    if (shortened || text.empty())
      return column + i + 1;
  }
  return column;
}

void terminal_frame::write_right(std::size_t row, std::size_t end, std::size_t width, std::string_view text,
                                 terminal_style style) {
  const auto length = static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80; }));
  const auto taken = std::min({length, width, end});
  write(row, end - taken, text, style, taken);
}

void terminal_frame::put(std::size_t row, std::size_t column, char32_t glyph, terminal_style style) {
  if (row < rows_ && column < columns_)
    cells_[row * columns_ + column] = {glyph, style};
}

void terminal_frame::fill(std::size_t row, terminal_style style) {
  for (std::size_t i = 0; i < columns_; ++i)
    put(row, i, U' ', style);
}

void terminal_frame::rule(std::size_t row, std::string_view text) {
  for (std::size_t i = 0; i < columns_; ++i)
    put(row, i, unicode() ? U'\u2500' : U'-', terminal_style::dim);
  if (text.empty() || columns_ < 4)
    return;
  put(row, 1, U' ', terminal_style::plain);
  const auto end = write(row, 2, text, terminal_style::bold, columns_ - 3);
  put(row, end, U' ', terminal_style::plain);
}

void terminal_frame::bar(std::size_t row, std::size_t column, std::size_t width, double share,
                         terminal_style style) {
  const auto filled = part_of(share, width);
  for (std::size_t i = 0; i < width; ++i)
    if (i < filled)
      put(row, column + i, unicode() ? U'\u2501' : U'#', style);
    else
      put(row, column + i, unicode() ? U'\u2500' : U'.', terminal_style::dim);
}

void terminal_frame::block(std::size_t row, std::size_t column, std::size_t width, double share,
                           terminal_style style) {
  const auto eighths = part_of(share, width * eighths_max);
  for (std::size_t i = 0; i < width; ++i) {
    const auto rest = eighths > i * eighths_max ? std::min(eighths - i * eighths_max, eighths_max) : 0;
    // U+2588 is the full block, U+258F the one of an eighth.
    const auto partial = static_cast<char32_t>(U'\u2588' + (eighths_max - rest));
    if (unicode() ? rest > 0 : rest >= eighths_max / 2)
      put(row, column + i, unicode() ? partial : U'#', style);
  }
}

char32_t terminal_frame::level(std::size_t eighths) const {
  static constexpr std::array<char32_t, eighths_max + 1> ascii = {U' ', U'.', U':', U'-', U'=',
                                                                  U'+', U'*', U'%', U'#'};
  if (!unicode() || eighths == 0)
    return ascii[eighths];
  return static_cast<char32_t>(U'\u2580' + eighths);
}

void terminal_frame::sparkline(std::size_t row, std::size_t column, std::size_t width,
                               std::span<const float> values, float top, terminal_style style) {
  const auto shown = values.last(std::min(values.size(), width));
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const auto share = top > 0 ? static_cast<double>(shown[i]) / static_cast<double>(top) : 0.0;
    put(row, column + width - shown.size() + i, level(std::max<std::size_t>(part_of(share, eighths_max), 1)),
        style);
  }
}

void terminal_frame::upright(std::size_t bottom, std::size_t column, std::size_t height, double share,
                             terminal_style style) {
  const auto eighths = std::max<std::size_t>(part_of(share, height * eighths_max), 1);
  for (std::size_t i = 0; i < height && i <= bottom; ++i) {
    const auto rest = eighths > i * eighths_max ? std::min(eighths - i * eighths_max, eighths_max) : 0;
    if (rest > 0)
      put(bottom - i, column, level(rest), style);
  }
}

} // namespace dybw
