// Shows a made-up run on the terminal, for eyes and for terminal_in_tmux:
//   terminal_view_demo [WORKERS [running|attaching|idle|over|lost|throws]]
#include "apps/program/interrupts.hpp"
#include "apps/terminal/screen.hpp"
#include "tests/apps/web/sample_view.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

namespace dybw::test {

namespace {

run_view::state state_named(const std::string& name) {
  for (const auto s :
       {run_view::state::attaching, run_view::state::idle, run_view::state::over, run_view::state::lost})
    if (to_string(s) == name)
      return s;
  return run_view::state::running;
}

/// The sample, `moved_s` later.
run_view moved_on(run_view v, double moved_s) {
  v.elapsed_s += moved_s;
  v.fraction = std::min(v.elapsed_s / 60, 1.0);
  v.remaining_s = std::max(60 - v.elapsed_s, 0.0);
  v.steps_per_s += 10 * std::sin(moved_s);
  for (std::size_t i = 0; i < v.workers.size(); ++i) {
    auto& w = v.workers[i];
    const auto at = moved_s / w.round_s + static_cast<double>(i);
    const auto rounds = static_cast<round_number>(at);
    w.round += rounds;
    v.newest_round = std::max(v.newest_round, w.round);
    w.phase = w.straggler || rounds % 4 != 0 ? phase::computing : phase::gathering;
    w.in_phase_s = (at - std::floor(at)) * w.round_s;
    for (std::size_t k = 0; k < w.recent_round_s.size(); ++k)
      w.recent_round_s[k] = static_cast<float>(
          w.round_s * (1 + 0.3 * std::sin(0.7 * static_cast<double>(rounds + k) + static_cast<double>(i))));
  }
  return v;
}

int show(std::size_t workers, const std::string& state) {
  auto sample = sample_view(workers);
  sample.now = state_named(state);
  if (sample.now == run_view::state::attaching || sample.now == run_view::state::idle)
    sample = run_view{};
  sample.now = state_named(state);
  if (sample.now == run_view::state::attaching || sample.now == run_view::state::lost)
    sample.trouble = "127.0.0.1:7400 refuses connections";
  const auto begin = std::chrono::steady_clock::now();
  int asked = 0;
  const auto source = [&] {
    if (state == "throws" && ++asked > 2)
      throw std::runtime_error("the source has broken");
    const auto moved_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return std::make_shared<const run_view>(moved_on(sample, moved_s));
  };
  const interrupt_guard guard;
  const auto last = show_on_terminal(source, interrupt_guard::interrupted);
  std::cout << "last view after " << (last->elapsed_s > sample.elapsed_s ? "some time" : "no time") << '\n';
  return interrupt_guard::interrupted() ? interrupt_guard::exit_code : 0;
}

} // namespace

} // namespace dybw::test

int main(int argc, char** argv) {
  try {
    return dybw::test::show(argc > 1 ? std::stoul(argv[1]) : 8, argc > 2 ? argv[2] : "running");
  } catch (const std::exception& e) {
    std::cerr << "terminal_view_demo: error: " << e.what() << '\n';
    return 1;
  }
}
