#include "apps/terminal/lanes.hpp"
#include "apps/terminal/view.hpp"
#include "tests/apps/web/sample_view.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <vector>

namespace dybw::test {

namespace {

using kind = terminal_key::kind;

std::string text_of(const terminal_frame& frame) {
  std::string text;
  for (std::size_t i = 0; i < frame.rows(); ++i)
    text += frame.line(i) + '\n';
  return text;
}

std::string picture(const run_view& view, std::size_t columns = 80, std::size_t rows = 24,
                    const terminal_state& state = {}) {
  return text_of(render(view, state, columns, rows));
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The row that begins with the sign and number of a lane; none: the number of rows.
std::size_t lane_row(const terminal_frame& frame, const std::string& beginning) {
  std::size_t row = 0;
  while (row < frame.rows() && !frame.line(row).starts_with(beginning))
    ++row;
  return row;
}

terminal_state typed(terminal_state state, const std::string& keys, const scroll_extent& extent = {}) {
  for (const auto c : keys)
    state = on_key(state, {kind::character, c}, extent);
  return state;
}

std::vector<std::size_t> numbers(const run_view& view, const terminal_state& state) {
  std::vector<std::size_t> result;
  for (const auto* w : chosen_lanes(view, state))
    result.push_back(index_of(w->id));
  return result;
}

terminal_state filtered(const std::string& filter) {
  terminal_state state;
  state.filter = filter;
  return state;
}

using list = std::vector<std::size_t>;

} // namespace

TEST_CASE("terminal view: a run of eight workers fits 80x24 with everything that matters") {
  const auto text = picture(sample_view());
  CAPTURE(text);
  for (const std::string part :
       {"20260131-142500-1  dtur  ring  mnist (iid)  softmax, 7,850 parameters  running",
        "70 %  0:42, 0:18 left, round 1,234", "81 %  210 of at most 260/s, waiting 18 %",
        "accuracy 88.2 % of 90.0 %  loss 0.410  consensus distance 0.0125",
        "backup 0.70  timeouts 1  stragglers 1  silent 0  lost 0  parts 1", "workers 1-8 of 8, by number",
        "\n      0    0  computing  10 ms  1230  0.400   0.50  ▊    20 %  30 ms  ",
        "\n      2    0  gathering  10 ms  1232  0.420   1.00  ▊    20 %  30 ms  ",
        "\n!     3    1  computing  1.5 s  1233  0.430   0.50  ▏     2 % 120 ms  ", "\n      7 ",
        "who waits for whom (2)",
        "\n  2 waits for 3's estimate of round 1233, 1.2 s; goes on without it in 8.8 s\n", "events (3)",
        "\n     0:41  error    node 127.0.0.1:7401 does not answer\n",
        "\n     0:40  warning  worker 2 timed out in round 1200 waiting for worker 3\n",
        "\n q quit  h help  s sort  r reverse  / filter  space pause  w waiting  e events\n"}) {
    CAPTURE(part);
    CHECK(has(text, part));
  }
}

TEST_CASE("terminal view: a larger terminal shows addresses, more columns, charts and nodes") {
  const auto text = picture(sample_view(), 200, 60);
  CAPTURE(text);
  for (const std::string part : {"worst worker 86.1 %", "norm of the mean 3.2", "  127.0.0.1:7401  computing",
                                 "round times, full height 2", "straggler   ", "timeouts     late      steps",
                                 "history, 0:00 to 0:41", "loss 0.5", "accuracy 8", "nodes (2)",
                                 "127.0.0.1:7400  leads", "  and 1 of less than 0.1 s\n", "n nodes"}) {
    CAPTURE(part);
    CHECK(has(text, part));
  }
}

TEST_CASE("terminal view: sparklines share one scale, the straggler's is the highest and not flattened") {
  auto view = sample_view(2);
  view.workers[0].recent_round_s.assign(60, 0.05F);
  view.workers[1].recent_round_s.assign(60, 0.1F);
  CHECK(has(picture(view), "▄▄▄▄▄▄▄▄"));
  CHECK(has(picture(view), "████████"));
  // One round of a minute among 120 changes nothing but itself.
  view.workers[1].recent_round_s.back() = 60;
  CHECK(has(picture(view), "▄▄▄▄▄▄▄▄"));
  view.workers[1].recent_round_s.assign(60, std::numeric_limits<float>::quiet_NaN());
  CHECK(has(picture(view), "████████"));
}

TEST_CASE("terminal view: a chart names the newest and the highest value, and survives gaps") {
  auto view = sample_view();
  for (auto& p : view.history)
    p.loss = 1;
  view.history[40].loss = 5;
  view.history[41].loss = std::numeric_limits<double>::quiet_NaN();
  view.history.back().loss.reset();
  view.history[82].loss = 0.25;
  const auto text = picture(view, 100, 34);
  CAPTURE(text);
  CHECK(has(text, "\n loss 0.250 "));
  CHECK(has(text, " up to 5.000 "));
  for (auto& p : view.history)
    p.loss.reset();
  CHECK_FALSE(has(picture(view, 100, 34), "\n loss "));
}

TEST_CASE("terminal view: without Unicode every glyph is ASCII and says the same") {
  const auto frame = render(sample_view(), {}, 80, 24, terminal_glyphs::ascii);
  const auto text = text_of(frame);
  CHECK(std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
  CHECK(has(text, "progress  ##################......."));
  CHECK(has(text, "- workers 1-8 of 8, by number ---"));
  CHECK(has(text, "  20 %  30 ms  :"));
}

TEST_CASE("terminal view: stragglers, lost and silent workers stand out by sign, word and style") {
  auto view = sample_view();
  view.workers[1].standing = worker_standing::lost;
  view.workers[2].standing = worker_standing::silent;
  view.workers[4].standing = worker_standing::done;
  view.nodes[0].silent_s = 7;
  const auto frame = render(view, {}, 80, 24);
  const auto text = text_of(frame);
  CAPTURE(text);
  CHECK(has(text, "stragglers 1  silent 1  lost 1"));
  const auto style = [&frame](const std::string& beginning, std::size_t column) {
    const auto row = lane_row(frame, beginning);
    REQUIRE(row < frame.rows());
    return frame.at(row, column).style;
  };
  CHECK(style("x     1    1  lost ", 14) == terminal_style::bad);
  CHECK(style("?     2    0  silent     7.0 s", 14) == terminal_style::warning);
  CHECK(style("!     3    1  computing", 6) == terminal_style::warning);
  CHECK(style("      4    0  done ", 14) == terminal_style::dim);
  CHECK(style("      5    1  computing", 6) == terminal_style::plain);
}

TEST_CASE("terminal view: a worker that waits for a second stands out") {
  auto view = sample_view();
  const auto style = [&view] {
    const auto frame = render(view, {}, 80, 24);
    return frame.at(lane_row(frame, "      2 "), 14).style;
  };
  CHECK(style() == terminal_style::plain);
  view.workers[2].in_phase_s = 1.2;
  CHECK(style() == terminal_style::warning);
}

TEST_CASE("terminal view: every state but running says so in words, with the trouble") {
  run_view view;
  view.trouble = "127.0.0.1:7400 refuses connections";
  CHECK(has(picture(view), "\n attaching: 127.0.0.1:7400 refuses connections\n"));
  view.now = run_view::state::idle;
  view.trouble.clear();
  CHECK(has(picture(view), "\n idle: no run is going on there\n"));
  view = sample_view();
  CHECK_FALSE(has(picture(view), "over"));
  view.now = run_view::state::over;
  CHECK(has(picture(view), "\n over: every worker is done or lost\n"));
  CHECK_FALSE(has(picture(view), " left"));
  view.now = run_view::state::lost;
  view.trouble = "connection closed";
  CHECK(has(picture(view), "\n lost: no node answers any more: connection closed\n"));
  view.failure = "the loss is not a number";
  CHECK(has(picture(view), "\n the run cannot go on: the loss is not a number\n"));
}

TEST_CASE("terminal view: a network that fell apart is announced") {
  auto view = sample_view();
  view.parts = 2;
  CHECK(has(picture(view), "\n the network has fallen into 2 parts; each goes on by itself\n"));
}

TEST_CASE("terminal view: what is not known is a dash or left out") {
  auto view = sample_view();
  view.loss.reset();
  view.newest_evaluation.reset();
  view.target_accuracy.reset();
  view.consensus_distance.reset();
  view.fraction.reset();
  view.remaining_s.reset();
  view.mean_norm.reset();
  view.no_wait_per_s = 0;
  view.workers[0].loss.reset();
  const auto text = picture(view);
  CAPTURE(text);
  CHECK(has(text, "accuracy -  loss -  consensus distance -\n"));
  CHECK(has(text, "  0:42, round 1,234\n"));
  CHECK(has(text, "  210/s, waiting 18 %\n"));
  CHECK(has(text, "computing  10 ms  1230      -   0.50"));
  view.target_accuracy = 0.9;
  CHECK(has(picture(view), "0:42, until 90.0 %, round"));
}

TEST_CASE("terminal view: strange text cannot break the picture") {
  auto view = sample_view();
  view.name = "a\x1b[31mb\nc\xff\xc3";
  view.topology = "\u00e4\u4e2d\u0301";
  view.workers[0].wait_share = std::numeric_limits<double>::quiet_NaN();
  view.workers[0].step_s = std::numeric_limits<double>::infinity();
  const auto first = render(view, {}, 80, 24).line(0);
  CHECK(first.starts_with(" a?[31mb?c??  dtur  \u00e4??  mnist"));
}

TEST_CASE("terminal view: lanes go first, the panes follow from what is left") {
  CHECK(has(picture(sample_view(1000), 200, 60), "workers 1-40 of 1000, by number"));
  CHECK_FALSE(has(picture(sample_view(1000), 200, 60), "history"));
  CHECK(has(picture(sample_view(4), 80, 30), "history"));
  const auto small = picture(sample_view(), 80, 12);
  CHECK(has(small, "who waits for whom") == false);
  CHECK(has(small, "q quit"));
}

TEST_CASE("terminal view: panes do not jump when waits and events come and go") {
  auto view = sample_view();
  const auto before = render(view, {}, 80, 24);
  view.waits.clear();
  view.events.clear();
  const auto after = render(view, {}, 80, 24);
  CHECK(lane_row(before, "─ who waits") == lane_row(after, "─ who waits"));
  CHECK(lane_row(before, "─ events") == lane_row(after, "─ events"));
  CHECK(has(text_of(after), "\n  nobody\n"));
  CHECK(has(text_of(after), "\n  none yet\n"));
}

TEST_CASE("terminal view: a narrow terminal keeps the columns that matter most") {
  const auto text = picture(sample_view(), 40, 20);
  CAPTURE(text);
  CHECK(has(text, "worker  phase            round   loss\n"));
  CHECK(has(text, "!     3  computing  1.5 s  1233  0.430\n"));
}

TEST_CASE("terminal view: a terminal too small gets a message, not a torso") {
  CHECK(has(picture(sample_view(), 39, 24), "40x8 is the least"));
  CHECK(has(picture(sample_view(), 80, 7), "too small"));
  CHECK(has(picture(sample_view(), 40, 8), "worker  phase"));
}

TEST_CASE("terminal view: any size of terminal, run and list is drawn inside the terminal") {
  std::vector<run_view> views = {run_view{}, sample_view(1), sample_view(8), sample_view(33)};
  views[3].parts = 3;
  std::vector<terminal_state> states(5);
  states[1].help = true;
  states[2].pane = terminal_pane::waiting;
  states[3] = filtered("a filter that nobody matches");
  states[3].typing = true;
  states[4].scroll = 1'000'000;
  states[4].pane = terminal_pane::nodes;
  std::size_t drawn = 0;
  for (std::size_t columns = 1; columns <= 300; ++columns)
    for (std::size_t rows = 1; rows <= 80; ++rows) {
      const auto& state = states[(columns + rows) % states.size()];
      const auto frame = render(views[(columns * 7 + rows) % views.size()], state, columns, rows,
                                rows % 2 == 0 ? terminal_glyphs::unicode : terminal_glyphs::ascii);
      // A frame has its size by construction; what must hold is that it is used.
      drawn += !frame.line(0).empty();
    }
  CHECK(drawn == 300 * 80);
}

TEST_CASE("terminal view: no number of workers spills over the panes or the keys") {
  for (const std::size_t workers : {1, 2, 7, 9, 10, 16, 17, 99, 1000})
    for (const std::size_t rows : {8, 12, 18, 24, 60}) {
      CAPTURE(workers);
      CAPTURE(rows);
      const auto view = sample_view(workers);
      const auto frame = render(view, {}, 80, rows);
      CHECK(frame.line(rows - 1).starts_with(" q quit"));
      CHECK(frame.extent.page + frame.extent.last == std::max(workers, frame.extent.page));
      if (rows >= 24) {
        CHECK(lane_row(frame, "─ events") < rows);
        CHECK(lane_row(frame, "─ who waits") < rows);
      }
    }
}

TEST_CASE("terminal view: a thousand workers are drawn fast enough to refresh many times per second") {
  const auto view = sample_view(1000);
  auto fastest = std::chrono::duration<double, std::milli>::max();
  for (int i = 0; i < 20; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto frame = render(view, {}, 200, 60);
    fastest = std::min<std::chrono::duration<double, std::milli>>(fastest,
                                                                  std::chrono::steady_clock::now() - begin);
    REQUIRE(frame.rows() == 60);
  }
  CAPTURE(fastest.count());
  // About half a millisecond; sanitizers and busy machines take many times as long.
  CHECK(fastest.count() < 50);
}

TEST_CASE("terminal view: the lanes scroll to the last worker and not beyond") {
  const auto view = sample_view(1000);
  terminal_state state;
  auto extent = render(view, state, 200, 60).extent;
  CHECK(extent.page == 40);
  CHECK(extent.last == 960);
  const auto shown = [&] { return picture(view, 200, 60, state); };
  state = on_key(state, {kind::page_down}, extent);
  CHECK(has(shown(), "workers 41-80 of 1000"));
  state = on_key(state, {kind::down}, extent);
  CHECK(has(shown(), "workers 42-81 of 1000"));
  state = on_key(state, {kind::up}, extent);
  state = on_key(state, {kind::page_up}, extent);
  state = on_key(state, {kind::up}, extent);
  CHECK(has(shown(), "workers 1-40 of 1000"));
  state = on_key(state, {kind::end}, extent);
  CHECK(has(shown(), "workers 961-1000 of 1000"));
  CHECK(has(shown(), "\n    999 "));
  state = on_key(state, {kind::page_down}, extent);
  CHECK(has(shown(), "workers 961-1000 of 1000"));
  state = on_key(state, {kind::home}, extent);
  CHECK(has(shown(), "workers 1-40 of 1000"));
}

TEST_CASE("terminal view: a list that became shorter is still filled, and one key up moves") {
  terminal_state state;
  state.scroll = 500;
  const auto view = sample_view(50);
  const auto frame = render(view, state, 80, 24);
  CHECK(has(text_of(frame), "workers 43-50 of 50"));
  state = on_key(state, {kind::up}, frame.extent);
  CHECK(has(picture(view, 80, 24, state), "workers 42-49 of 50"));
}

TEST_CASE("terminal view: waiting and events become large and scroll") {
  auto view = sample_view();
  for (int i = 0; i < 50; ++i) {
    view.waits.insert(view.waits.begin(), view.waits.front());
    view.events.push_back({50.0 + i, event_view::severity::info, "event " + std::to_string(i)});
  }
  view.events_before = 1234;
  auto state = typed({}, "w");
  auto frame = render(view, state, 80, 24);
  CHECK(has(text_of(frame), "who waits for whom (52)"));
  CHECK_FALSE(has(text_of(frame), "events ("));
  state = on_key(state, {kind::end}, frame.extent);
  CHECK(has(picture(view, 80, 24, state), "who waits for whom (36-52 of 52)"));
  state = typed(state, "e");
  CHECK(state.scroll == 0);
  frame = render(view, state, 80, 24);
  CHECK(has(text_of(frame), "events (53), 1,234 older ones forgotten"));
  CHECK(frame.line(6) == "     1:39           event 49");
  state = on_key(state, {kind::end}, frame.extent);
  CHECK(has(picture(view, 80, 24, state), "all 8 workers are in touch again"));
  CHECK(has(picture(view, 80, 24, typed(state, "n")), "nodes (2)"));
  CHECK(has(picture(view, 80, 24, typed(state, "e")), "workers 1-8 of 8"));
  CHECK(has(picture(view, 80, 24, on_key(state, {kind::escape}, {})), "workers 1-8 of 8"));
}

TEST_CASE("terminal view: the picture says that it is paused, and what is typed") {
  CHECK(has(picture(sample_view(), 80, 24, typed({}, " ")), "PAUSED\n"));
  const auto typing = picture(sample_view(), 80, 24, typed({}, "/gath"));
  CHECK(has(typing, "\n filter: gath_ "));
  CHECK(has(typing, "workers 1-2 of 2 with \"gath\", 8 in all, by number"));
  CHECK(has(picture(sample_view(), 80, 24, typed({}, "/zz")), "no worker matches the filter"));
}

TEST_CASE("terminal view: help lies over the picture and names every key") {
  const auto text = picture(sample_view(), 80, 24, typed({}, "h"));
  for (const std::string part : {"help", "│  s ", "│  r ", "│  / ", "│  Enter", "│  space", "│  w ", "│  e ",
                                 "│  n ", "│  arrows", "│  h ?", "│  q ", "│  ! ? x"}) {
    CAPTURE(part);
    CHECK(has(text, part));
  }
  CHECK_FALSE(has(picture(sample_view(), 80, 24, typed({}, "hh")), "│"));
}

TEST_CASE("chosen_lanes: s goes through all orders, r reverses, ties stay in order of number") {
  auto view = sample_view(4);
  const std::vector<round_number> rounds = {7, 9, 8, 7};
  const std::vector<double> values = {0.2, 0.4, 0.1, 0.4};
  for (std::size_t i = 0; i < 4; ++i) {
    auto& w = view.workers[i];
    w.round = rounds[i];
    w.loss = values[i];
    w.wait_share = values[(i + 1) % 4];
    w.step_s = values[(i + 2) % 4];
    w.backup_workers = values[(i + 3) % 4];
  }
  view.workers[1].loss.reset();
  terminal_state state;
  CHECK(numbers(view, state) == list{0, 1, 2, 3});
  CHECK(numbers(view, typed(state, "r")) == list{3, 2, 1, 0});
  CHECK(numbers(view, typed(state, "s")) == list{0, 3, 2, 1});
  CHECK(numbers(view, typed(state, "ss")) == list{3, 0, 2, 1});
  CHECK(numbers(view, typed(state, "ssr")) == list{2, 0, 3, 1});
  CHECK(numbers(view, typed(state, "sss")) == list{0, 2, 3, 1});
  CHECK(numbers(view, typed(state, "ssss")) == list{1, 3, 2, 0});
  CHECK(numbers(view, typed(state, "sssss")) == list{0, 2, 1, 3});
  CHECK(numbers(view, typed(state, "ssssss")) == list{0, 1, 2, 3});
  CHECK(has(picture(view, 80, 24, typed(state, "ssr")), "by loss, lowest first"));
  CHECK(has(picture(view, 80, 24, typed(state, "sr")), "by round, highest first"));
}

TEST_CASE("chosen_lanes: the filter knows numbers, ranges, nodes, phases and standings") {
  auto view = sample_view(30);
  view.workers[5].standing = worker_standing::lost;
  CHECK(numbers(view, filtered("3")) == list{3});
  CHECK(numbers(view, filtered("3-5")) == list{3, 4, 5});
  CHECK(numbers(view, filtered("28-")) == list{28, 29});
  CHECK(numbers(view, filtered("5-3")).empty());
  CHECK(numbers(view, filtered("99999999999999999999")).empty());
  CHECK(numbers(view, filtered("GATHER")) == list{2, 4});
  CHECK(numbers(view, filtered("straggler")) == list{3});
  CHECK(numbers(view, filtered("lost")) == list{5});
  CHECK(numbers(view, filtered(":7401")).size() == 15);
  CHECK(numbers(view, filtered("computing")).size() == 27);
}

TEST_CASE("on_key: while a filter is typed the keys belong to it") {
  auto state = typed({}, "/q sw");
  CHECK_FALSE(state.quit);
  CHECK(state.typing);
  CHECK(state.filter == "q sw");
  state = on_key(state, {kind::backspace}, {});
  CHECK(state.filter == "q s");
  CHECK(on_key(state, {kind::escape}, {}).filter.empty());
  CHECK_FALSE(on_key(state, {kind::escape}, {}).typing);
  state = on_key(state, {kind::enter}, {});
  CHECK(state.filter == "q s");
  CHECK_FALSE(state.typing);
  CHECK(typed(state, "q").quit);
  CHECK(on_key(state, {kind::escape}, {}).filter.empty());
  CHECK(typed({}, "/" + std::string(500, 'x')).filter.size() == terminal_state::filter_length_max);
  CHECK(on_key(typed({}, "/"), {kind::backspace}, {}).typing);
}

TEST_CASE("on_key: Esc closes one thing at a time") {
  auto state = filtered("3");
  state.pane = terminal_pane::events;
  state.help = true;
  state = on_key(state, {kind::escape}, {});
  CHECK_FALSE(state.help);
  CHECK(state.pane == terminal_pane::events);
  state = on_key(state, {kind::escape}, {});
  CHECK(state.pane == terminal_pane::lanes);
  CHECK(state.filter == "3");
  state = on_key(state, {kind::escape}, {});
  CHECK(state.filter.empty());
}

TEST_CASE("on_key: unknown keys change nothing") {
  const auto state = typed({}, "xyz%\t");
  CHECK_FALSE(state.quit);
  CHECK(state.pane == terminal_pane::lanes);
  CHECK(state.scroll == 0);
}

TEST_CASE("brief_time: never wider than six columns") {
  CHECK(brief_time(0) == "0.0 ms");
  CHECK(brief_time(0.0099) == "9.9 ms");
  CHECK(brief_time(0.00997) == "10 ms");
  CHECK(brief_time(0.9996) == "1.0 s");
  CHECK(brief_time(9.96) == "10 s");
  CHECK(brief_time(99) == "99 s");
  CHECK(brief_time(100) == "2 min");
  CHECK(brief_time(7200) == "2.0 h");
  CHECK(brief_time(-1) == "-");
  for (double s = 1e-6; s < 800'000; s *= 1.01) {
    CAPTURE(s);
    CHECK(brief_time(s).size() <= 6);
  }
}

TEST_CASE("clock_text: minutes and seconds, hours when there are any") {
  CHECK(clock_text(0) == "0:00");
  CHECK(clock_text(59.9) == "0:59");
  CHECK(clock_text(61) == "1:01");
  CHECK(clock_text(3723) == "1:02:03");
  CHECK(clock_text(-1) == "0:00");
  CHECK(clock_text(std::numeric_limits<double>::infinity()) == "-");
}

} // namespace dybw::test
