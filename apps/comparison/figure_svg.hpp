#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dybw {

/// Colours of the policies, in the order of `policy_hue`: those of the pages (apps/pages/base.css). After
/// Okabe and Ito, told apart with every common colour blindness.
inline constexpr std::array<std::string_view, 7> policy_colours{"#0072b2", "#d55e00", "#00916a", "#b0568e",
                                                                "#a67c00", "#5b6470", "#3a9fd6"};

/// A point of a curve; the band reaches `half_width` up and down.
struct curve_point {
  double x = 0;
  double y = 0;
  double half_width = 0;
};

struct curve {
  std::string label;
  std::size_t hue = 0;             ///< below policy_colours.size()
  std::size_t variant = 0;         ///< how its line is broken
  std::vector<curve_point> points; ///< ascending in x
  std::optional<curve_point> end;  ///< set apart
};

struct line_figure {
  std::string x_title;
  std::string y_title;
  bool is_logarithmic = false; ///< in y; points at or below 0 are left out
  std::optional<double> rule;  ///< a dashed line across
  std::vector<curve> curves;
};

/// A mean with its interval, per line.
struct bar {
  std::string label;
  std::size_t hue = 0;
  curve_point value; ///< x: the value
};

struct bar_figure {
  std::string x_title;
  std::vector<bar> bars;
};

/// A figure as SVG that stands on its own: text as text, white ground. Empty if there is nothing to draw.
std::string svg_of(const line_figure& figure);
std::string svg_of(const bar_figure& figure);

} // namespace dybw
