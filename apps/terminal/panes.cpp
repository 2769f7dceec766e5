#include "apps/terminal/panes.hpp"

#include "apps/terminal/lanes.hpp"
#include "apps/text/view_text.hpp"
#include "learning/base/number_text.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dybw {

namespace {

/// Below this width the panes shorten their words.
constexpr std::size_t columns_roomy = 120;

/// "events (2-4 of 12)" if not all are shown, else "events (12)".
std::string list_title(const std::string& name, std::size_t first, std::size_t shown, std::size_t count) {
  if (shown < count && first > 0)
    return name + " (" + std::to_string(first + 1) + "-" + std::to_string(first + shown) + " of " +
           std::to_string(count) + ")";
  return name + " (" + std::to_string(count) + ")";
}

/// Which elements of a list of `count` are shown in an area below its rule and `above` more rows.
struct window {
  std::size_t first = 0;
  std::size_t shown = 0;
};

window window_of(terminal_area area, std::size_t above, std::size_t count, std::size_t first) {
  const auto room = area.rows > above ? area.rows - above : 0;
  const auto begin = std::min(first, count > room ? count - room : 0);
  return {begin, std::min(room, count - begin)};
}

/// "3 waits for 7's estimate of round 41, ..": the pane's title says what the numbers are.
std::string without_worker(std::string text) {
  const std::string word = "worker ";
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at))
    text.erase(at, word.size());
  return text;
}

terminal_style severity_style(event_view::severity how) {
  using severity = event_view::severity;
  return how == severity::error     ? terminal_style::bad
         : how == severity::warning ? terminal_style::warning
                                    : terminal_style::plain;
}

/// Shorter waits come and go faster than anybody reads.
constexpr double readable_wait_s = 0.1;

/// The waits that are listed, the longest ones; the rest is one line.
std::size_t readable_waits(const run_view& view) {
  const auto end =
      std::ranges::find_if(view.waits, [](const wait_view& w) { return w.waited_s < readable_wait_s; });
  return static_cast<std::size_t>(end - view.waits.begin());
}

std::size_t lines_of_waits(const run_view& view) {
  const auto listed = readable_waits(view);
  return listed + (listed < view.waits.size() ? 1 : 0);
}

struct node_column {
  std::string_view name;
  std::size_t width = 0; ///< to the right; the first column to the left
};

constexpr std::array<node_column, 8> node_columns = {{{"node", 28},
                                                      {"state", 13},
                                                      {"workers", 7},
                                                      {"in touch", 8},
                                                      {"processor", 9},
                                                      {"memory", 9},
                                                      {"sent", 10},
                                                      {"refused", 7}}};

std::array<std::string, node_columns.size()> node_cells(const node_view& n, std::size_t index) {
  return {std::to_string(index) + "  " + n.address + (n.leads ? "  leads" : ""),
          n.reachable ? "answers" : "silent " + brief_time(n.silent_s),
          std::to_string(n.workers),
          std::to_string(n.component),
          brief_time(n.cpu_s),
          megabytes_text(n.peak_rss_bytes, 0),
          megabytes_text(n.link_bytes_sent + n.eval_bytes_sent, 0),
          std::to_string(n.connections_refused)};
}

template <class Cells>
void draw_node_row(terminal_frame& frame, std::size_t row, const Cells& cells, terminal_style style) {
  std::size_t column = 1;
  for (std::size_t i = 0; i < node_columns.size(); ++i) {
    const auto width = node_columns[i].width;
    if (i > 0 && column + width > frame.columns())
      return;
    if (i < 2)
      frame.write(row, column, cells[i], style, width);
    else
      frame.write_right(row, column + width, width, cells[i], style);
    column += width + 2;
  }
}

/// One chart of the history, with at least one value; it stands on zero.
struct chart {
  std::string_view name;
  std::vector<std::optional<double>> values; ///< oldest first
  int decimals = 2;
  double unit = 1; ///< of what is shown
  std::string_view sign;
};

std::vector<chart> charts_of(const std::vector<history_point>& history) {
  std::vector<chart> charts = {{"loss", {}, 3, 1, ""},
                               {"gradients per s", {}, 0, 1, ""},
                               {"accuracy", {}, 1, 100, " %"},
                               {"backup workers", {}, 2, 1, ""},
                               {"waiting", {}, 0, 100, " %"}};
  for (const auto& p : history) {
    charts[0].values.push_back(p.loss);
    charts[1].values.push_back(p.steps_per_s);
    charts[2].values.push_back(p.accuracy);
    charts[3].values.push_back(p.backup_workers);
    charts[4].values.push_back(p.wait_share);
  }
  std::erase_if(charts, [](const chart& c) {
    return std::ranges::none_of(c.values, [](const auto& x) { return x && std::isfinite(*x); });
  });
  return charts;
}

/// The mean of the values that fall on a column.
std::optional<double> mean_of(const std::vector<std::optional<double>>& values, std::size_t begin,
                              std::size_t end) {
  double sum = 0;
  std::size_t count = 0;
  for (auto i = begin; i < end; ++i)
    if (values[i] && std::isfinite(*values[i])) {
      sum += *values[i];
      ++count;
    }
  return count > 0 ? std::optional{sum / static_cast<double>(count)} : std::nullopt;
}

void draw_chart(terminal_frame& frame, const chart& c, terminal_area area, std::size_t column,
                std::size_t width) {
  const auto length = std::min(width, c.values.size());
  std::vector<std::optional<double>> means;
  for (std::size_t i = 0; i < length; ++i)
    means.push_back(mean_of(c.values, i * c.values.size() / length, (i + 1) * c.values.size() / length));
  const auto known = [](const auto& x) { return x && std::isfinite(*x); };
  double top = 0;
  for (const auto& x : c.values)
    if (known(x))
      top = std::max(top, *x);
  const auto newest = **std::find_if(c.values.rbegin(), c.values.rend(), known);
  const auto text = [&c](double x) { return fixed_text(x * c.unit, c.decimals) + std::string{c.sign}; };
  const auto end = frame.write(area.top, column, c.name, terminal_style::dim, width);
  frame.write(area.top, end + 1, text(newest), terminal_style::bold);
  frame.write_right(area.top, column + width, width, "up to " + text(top), terminal_style::dim);
  // A run that has just begun fills the chart from the left, later the whole of it is spread over the width.
  for (std::size_t i = 0; i < length; ++i)
    if (means[i])
      frame.upright(area.top + area.rows - 1, column + i, area.rows - 1, top > 0 ? *means[i] / top : 0.0,
                    terminal_style::bar);
}

} // namespace

void draw_waits(terminal_frame& frame, const run_view& view, terminal_area area, std::size_t first) {
  if (area.rows == 0)
    return;
  const auto listed = readable_waits(view);
  const auto [begin, shown] = window_of(area, 1, lines_of_waits(view), first);
  frame.rule(area.top, shown < lines_of_waits(view)
                           ? list_title("who waits for whom", begin, shown, view.waits.size())
                           : list_title("who waits for whom", 0, view.waits.size(), view.waits.size()));
  for (std::size_t i = 0; i < shown; ++i) {
    if (begin + i == listed) {
      frame.write(area.top + 1 + i, 2,
                  (listed > 0 ? "and " : "") + std::to_string(view.waits.size() - listed) +
                      " of less than 0.1 s",
                  terminal_style::dim);
      break;
    }
    const auto& wait = view.waits[begin + i];
    const auto text = wait_text(wait);
    frame.write(area.top + 1 + i, 2, frame.columns() < columns_roomy ? without_worker(text) : text,
                wait.waited_s >= 1 ? terminal_style::warning : terminal_style::plain);
  }
  if (view.waits.empty() && area.rows > 1)
    frame.write(area.top + 1, 2, "nobody", terminal_style::dim);
}

void draw_events(terminal_frame& frame, const run_view& view, terminal_area area, std::size_t first) {
  if (area.rows == 0)
    return;
  const auto count = view.events.size();
  const auto [begin, shown] = window_of(area, 1, count, first);
  auto title = list_title("events", begin, shown, count);
  if (view.events_before > 0)
    title += ", " + count_text(view.events_before) + " older ones forgotten";
  frame.rule(area.top, title);
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& happened = view.events[count - 1 - begin - i];
    const auto row = area.top + 1 + i;
    const auto info = happened.how == event_view::severity::info;
    frame.write_right(row, 9, 8, clock_text(happened.time_s), terminal_style::dim);
    frame.write(row, 11, info ? "" : to_string(happened.how), severity_style(happened.how));
    frame.write(row, 20, happened.text, severity_style(happened.how));
  }
  if (count == 0 && area.rows > 1)
    frame.write(area.top + 1, 2, "none yet", terminal_style::dim);
}

std::size_t node_rows(const run_view& view) {
  return 2 + view.nodes.size();
}

void draw_nodes(terminal_frame& frame, const run_view& view, terminal_area area, std::size_t first) {
  if (area.rows < 2)
    return;
  const auto [begin, shown] = window_of(area, 2, view.nodes.size(), first);
  frame.rule(area.top, list_title("nodes", begin, shown, view.nodes.size()));
  frame.fill(area.top + 1, terminal_style::heading);
  std::array<std::string_view, node_columns.size()> names;
  std::ranges::transform(node_columns, names.begin(), &node_column::name);
  draw_node_row(frame, area.top + 1, names, terminal_style::heading);
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& node = view.nodes[begin + i];
    draw_node_row(frame, area.top + 2 + i, node_cells(node, begin + i),
                  node.reachable ? terminal_style::plain : terminal_style::bad);
  }
}

void draw_history(terminal_frame& frame, const run_view& view, terminal_area area) {
  constexpr std::size_t chart_min = 34;
  constexpr std::size_t gap = 3;
  if (area.rows < 3)
    return;
  frame.rule(area.top, "history, " + std::string{view.history.empty()
                                                     ? "nothing yet"
                                                     : clock_text(view.history.front().time_s) + " to " +
                                                           clock_text(view.history.back().time_s)});
  const auto charts = charts_of(view.history);
  const auto count = std::min(charts.size(), (frame.columns() + gap) / (chart_min + gap));
  if (count == 0)
    return;
  const auto width = (frame.columns() - 2 - (count - 1) * gap) / count;
  for (std::size_t i = 0; i < count; ++i)
    draw_chart(frame, charts[i], {area.top + 1, area.rows - 1}, 1 + i * (width + gap), width);
}

void draw_large(terminal_frame& frame, const run_view& view, terminal_pane pane, terminal_area area,
                std::size_t scroll) {
  assert(pane != terminal_pane::lanes);
  const auto nodes = pane == terminal_pane::nodes;
  const auto count = nodes                            ? view.nodes.size()
                     : pane == terminal_pane::waiting ? lines_of_waits(view)
                                                      : view.events.size();
  const std::size_t above = nodes ? 2 : 1;
  const auto room = area.rows > above ? area.rows - above : 0;
  frame.extent = {std::max<std::size_t>(room, 1), count > room ? count - room : 0};
  if (nodes)
    draw_nodes(frame, view, area, scroll);
  else if (pane == terminal_pane::waiting)
    draw_waits(frame, view, area, scroll);
  else
    draw_events(frame, view, area, scroll);
}

void draw_help(terminal_frame& frame) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 15> lines = {
      {{"s", "sort by the next column"},
       {"r", "reverse the order"},
       {"/", "filter: number, 10-20, node, phase, straggler"},
       {"Enter", "keep the filter; Esc clears it"},
       {"space", "pause the picture, and go on"},
       {"w", "who waits for whom, large"},
       {"e", "events, large"},
       {"n", "nodes, large"},
       {"arrows", "scroll; also PgUp, PgDn, Home, End"},
       {"h ?", "this help; Esc closes it"},
       {"q", "quit: the run goes on"},
       {"! ? x", "straggler, silent, lost"},
       {"gradients", "those used, and if nobody ever waited"},
       {"waiting", "share of a round's time spent waiting"},
       {"backup", "neighbours not waited for, per round"}}};
  constexpr std::size_t width = 62;
  const auto columns = std::min(width, frame.columns());
  const auto rows = std::min(lines.size() + 2, frame.rows());
  const auto left = (frame.columns() - columns) / 2;
  const auto top = (frame.rows() - rows) / 2;
  const auto edge = [&](std::size_t row, char32_t begin, char32_t middle, char32_t end) {
    for (std::size_t i = 0; i < columns; ++i)
      frame.put(row, left + i, i == 0 ? begin : i + 1 == columns ? end : middle, terminal_style::dim);
  };
  const auto u = frame.unicode();
  edge(top, u ? U'\u256d' : U'+', u ? U'\u2500' : U'-', u ? U'\u256e' : U'+');
  frame.write(top, left + 3, " help ", terminal_style::bold, columns > 4 ? columns - 4 : 0);
  for (std::size_t i = 1; i + 1 < rows; ++i) {
    edge(top + i, u ? U'\u2502' : U'|', U' ', u ? U'\u2502' : U'|');
    frame.write(top + i, left + 3, lines[i - 1].first, terminal_style::bold, columns > 4 ? columns - 4 : 0);
    frame.write(top + i, left + 14, lines[i - 1].second, terminal_style::plain,
                columns > 15 ? columns - 15 : 0);
  }
  edge(top + rows - 1, u ? U'\u2570' : U'+', u ? U'\u2500' : U'-', u ? U'\u256f' : U'+');
}

} // namespace dybw
