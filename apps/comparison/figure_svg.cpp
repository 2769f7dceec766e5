#include "apps/comparison/figure_svg.hpp"

#include "learning/base/number_text.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace dybw {

namespace {

// In pixels.
constexpr double plot_width = 460;
constexpr double plot_height = 290;
constexpr double left = 64;
constexpr double top = 14;
constexpr double below = 46;
constexpr double letter = 6.6; ///< mean width of a letter of 12 pixels
constexpr double legend_line = 19;
constexpr double bar_line = 30;
constexpr std::array<const char*, 4> dashes{"", "7 4", "2 3", "9 3 2 3"};

std::string px(double x) {
  return fixed_text(x, 2);
}

std::string safe(const std::string& text) {
  std::string out;
  for (const auto c : text)
    out += c == '<'   ? "&lt;"
           : c == '>' ? "&gt;"
           : c == '&' ? "&amp;"
           : c == '"' ? "&quot;"
                      : std::string(1, c);
  return out;
}

std::string text_at(double x, double y, const std::string& anchor, const std::string& text,
                    const std::string& more = {}) {
  return "<text x=\"" + px(x) + "\" y=\"" + px(y) + "\" text-anchor=\"" + anchor + "\"" + more + ">" +
         safe(text) + "</text>\n";
}

std::string line_at(double x1, double y1, double x2, double y2, const std::string& style) {
  return "<line x1=\"" + px(x1) + "\" y1=\"" + px(y1) + "\" x2=\"" + px(x2) + "\" y2=\"" + px(y2) + "\" " +
         style + "/>\n";
}

std::string begin(double width, double height) {
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + px(width) + "\" height=\"" + px(height) +
         "\" viewBox=\"0 0 " + px(width) + " " + px(height) +
         "\" font-family=\"Helvetica, Arial, 'Liberation Sans', sans-serif\" font-size=\"12\">\n<!-- dybw "
         "report "
         "-->\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
}

std::string colour(std::size_t hue) {
  return std::string{policy_colours[hue % policy_colours.size()]};
}

/// From values to pixels, with its ticks.
struct axis {
  double from = 0;
  double to = 1;
  bool is_logarithmic = false;
  std::vector<double> ticks;

  double share(double x) const {
    return is_logarithmic ? (std::log10(x) - std::log10(from)) / (std::log10(to) - std::log10(from))
                          : (x - from) / (to - from);
  }
};

std::string tick_text(const axis& a, double x) {
  if (a.is_logarithmic || (x != 0 && (std::abs(x) < 1e-3 || std::abs(x) >= 1e6)))
    return number_text(x, std::chars_format::scientific, 0);
  const auto text = number_text(std::round(x * 1e9) / 1e9);
  return text == "-0" ? "0" : text;
}

/// About five round steps that hold all of it; `tight`: the axis ends where the values do.
axis linear(double low, double high, bool tight) {
  if (!(high > low)) {
    const auto more = high == 0 ? 1 : std::abs(high) * 0.1;
    low -= tight ? 0 : more;
    high += more;
  }
  const auto rough = (high - low) / 5;
  const auto ten = std::pow(10, std::floor(std::log10(rough)));
  const auto step = ten * (rough / ten > 5 ? 10 : rough / ten > 2 ? 5 : rough / ten > 1 ? 2 : 1);
  axis a{
      tight ? low : std::floor(low / step) * step, tight ? high : std::ceil(high / step) * step, false, {}};
  for (auto k = std::ceil(a.from / step - 1e-9); k * step <= a.to + 1e-9 * step; ++k)
    a.ticks.push_back(k * step);
  return a;
}

axis decades(double low, double high) {
  const auto first = std::floor(std::log10(low));
  const auto last = std::max(first + 1, std::ceil(std::log10(high)));
  axis a{std::pow(10, first), std::pow(10, last), true, {}};
  const auto every = std::ceil((last - first) / 8);
  for (auto k = first; k <= last; k += every)
    a.ticks.push_back(std::pow(10, k));
  return a;
}

struct extent {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(double x) {
    low = std::min(low, x);
    high = std::max(high, x);
  }
  bool empty() const { return !(low <= high); }
};

bool is_drawn(const line_figure& f, const curve_point& p) {
  return std::isfinite(p.x) && std::isfinite(p.y) && std::isfinite(p.half_width) &&
         (!f.is_logarithmic || p.y > 0);
}

/// All points of a curve that can be drawn, the one set apart last.
std::vector<curve_point> drawn_points(const line_figure& f, const curve& c, bool with_end) {
  std::vector<curve_point> points;
  for (const auto& p : c.points)
    if (is_drawn(f, p))
      points.push_back(p);
  if (with_end && c.end && is_drawn(f, *c.end))
    points.push_back(*c.end);
  return points;
}

class line_plot {
public:
  line_plot(const line_figure& figure, axis x, axis y)
      : figure_(figure), x_(std::move(x)), y_(std::move(y)) {}

  std::string text() const {
    std::size_t longest = 0;
    for (const auto& c : figure_.curves)
      longest = std::max(longest, c.label.size());
    const auto legend_width = 46 + letter * static_cast<double>(longest);
    const auto legend_height = top + legend_line * static_cast<double>(figure_.curves.size());
    auto out = begin(left + plot_width + 20 + legend_width,
                     std::max(top + plot_height + below, legend_height + top)) +
               axes();
    out += "<clipPath id=\"plot\"><rect x=\"" + px(left) + "\" y=\"" + px(top) + "\" width=\"" +
           px(plot_width) + "\" height=\"" + px(plot_height) +
           "\"/></clipPath>\n<g clip-path=\"url(#plot)\">\n";
    for (const auto& c : figure_.curves)
      out += band(c);
    for (const auto& c : figure_.curves)
      out += line(c);
    out += "</g>\n";
    for (const auto& c : figure_.curves)
      out += end_mark(c);
    for (std::size_t i = 0; i < figure_.curves.size(); ++i)
      out += legend(figure_.curves[i], top + 10 + legend_line * static_cast<double>(i));
    return out + "</svg>\n";
  }

private:
  double px_x(double x) const { return left + plot_width * x_.share(x); }
  double px_y(double y) const { return top + plot_height * (1 - y_.share(y)); }

  std::string axes() const {
    std::string out;
    for (const auto t : y_.ticks)
      out += line_at(left, px_y(t), left + plot_width, px_y(t), "stroke=\"#e4e4e0\"") +
             text_at(left - 7, px_y(t) + 4, "end", tick_text(y_, t));
    for (const auto t : x_.ticks)
      out += line_at(px_x(t), top + plot_height, px_x(t), top + plot_height + 4, "stroke=\"#555\"") +
             text_at(px_x(t), top + plot_height + 17, "middle", tick_text(x_, t));
    out += line_at(left, top + plot_height, left + plot_width, top + plot_height, "stroke=\"#555\"") +
           line_at(left, top, left, top + plot_height, "stroke=\"#555\"");
    if (figure_.rule)
      out += line_at(left, px_y(*figure_.rule), left + plot_width, px_y(*figure_.rule),
                     "stroke=\"#333\" stroke-dasharray=\"5 4\"");
    return out + text_at(left + plot_width / 2, top + plot_height + 37, "middle", figure_.x_title) +
           text_at(14, top + plot_height / 2, "middle", figure_.y_title,
                   " transform=\"rotate(-90 14 " + px(top + plot_height / 2) + ")\"");
  }

  void draw_to(std::string& path, double x, double y) const {
    path += path.empty() ? 'M' : 'L';
    path += px(px_x(x));
    path += ' ';
    path += px(px_y(y));
  }

  std::string band(const curve& c) const {
    const auto points = drawn_points(figure_, c, false);
    if (std::none_of(points.begin(), points.end(), [](const auto& p) { return p.half_width > 0; }))
      return "";
    std::string path;
    const auto lowest = y_.is_logarithmic ? y_.from : -std::numeric_limits<double>::infinity();
    for (const auto& p : points)
      draw_to(path, p.x, p.y + p.half_width);
    for (auto p = points.rbegin(); p != points.rend(); ++p)
      draw_to(path, p->x, std::max(lowest, p->y - p->half_width));
    return "<path d=\"" + path + "Z\" fill=\"" + colour(c.hue) + "\" fill-opacity=\"0.17\"/>\n";
  }

  std::string line(const curve& c) const {
    std::string path;
    for (const auto& p : drawn_points(figure_, c, false))
      draw_to(path, p.x, p.y);
    return path.empty() ? "" : "<path d=\"" + path + "\" fill=\"none\" " + stroke(c) + "/>\n";
  }

  std::string end_mark(const curve& c) const {
    if (!c.end || !is_drawn(figure_, *c.end))
      return "";
    const auto x = px_x(c.end->x);
    std::string out;
    if (c.end->half_width > 0) {
      const auto low =
          y_.is_logarithmic ? std::max(y_.from, c.end->y - c.end->half_width) : c.end->y - c.end->half_width;
      out = line_at(x, px_y(low), x, px_y(c.end->y + c.end->half_width),
                    "stroke=\"" + colour(c.hue) + "\" stroke-width=\"1.4\"");
    }
    return out + "<circle cx=\"" + px(x) + "\" cy=\"" + px(px_y(c.end->y)) + "\" r=\"3.2\" fill=\"" +
           colour(c.hue) + "\"/>\n";
  }

  std::string legend(const curve& c, double y) const {
    const auto x = left + plot_width + 20;
    return line_at(x, y - 4, x + 26, y - 4, stroke(c)) + text_at(x + 33, y, "start", c.label);
  }

  static std::string stroke(const curve& c) {
    const std::string dash = dashes[c.variant % dashes.size()];
    return "stroke=\"" + colour(c.hue) + "\" stroke-width=\"2\" stroke-linejoin=\"round\"" +
           (dash.empty() ? "" : " stroke-dasharray=\"" + dash + "\"");
  }

  const line_figure& figure_;
  axis x_;
  axis y_;
};

} // namespace

std::string svg_of(const line_figure& figure) {
  extent x;
  extent y;
  for (const auto& c : figure.curves)
    for (const auto& p : drawn_points(figure, c, true)) {
      x.add(p.x);
      y.add(p.y);
      y.add(p.y + p.half_width);
      if (!figure.is_logarithmic)
        y.add(p.y - p.half_width);
    }
  if (x.empty())
    return "";
  if (figure.rule && (!figure.is_logarithmic || *figure.rule > 0))
    y.add(*figure.rule);
  x.add(0);
  return line_plot{figure, linear(x.low, x.high, true),
                   figure.is_logarithmic ? decades(y.low, y.high) : linear(y.low, y.high, false)}
      .text();
}

std::string svg_of(const bar_figure& figure) {
  extent x;
  x.add(0);
  std::size_t longest = 0;
  for (const auto& b : figure.bars) {
    x.add(b.value.x + b.value.half_width);
    longest = std::max(longest, b.label.size());
  }
  if (figure.bars.empty())
    return "";
  const auto scale = linear(0, x.high, false);
  const auto begin_x = 20 + letter * static_cast<double>(longest);
  const auto height = bar_line * static_cast<double>(figure.bars.size());
  const auto at = [&](double value) { return begin_x + plot_width * std::max(0.0, scale.share(value)); };
  auto out = begin(begin_x + plot_width + 30, top + height + below);
  for (const auto t : scale.ticks)
    out += line_at(at(t), top, at(t), top + height, "stroke=\"#e4e4e0\"") +
           text_at(at(t), top + height + 17, "middle", tick_text(scale, t));
  for (std::size_t i = 0; i < figure.bars.size(); ++i) {
    const auto& b = figure.bars[i];
    const auto y = top + bar_line * (static_cast<double>(i) + 0.5);
    out += "<rect x=\"" + px(begin_x) + "\" y=\"" + px(y - 9) + "\" width=\"" + px(at(b.value.x) - begin_x) +
           "\" height=\"18\" fill=\"" + colour(b.hue) + "\"/>\n" +
           text_at(begin_x - 8, y + 4, "end", b.label);
    if (b.value.half_width > 0)
      out += line_at(at(b.value.x - b.value.half_width), y, at(b.value.x + b.value.half_width), y,
                     "stroke=\"#222\" stroke-width=\"1.6\"");
  }
  return out + line_at(begin_x, top, begin_x, top + height, "stroke=\"#555\"") +
         text_at(begin_x + plot_width / 2, top + height + 37, "middle", figure.x_title) + "</svg>\n";
}

} // namespace dybw
