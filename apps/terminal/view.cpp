#include "apps/terminal/view.hpp"

#include "apps/terminal/lanes.hpp"
#include "apps/terminal/panes.hpp"
#include "apps/text/score_text.hpp"
#include "learning/base/number_text.hpp"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dybw {

namespace {

constexpr std::size_t columns_min = 40;
constexpr std::size_t rows_min = 8;
constexpr std::size_t label_width = 11;
constexpr std::size_t bar_max = 60;
constexpr std::size_t bar_min = 8;
constexpr std::size_t words_beside_bar = 44; ///< room that a bar leaves for the words behind it

/// A word or two of the header.
struct piece {
  std::string text;
  terminal_style style = terminal_style::plain;
};

/// Pieces one after the other, as long as they fit whole; the first one in any case.
void draw_pieces(terminal_frame& frame, std::size_t row, std::size_t column,
                 const std::vector<piece>& pieces) {
  for (const auto& p : pieces) {
    if (&p != &pieces.front() && column + p.text.size() + 1 > frame.columns())
      break;
    column = frame.write(row, column, p.text, p.style) + 2;
  }
}

void draw_line(terminal_frame& frame, std::size_t row, const std::string& label,
               const std::vector<piece>& pieces) {
  frame.write(row, 1, label, terminal_style::dim);
  draw_pieces(frame, row, label_width, pieces);
}

std::string loss_text(const std::optional<double>& loss) {
  return "loss " + (loss ? fixed_text(*loss, 3) : "-");
}

void draw_title(terminal_frame& frame, const run_view& view, const terminal_state& state) {
  frame.fill(0, terminal_style::title);
  std::string state_text = state.paused ? "PAUSED" : std::string{to_string(view.now)};
  const auto room = frame.columns() - state_text.size() - 4;
  std::string text = view.name.empty() ? "dybw" : view.name;
  for (const auto& word : {view.policy, view.topology, view.dataset})
    text += word.empty() ? "" : "  " + word;
  if (!view.model.empty())
    text +=
        "  " + view.model + (view.parameters > 0 ? ", " + count_text(view.parameters) + " parameters" : "");
  frame.write(0, 1, text, terminal_style::title, room);
  frame.write_right(0, frame.columns() - 1, state_text.size(), state_text, terminal_style::title);
}

/// A bar with its share and words behind it; the words alone where the bar would be too short, or without a
/// share.
void draw_bar(terminal_frame& frame, std::size_t row, const std::string& label, std::optional<double> share,
              const std::string& words, terminal_style style) {
  frame.write(row, 1, label, terminal_style::dim);
  auto column = label_width;
  const auto taken = label_width + words_beside_bar;
  const auto width = frame.columns() > taken ? std::min(frame.columns() - taken, bar_max) : 0;
  if (width >= bar_min) {
    frame.bar(row, column, width, share.value_or(0), style);
    column += width + 1;
  }
  if (share)
    frame.write_right(row, column + 5, 5, fixed_text(*share * 100, 0) + " %", terminal_style::bold);
  frame.write(row, column + (share || width >= bar_min ? 7 : 0), words);
}

void draw_progress(terminal_frame& frame, std::size_t row, const run_view& view) {
  auto words = clock_text(view.elapsed_s);
  if (view.now == run_view::state::running) {
    if (view.remaining_s)
      words += ", " + clock_text(*view.remaining_s) + " left";
    else if (!view.fraction && view.target_accuracy)
      words += ", until " + percent_text(*view.target_accuracy);
  }
  words += ", round " + count_text(view.newest_round);
  auto share = view.fraction;
  if (share)
    share = std::isfinite(*share) ? std::clamp(*share, 0.0, 1.0) : 0.0;
  draw_bar(frame, row, "progress", share, words, terminal_style::bar);
}

void draw_gradients(terminal_frame& frame, std::size_t row, const run_view& view) {
  const auto known = view.no_wait_per_s > 0 && std::isfinite(view.steps_per_s / view.no_wait_per_s);
  const auto share = known ? std::optional{view.steps_per_s / view.no_wait_per_s} : std::nullopt;
  auto words = fixed_text(view.steps_per_s, 0);
  words += known ? " of at most " + fixed_text(view.no_wait_per_s, 0) + "/s" : "/s";
  words += ", waiting " + fixed_text(view.wait_share * 100, 0) + " %";
  const auto style = !share || *share >= 0.8 ? terminal_style::good
                     : *share >= 0.5         ? terminal_style::warning
                                             : terminal_style::bad;
  draw_bar(frame, row, "gradients", share, words, style);
}

void draw_learning(terminal_frame& frame, std::size_t row, const run_view& view) {
  std::string accuracy = "accuracy -";
  auto style = terminal_style::bold;
  if (const auto& e = view.newest_evaluation; e && e->test_accuracy) {
    accuracy = "accuracy " + percent_text(*e->test_accuracy);
    if (view.target_accuracy && e->test_accuracy >= *view.target_accuracy)
      style = terminal_style::good;
  }
  if (view.target_accuracy)
    accuracy += " of " + percent_text(*view.target_accuracy);
  std::vector<piece> pieces = {
      {accuracy, style},
      {loss_text(view.loss), terminal_style::bold},
      {"consensus distance " + (view.consensus_distance ? short_text(*view.consensus_distance, 3) : "-")}};
  if (const auto& e = view.newest_evaluation) {
    pieces.push_back({"test " + loss_text(e->test_loss), terminal_style::dim});
    if (const auto scores = score_text(e->scores); !scores.empty())
      pieces.push_back({scores, terminal_style::bold});
    if (e->worst_worker_accuracy)
      pieces.push_back({"worst worker " + percent_text(*e->worst_worker_accuracy) +
                            (e->scored_workers < view.workers.size()
                                 ? " of " + std::to_string(e->scored_workers) + " scored"
                                 : ""),
                        terminal_style::dim});
  }
  if (view.mean_norm)
    pieces.push_back({"norm of the mean " + short_text(*view.mean_norm, 3), terminal_style::dim});
  draw_line(frame, row, "learning", pieces);
}

void draw_health(terminal_frame& frame, std::size_t row, const run_view& view) {
  const auto& workers = view.workers;
  const auto standing = [&workers](worker_standing s) {
    return std::ranges::count(workers, s, &worker_view::standing);
  };
  const auto stragglers = std::ranges::count_if(
      workers, [](const auto& w) { return w.straggler && w.standing == worker_standing::working; });
  const auto counted = [](const std::string& name, auto count, terminal_style style) {
    return piece{name + " " + std::to_string(count), count > 0 ? style : terminal_style::plain};
  };
  draw_line(
      frame, row, "health",
      {{"backup " + fixed_text(view.backup_workers, 2)},
       counted("timeouts", view.timeouts, terminal_style::plain),
       counted("stragglers", stragglers, terminal_style::warning),
       counted("silent", standing(worker_standing::silent), terminal_style::warning),
       counted("lost", standing(worker_standing::lost), terminal_style::bad),
       {"parts " + std::to_string(view.parts), view.parts > 1 ? terminal_style::bad : terminal_style::plain},
       {count_text(view.local_steps) + " steps", terminal_style::dim},
       {"seed " + std::to_string(view.seed), terminal_style::dim}});
}

/// What the user must know before all else.
piece alert_of(const run_view& view) {
  const auto because = view.trouble.empty() ? std::string{} : ": " + view.trouble;
  if (!view.failure.empty())
    return {"the run cannot go on: " + view.failure, terminal_style::bad};
  switch (view.now) {
  case run_view::state::attaching:
    return {"attaching" + because, terminal_style::warning};
  case run_view::state::idle:
    return {"idle: no run is going on there" + because, terminal_style::warning};
  case run_view::state::over:
    return {"over: every worker is done or lost" + because, terminal_style::good};
  case run_view::state::lost:
    return {"lost: no node answers any more" + because, terminal_style::bad};
  case run_view::state::running:
    break;
  }
  if (view.parts > 1)
    return {"the network has fallen into " + std::to_string(view.parts) + " parts; each goes on by itself",
            terminal_style::bad};
  return {view.trouble, terminal_style::warning};
}

/// Draws as much of the header as a picture of this height can spare; returns the row below it.
std::size_t draw_header(terminal_frame& frame, const run_view& view, const terminal_state& state) {
  draw_title(frame, view, state);
  std::size_t row = 1;
  if (const auto alert = alert_of(view); !alert.text.empty())
    frame.write(row++, 1, alert.text, alert.style);
  const auto spare = frame.rows() < 10 ? 1U : frame.rows() < 14 ? 2U : frame.rows() < 18 ? 3U : 4U;
  // Without a run there is nothing to say.
  if (view.workers.empty() && view.newest_round == 0)
    return row;
  if (spare >= 2)
    draw_progress(frame, row++, view);
  if (spare >= 3)
    draw_gradients(frame, row++, view);
  draw_learning(frame, row++, view);
  if (spare >= 4)
    draw_health(frame, row++, view);
  return row;
}

void draw_footer(terminal_frame& frame, const terminal_state& state) {
  const auto row = frame.rows() - 1;
  frame.fill(row, terminal_style::title);
  if (state.typing) {
    const auto end = frame.write(row, 1, "filter: " + state.filter, terminal_style::title);
    frame.put(row, end, U'_', terminal_style::title);
    frame.write(row, std::max<std::size_t>(end + 3, 30), "Enter keeps it, Esc clears it",
                terminal_style::title);
    return;
  }
  // From the most to the least important, for narrow terminals.
  std::vector<piece> pieces;
  const auto add = [&pieces](std::initializer_list<const char*> words) {
    for (const auto* word : words)
      pieces.push_back({word, terminal_style::title});
  };
  if (state.pane == terminal_pane::lanes)
    add({"q quit", "h help", "s sort", "r reverse", "/ filter"});
  else
    add({"q quit", "h help", "Esc back"});
  add({"space pause", "w waiting", "e events", "n nodes"});
  draw_pieces(frame, row, 1, pieces);
}

/// Rows of the panes below the lanes, their rules included.
struct heights {
  std::size_t lanes = 0; ///< without rule and names
  std::size_t waits = 0;
  std::size_t events = 0;
  std::size_t history = 0;
  std::size_t nodes = 0;
};

/// Shares out the rows between header and keys.
heights heights_of(const run_view& view, std::size_t rows) {
  constexpr std::size_t waits_max = 9;
  constexpr std::size_t events_max = 13;
  constexpr std::size_t history_rows = 7;
  constexpr std::size_t nodes_max = 10;
  heights h;
  auto room = rows > 2 ? rows - 2 : 0; // the lanes' rule and names
  const auto pane = 3 + room / 16;
  if (room >= 8)
    h.waits = pane;
  if (room >= 12)
    h.events = pane;
  room -= h.waits + h.events;
  h.lanes = std::min(room, view.workers.size());
  room -= h.lanes;
  if (room >= history_rows) {
    h.history = history_rows;
    room -= h.history;
  }
  if (view.nodes.size() > 1 && room >= std::min(node_rows(view), nodes_max)) {
    h.nodes = std::min(node_rows(view), nodes_max);
    room -= h.nodes;
  }
  const auto grow = [&room](std::size_t& height, std::size_t most) {
    const auto more = std::min(room, most > height ? most - height : 0);
    height += more;
    room -= more;
  };
  if (h.waits > 0)
    grow(h.waits, std::min(waits_max, h.waits + (room + 1) / 2));
  if (h.events > 0)
    grow(h.events, events_max);
  if (h.history > 0)
    grow(h.history, 2 * history_rows);
  if (h.events > 0)
    grow(h.events, h.events + room);
  return h;
}

void draw_body(terminal_frame& frame, const run_view& view, const terminal_state& state, terminal_area area) {
  if (state.pane != terminal_pane::lanes)
    return draw_large(frame, view, state.pane, area, state.scroll);
  if (view.workers.empty()) {
    draw_events(frame, view, area);
    return;
  }
  const auto h = heights_of(view, area.rows);
  draw_lanes(frame, view, state, area.top, h.lanes);
  auto row = area.top + 2 + h.lanes;
  const auto next = [&row](std::size_t rows) {
    const terminal_area place{row, rows};
    row += rows;
    return place;
  };
  draw_history(frame, view, next(h.history));
  draw_nodes(frame, view, next(h.nodes));
  draw_waits(frame, view, next(h.waits));
  draw_events(frame, view, next(h.events));
}

} // namespace

terminal_frame render(const run_view& view, const terminal_state& state, std::size_t columns,
                      std::size_t rows, terminal_glyphs glyphs) {
  terminal_frame frame{columns, rows, glyphs};
  if (columns < columns_min || rows < rows_min) {
    frame.write(0, 0, "too small:");
    frame.write(1, 0, "40x8 is the least");
    frame.write(2, 0, "q quits");
    return frame;
  }
  const auto top = draw_header(frame, view, state);
  draw_body(frame, view, state, {top, rows - 1 - top});
  draw_footer(frame, state);
  if (state.help)
    draw_help(frame);
  return frame;
}

} // namespace dybw
