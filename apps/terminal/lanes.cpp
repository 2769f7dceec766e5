#include "apps/terminal/lanes.hpp"

#include "learning/base/number_text.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

namespace dybw {

namespace {

/// A worker that waits longer than this stands out.
constexpr double long_wait_s = 1;

std::string lower(std::string_view text) {
  std::string result{text};
  std::ranges::transform(result, result.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

std::optional<std::size_t> number_of(std::string_view text) {
  std::size_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return number;
}

/// The worker numbers that a filter means: "7", "10-20", or, while it is being typed, "10-".
std::optional<std::pair<std::size_t, std::size_t>> range_of(std::string_view filter) {
  const auto dash = filter.find('-');
  const auto first = number_of(filter.substr(0, dash));
  if (!first || dash == std::string_view::npos)
    return first ? std::optional{std::pair{*first, *first}} : std::nullopt;
  if (dash + 1 == filter.size())
    return std::pair{*first, static_cast<std::size_t>(-1)};
  const auto last = number_of(filter.substr(dash + 1));
  return last ? std::optional{std::pair{*first, *last}} : std::nullopt;
}

std::string_view address_of(const run_view& view, const worker_view& w) {
  return w.node < view.nodes.size() ? std::string_view{view.nodes[w.node].address} : std::string_view{};
}

bool passes(const run_view& view, const worker_view& w, const std::string& wanted) {
  const auto has = [&wanted](std::string_view text) { return lower(text).find(wanted) != std::string::npos; };
  return has(address_of(view, w)) || has(to_string(w.standing)) || (w.straggler && has("straggler")) ||
         (w.standing == worker_standing::working && has(to_string(w.phase)));
}

/// What is sorted by; whoever has none comes last, in both directions.
std::optional<double> key_of(const worker_view& w, lane_order order) {
  const auto known = [](double x) { return std::isnan(x) ? std::nullopt : std::optional{x}; };
  switch (order) {
  case lane_order::number:
    return static_cast<double>(index_of(w.id));
  case lane_order::round:
    return static_cast<double>(w.round);
  case lane_order::loss:
    return w.loss ? known(*w.loss) : std::nullopt;
  case lane_order::waiting:
    return known(w.wait_share);
  case lane_order::step:
    return known(w.step_s);
  case lane_order::backup:
    return known(w.backup_workers);
  }
  return std::nullopt;
}

/// Numbers and rounds begin with the lowest, so that whoever is behind is on top; all else with the highest.
bool lowest_first(const terminal_state& state) {
  const auto natural = state.order == lane_order::number || state.order == lane_order::round;
  return natural != state.reversed;
}

enum class lane_column {
  worker,
  node,
  address,
  phase,
  round,
  loss,
  backup,
  waiting,
  step,
  round_times,
  standing,
  round_length,
  timeouts,
  late,
  steps
};

struct placed_column {
  lane_column what{};
  std::string_view name;
  std::size_t width = 0;
  std::size_t gap = 0;   ///< in front
  int importance = 0;    ///< the lowest number is placed first
  bool left = false;     ///< the name stands at the left
  bool taken = false;    ///< there is room for it
  std::size_t begin = 0; ///< where it is placed
};

constexpr std::size_t sparkline_min = 8;
constexpr std::size_t waiting_bar = 4;
constexpr std::size_t address_width_max = 24;

std::size_t digits(std::uint64_t x) {
  return std::to_string(x).size();
}

/// All columns, from left to right.
std::vector<placed_column> all_columns(const run_view& view) {
  const auto several = view.nodes.size() > 1;
  std::size_t address = 4;
  for (const auto& node : view.nodes)
    address = std::clamp(node.address.size(), address, address_width_max);
  const auto round = std::max<std::size_t>(digits(view.newest_round), 5);
  std::vector<placed_column> all = {{lane_column::worker, "worker", 6, 1, 0},
                                    {lane_column::address, "node", address, 2, 11, true},
                                    {lane_column::node, "node", 4, 1, 7},
                                    {lane_column::phase, "phase", 16, 2, 1, true},
                                    {lane_column::round, "round", round, 1, 2},
                                    {lane_column::loss, "loss", 5, 2, 4},
                                    {lane_column::backup, "backup", 6, 1, 5},
                                    {lane_column::waiting, "waiting", waiting_bar + 5, 2, 3},
                                    {lane_column::step, "step", 6, 1, 6},
                                    {lane_column::round_times, "round times", sparkline_min, 2, 8, true},
                                    {lane_column::round_length, "mean", 6, 1, 10},
                                    {lane_column::standing, "standing", 9, 2, 9, true},
                                    {lane_column::timeouts, "timeouts", 8, 2, 12},
                                    {lane_column::late, "late", 7, 2, 13},
                                    {lane_column::steps, "steps", 9, 2, 14}};
  if (!several)
    std::erase_if(
        all, [](const auto& c) { return c.what == lane_column::node || c.what == lane_column::address; });
  return all;
}

/// Those that fit, and the rest of the width for the sparkline.
std::vector<placed_column> placed_columns(const run_view& view, std::size_t room) {
  auto all = all_columns(view);
  std::vector<placed_column*> by_importance;
  for (auto& c : all)
    by_importance.push_back(&c);
  std::ranges::sort(by_importance, {}, &placed_column::importance);
  for (auto* c : by_importance) {
    // Once the sparkline is there it grows to a useful length before anything else comes in.
    const auto reserve = c->importance > 8 ? 2 * sparkline_min : 0;
    c->taken = room >= c->gap + c->width + reserve;
    if (!c->taken)
      continue;
    room -= c->gap + c->width;
    if (c->what == lane_column::address) // says more than the node's index
      for (auto& other : all)
        if (other.what == lane_column::node && std::exchange(other.taken, false))
          room += other.gap + other.width;
  }
  std::erase_if(all, [](const auto& c) { return !c.taken; });
  std::size_t end = 0;
  for (auto& c : all) {
    c.begin = end + c.gap;
    if (c.what == lane_column::round_times)
      c.width += std::min(room, run_view::samples_max - sparkline_min);
    end = c.begin + c.width;
  }
  return all;
}

/// Full height of the sparklines: nearly the longest of all recent rounds; a few longer ones do not flatten
/// the rest.
float sparkline_top(const run_view& view) {
  std::vector<float> all;
  for (const auto& w : view.workers)
    for (const auto x : w.recent_round_s)
      if (std::isfinite(x))
        all.push_back(x);
  if (all.empty())
    return 0;
  const auto place = all.begin() + static_cast<std::ptrdiff_t>((all.size() - 1) * 99 / 100);
  std::ranges::nth_element(all, place);
  return *place;
}

void draw_names(terminal_frame& frame, std::size_t row, const std::vector<placed_column>& columns,
                lane_order order, float top) {
  using enum lane_column;
  constexpr std::array by_order = {worker, round, loss, waiting, step, backup};
  const auto sorted_by = by_order[static_cast<std::size_t>(order)];
  frame.fill(row, terminal_style::heading);
  for (const auto& column : columns) {
    std::string name{column.name};
    const auto scaled =
        name + ", full height " + brief_time(static_cast<double>(top)); // where there is room to say so
    if (column.what == lane_column::round_times && top > 0 && scaled.size() <= column.width)
      name = scaled;
    if (column.what == lane_column::round_times && name.size() > column.width)
      name = "rounds";
    const auto style = column.what == sorted_by ? terminal_style::chosen : terminal_style::heading;
    if (column.left)
      frame.write(row, column.begin, name, style, column.width);
    else
      frame.write_right(row, column.begin + column.width, column.width, name, style);
  }
}

/// How the lane as a whole looks.
terminal_style lane_style(const worker_view& w) {
  switch (w.standing) {
  case worker_standing::lost:
    return terminal_style::bad;
  case worker_standing::silent:
    return terminal_style::warning;
  case worker_standing::done:
    return terminal_style::dim;
  case worker_standing::working:
    return terminal_style::plain;
  }
  return terminal_style::plain;
}

/// A lane is drawn cell by cell; `style` is what stands out about the worker as a whole.
struct lane_pen {
  terminal_frame& frame;
  const run_view& view;
  const worker_view& worker;
  std::size_t row = 0;
  float top = 0;
  terminal_style style = terminal_style::plain;

  bool working() const { return worker.standing == worker_standing::working; }
  bool slow() const { return worker.straggler && working(); }
  terminal_style pace() const { return slow() ? terminal_style::warning : style; }
  void right(const placed_column& c, const std::string& text, terminal_style s) {
    frame.write_right(row, c.begin + c.width, c.width, text, s);
  }

  void mark() {
    if (worker.standing == worker_standing::lost)
      frame.put(row, 0, U'x', style);
    else if (worker.standing == worker_standing::silent)
      frame.put(row, 0, U'?', style);
    else if (slow())
      frame.put(row, 0, U'!', terminal_style::warning);
  }

  void phase(const placed_column& c) {
    if (worker.standing == worker_standing::silent) {
      frame.write(row, c.begin, "silent", style, c.width);
      if (worker.node < view.nodes.size())
        right(c, brief_time(view.nodes[worker.node].silent_s), style);
      return;
    }
    if (!working()) {
      frame.write(row, c.begin, to_string(worker.standing), style, c.width);
      return;
    }
    const auto computing = worker.phase == phase::computing;
    const auto waiting = worker.phase == phase::gathering || worker.phase == phase::settling;
    auto words = computing ? terminal_style::good : waiting ? terminal_style::plain : terminal_style::dim;
    auto time = terminal_style::dim;
    if (waiting && worker.in_phase_s >= long_wait_s)
      words = time = terminal_style::warning;
    frame.write(row, c.begin, to_string(worker.phase), words, c.width);
    right(c, brief_time(worker.in_phase_s), time);
  }

  void waiting(const placed_column& c) {
    const auto share = std::isfinite(worker.wait_share) ? std::clamp(worker.wait_share, 0.0, 1.0) : 0.0;
    frame.block(row, c.begin, waiting_bar, share, working() ? terminal_style::bar : style);
    right(c, fixed_text(worker.wait_share * 100, 0) + " %", style);
  }

  void standing(const placed_column& c) {
    if (slow() || !working())
      frame.write(row, c.begin, slow() ? "straggler" : to_string(worker.standing), pace(), c.width);
  }

  void round_times(const placed_column& c) {
    frame.sparkline(row, c.begin, c.width, worker.recent_round_s, top,
                    working() && !slow() ? terminal_style::bar : pace());
  }

  void cell(const placed_column& c);
};

/// Five columns for any loss that is not astronomic.
std::string loss_text(const std::optional<double>& loss) {
  if (!loss)
    return "-";
  return fixed_text(*loss, std::abs(*loss) < 10 ? 3 : std::abs(*loss) < 100 ? 2 : 0);
}

void lane_pen::cell(const placed_column& c) {
  const auto node = worker.node < view.nodes.size() ? std::to_string(worker.node) : "-";
  switch (c.what) {
  case lane_column::worker:
    return right(c, to_string(worker.id), pace());
  case lane_column::node:
    return right(c, node, style);
  case lane_column::address:
    frame.write(row, c.begin, address_of(view, worker), style, c.width);
    return;
  case lane_column::phase:
    return phase(c);
  case lane_column::round:
    return right(c, std::to_string(worker.round), style);
  case lane_column::loss:
    return right(c, loss_text(worker.loss), style);
  case lane_column::backup:
    return right(c, fixed_text(worker.backup_workers, 2), style);
  case lane_column::waiting:
    return waiting(c);
  case lane_column::step:
    return right(c, brief_time(worker.step_s), pace());
  case lane_column::round_times:
    return round_times(c);
  case lane_column::standing:
    return standing(c);
  case lane_column::round_length:
    return right(c, brief_time(worker.round_s), pace());
  case lane_column::timeouts:
    return right(c, std::to_string(worker.timeouts), style);
  case lane_column::late:
    return right(c, std::to_string(worker.estimates_late), style);
  case lane_column::steps:
    return right(c, std::to_string(worker.local_steps), style);
  }
}

/// "workers 1-40 of 1000, by loss, highest first".
std::string lanes_text(const run_view& view, const terminal_state& state, std::size_t first,
                       std::size_t shown, std::size_t chosen) {
  auto text = "workers " + (shown == 0 ? std::string{"0"}
                                       : std::to_string(first + 1) + "-" + std::to_string(first + shown));
  text += " of " + std::to_string(chosen);
  if (!state.filter.empty())
    text += " with \"" + state.filter + "\", " + std::to_string(view.workers.size()) + " in all";
  text += ", by " + std::string{to_string(state.order)};
  if (state.order != lane_order::number || state.reversed)
    text += lowest_first(state) ? ", lowest first" : ", highest first";
  return text;
}

} // namespace

std::string brief_time(double s) {
  if (!std::isfinite(s) || s < 0)
    return "-";
  if (s < 0.00995)
    return fixed_text(s * 1e3, 1) + " ms";
  if (s < 0.9995)
    return fixed_text(s * 1e3, 0) + " ms";
  if (s < 9.95)
    return fixed_text(s, 1) + " s";
  if (s < 99.5)
    return fixed_text(s, 0) + " s";
  if (s < 99.5 * 60)
    return fixed_text(s / 60, 0) + " min";
  return fixed_text(s / 3600, s < 9.95 * 3600 ? 1 : 0) + " h";
}

std::string clock_text(double s) {
  if (!std::isfinite(s) || std::abs(s) > 1e12)
    return "-";
  const auto total = static_cast<long long>(std::max(s, 0.0));
  const auto two = [](long long x) { return std::string(x < 10 ? 1 : 0, '0') + std::to_string(x); };
  const auto minutes = total / 60 % 60;
  const auto begin =
      total >= 3600 ? std::to_string(total / 3600) + ":" + two(minutes) : std::to_string(minutes);
  return begin + ":" + two(total % 60);
}

std::vector<const worker_view*> chosen_lanes(const run_view& view, const terminal_state& state) {
  const auto wanted = lower(state.filter);
  const auto range = range_of(wanted);
  std::vector<const worker_view*> lanes;
  for (const auto& w : view.workers)
    if (wanted.empty() ||
        (range ? index_of(w.id) >= range->first && index_of(w.id) <= range->second : passes(view, w, wanted)))
      lanes.push_back(&w);
  const auto ascending = lowest_first(state);
  std::ranges::stable_sort(lanes, [&](const worker_view* x, const worker_view* y) {
    const auto a = key_of(*x, state.order);
    const auto b = key_of(*y, state.order);
    if (!a || !b)
      return a.has_value() && !b.has_value();
    return ascending ? *a < *b : *b < *a;
  });
  return lanes;
}

void draw_lanes(terminal_frame& frame, const run_view& view, const terminal_state& state, std::size_t top,
                std::size_t rows) {
  const auto lanes = chosen_lanes(view, state);
  frame.extent = {std::max<std::size_t>(rows, 1), lanes.size() > rows ? lanes.size() - rows : 0};
  const auto first = std::min(state.scroll, frame.extent.last);
  const auto shown = std::min(rows, lanes.size() - first);
  const auto columns = placed_columns(view, frame.columns());
  const auto longest = sparkline_top(view);
  frame.rule(top, lanes_text(view, state, first, shown, lanes.size()));
  draw_names(frame, top + 1, columns, state.order, longest);
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& worker = *lanes[first + i];
    lane_pen pen{frame, view, worker, top + 2 + i, longest, lane_style(worker)};
    pen.mark();
    for (const auto& column : columns)
      pen.cell(column);
  }
  if (lanes.empty() && !view.workers.empty())
    frame.write(top + 2, 2, "no worker matches the filter", terminal_style::dim);
}

} // namespace dybw
