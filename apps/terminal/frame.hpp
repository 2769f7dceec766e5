#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dybw {

/// What a piece of the picture means; how that looks is the screen's business.
enum class terminal_style {
  plain,
  dim,
  bold,
  good,
  warning,
  bad,
  bar,     ///< the filled part of a bar, sparkline or chart
  title,   ///< the lines at the top and at the bottom
  heading, ///< names of columns
  chosen,  ///< the name of the column that the lanes are sorted by
};

/// Whether the terminal shows blocks and lines, or letters and signs only.
enum class terminal_glyphs { unicode, ascii };

struct terminal_cell {
  char32_t glyph = U' '; ///< always one column wide
  terminal_style style = terminal_style::plain;
};

/// What can be scrolled in a picture.
struct scroll_extent {
  std::size_t page = 1; ///< lines shown at once
  std::size_t last = 0; ///< largest offset that still fills the page
};

/// A picture for a terminal: cells in rows. Whatever is written past an edge is clipped; nothing wraps.
class terminal_frame {
public:
  static constexpr std::size_t everything = static_cast<std::size_t>(-1);

  terminal_frame(std::size_t columns, std::size_t rows, terminal_glyphs glyphs);

  std::size_t columns() const { return columns_; }
  std::size_t rows() const { return rows_; }
  bool unicode() const { return glyphs_ == terminal_glyphs::unicode; }
  const terminal_cell& at(std::size_t row, std::size_t column) const {
    return cells_[row * columns_ + column];
  }
  /// The row as UTF-8, without spaces at its end.
  std::string line(std::size_t row) const;

  /// Writes UTF-8 text; more than `width` columns end in an ellipsis. Glyphs that may not be one column wide
  /// become question marks. Returns the column behind the text.
  std::size_t write(std::size_t row, std::size_t column, std::string_view text,
                    terminal_style style = terminal_style::plain, std::size_t width = everything);
  /// The same, ending before `end`; text wider than `width` begins at `end - width`.
  void write_right(std::size_t row, std::size_t end, std::size_t width, std::string_view text,
                   terminal_style style = terminal_style::plain);
  void put(std::size_t row, std::size_t column, char32_t glyph, terminal_style style);
  /// Makes the whole row blank, in this style.
  void fill(std::size_t row, terminal_style style);

  /// A line across the picture with a text in it.
  void rule(std::size_t row, std::string_view text);
  /// A thin bar with a track; `share` in [0,1].
  void bar(std::size_t row, std::size_t column, std::size_t width, double share, terminal_style style);
  /// A block as long as `share` in eighths of a column, without a track.
  void block(std::size_t row, std::size_t column, std::size_t width, double share, terminal_style style);
  /// The newest values at the right, one per column, `top` the full height; what is above is cut off.
  void sparkline(std::size_t row, std::size_t column, std::size_t width, std::span<const float> values,
                 float top, terminal_style style);
  /// A column `share` of `height` rows high that stands on row `bottom`.
  void upright(std::size_t bottom, std::size_t column, std::size_t height, double share,
               terminal_style style);

  scroll_extent extent; ///< of the list in the picture

private:
  char32_t level(std::size_t eighths) const;

  std::size_t columns_;
  std::size_t rows_;
  terminal_glyphs glyphs_;
  std::vector<terminal_cell> cells_;
};

} // namespace dybw
