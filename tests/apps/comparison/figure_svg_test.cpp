#include "apps/comparison/figure_svg.hpp"

#include <doctest/doctest.h>

#include <cmath>

namespace dybw::test {

namespace {

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
    ++count;
  return count;
}

} // namespace

TEST_CASE("figure: a curve with a band, an end that is set apart and a rule") {
  line_figure f{"time (s)", "accuracy", false, 0.9, {}};
  f.curves.push_back(
      {"dtur", 0, 0, {{0, 0.1, 0}, {1, 0.5, 0.1}, {2, 0.8, 0.05}}, curve_point{2.5, 0.9, 0.02}});
  f.curves.push_back({"a < b & c", 1, 1, {{0, 0.1, 0}, {2, 0.7, 0}}, {}});
  const auto svg = svg_of(f);
  CHECK(svg.starts_with("<svg xmlns="));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(count_of(svg, "fill-opacity") == 1);
  CHECK(count_of(svg, "<circle") == 1);
  CHECK(svg.find("a &lt; b &amp; c") != std::string::npos);
  CHECK(svg.find("stroke-dasharray=\"7 4\"") != std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("inf") == std::string::npos);
}

TEST_CASE("figure: what cannot be drawn is left out, and nothing gives no figure") {
  CHECK(svg_of(line_figure{}).empty());
  CHECK(svg_of(bar_figure{}).empty());
  line_figure f{"t", "d", true, {}, {}};
  f.curves.push_back({"x", 0, 0, {{0, 0, 0}, {1, -1, 0}, {2, std::nan(""), 0}}, {}});
  CHECK(svg_of(f).empty());
  f.curves.back().points = {{0, 1, 2}, {1, 1e-7, 1e-8}};
  const auto svg = svg_of(f);
  CHECK(svg.find("1e-07") != std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("inf") == std::string::npos);
  f.curves.back().points = {{0, 5, 0}}; // a single point
  CHECK(svg_of(f).find("nan") == std::string::npos);
}

TEST_CASE("figure: bars with intervals") {
  const auto svg = svg_of(bar_figure{"s", {{"full", 1, {10, 0, 1}}, {"dtur", 0, {5, 0, 0}}}});
  CHECK(count_of(svg, "<rect") == 3); // the ground is one
  CHECK(svg.find("stroke-width=\"1.6\"") != std::string::npos);
}

} // namespace dybw::test
