#include "actors/run/simulated_run.hpp"
#include "bench/support.hpp"
#include "learning/base/statistics.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>

// Whether N workers learn faster than one, and what stragglers take away: MNIST softmax, mini-batches of 4,
// test accuracy 0.915, where noise is what is to be averaged away. In virtual time, where a step takes a
// second on average; each row has its best step size.

namespace dybw::bench {

namespace {

constexpr double target = 0.915;
constexpr std::uint64_t tuning_seed = 100; // is not reported
constexpr std::size_t batch = 4;
constexpr double never = std::numeric_limits<double>::infinity();

struct row {
  std::string policy = "full";
  std::size_t workers = 1;
  std::size_t batch = bench::batch;
  std::string step_time = "const:1";
  std::string straggler = "none";
};

struct figures {
  double time = never; ///< of the second of the first three tests in a row whose mean is past the target
  double steps = 0;    ///< of each worker by then, on average
  double no_wait_rate = 0;
};

figures measure(const std::string& data, const row& r, double step_size, std::uint64_t seed,
                double time_limit, double eval_every) {
  run_config config;
  config.clock = clock_kind::virtual_;
  config.data.name = "mnist";
  config.data.path = data;
  config.workers = r.workers;
  config.topology = r.workers >= 16 ? "random:4" : "complete";
  config.policies = {r.policy};
  config.batch = r.batch;
  config.sgd.step_size = step_size;
  config.seed = seed;
  config.step_time = r.step_time;
  config.straggler = r.straggler;
  config.time_limit_s = time_limit;
  config.target_accuracy = target + 0.004; // past what the mean of three wants, or the limit
  config.eval_every_s = eval_every;
  const auto result = run_policy_virtually(prepare_run(config), 0, {}).result;
  const auto& e = result.evaluations;
  figures found{never, 0, result.no_wait_rate};
  for (std::size_t i = 2; i < e.size() && !result.failed; ++i)
    if (*e[i - 2].test_accuracy + *e[i - 1].test_accuracy + *e[i].test_accuracy >= 3 * target) {
      found.time = e[i - 1].time_s;
      found.steps = static_cast<double>(e[i - 1].local_steps) / static_cast<double>(r.workers);
      break;
    }
  return found;
}

struct summary {
  double step_size = 0;
  sample_mean time;
  sample_mean steps;
  sample_mean no_wait_rate;
  std::size_t missed = 0; ///< runs that did not come to the target: the means are bounds
};

/// `about`: what it will take, roughly; runs end at three times that.
summary tuned(const std::string& data, const row& r, std::span<const double> step_sizes, double about,
              std::uint64_t seeds) {
  summary s;
  auto best = never;
  for (const auto step_size : step_sizes)
    if (const auto f = measure(data, r, step_size, tuning_seed, std::min(best, 3 * about), about / 60);
        f.time < best) {
      best = f.time;
      s.step_size = step_size;
    }
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto f = measure(data, r, s.step_size, seed, 3 * about, about / 60);
    s.missed += f.time == never ? 1 : 0;
    s.time.add(std::min(f.time, 3 * about));
    s.steps.add(f.time == never ? 3 * about : f.steps);
    s.no_wait_rate.add(f.no_wait_rate);
  }
  return s;
}

void print_row(const char* name, std::size_t workers, const summary& s, double alone) {
  std::printf("%-10s %4zu  %5.2f  %s%7.0f +- %-5.0f  %6.2f  %5.2f\n", name, workers, s.step_size,
              s.missed > 0 ? ">" : " ", s.steps.mean(), s.steps.half_width(), alone / s.steps.mean(),
              alone / s.steps.mean() / static_cast<double>(workers));
  std::fflush(stdout);
}

} // namespace

void scale(std::span<const std::string> arguments) {
  if (!has_mnist(arguments))
    return;
  const auto& data = arguments[0];
  const auto seeds = static_cast<std::uint64_t>(number_at(arguments, 1, 5));
  const auto largest = static_cast<std::size_t>(number_at(arguments, 2, 128));
  const std::vector<double> grid{0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28};
  const auto near = [&grid](double x) { // four of the grid
    const auto at = std::ranges::lower_bound(grid, x) - grid.begin();
    const auto first = std::clamp<std::ptrdiff_t>(at - 2, 0, std::ssize(grid) - 4);
    return std::span{grid}.subspan(static_cast<std::size_t>(first), 4);
  };
  std::printf(
      "steps of each worker to %.3f, %llu seeds; the ideal of N is one worker with mini-batches of 4 N\n",
      target, static_cast<unsigned long long>(seeds));
  std::printf("%-10s %4s  %5s  %-17s  %6s  %s\n", "row", "N", "step", "steps", "faster", "efficiency");
  const auto one = tuned(data, {}, near(0.04), 10'000, seeds);
  const auto alone = one.steps.mean();
  print_row("alone", 1, one, alone);
  summary ideal_of_16;
  for (std::size_t n = 2; n <= largest; n *= 2) {
    const auto about = 1.3 * alone / static_cast<double>(n) + 60;
    const auto sizes = near(0.04 * static_cast<double>(n));
    const auto ideal = tuned(data, {.workers = 1, .batch = batch * n}, sizes, about, seeds);
    print_row("ideal", n, ideal, alone);
    if (n == 16)
      ideal_of_16 = ideal;
    print_row("full", n, tuned(data, {.workers = n}, sizes, about, seeds), alone);
  }
  if (largest < 16)
    return;
  std::printf("\nN = 16, seconds to %.3f; the ideal takes its steps at the pace of workers that never wait\n",
              target);
  std::printf("%-18s %-10s %5s  %-17s %6s  %s\n", "slowness", "policy", "step", "time", "ideal",
              "of the ideal");
  const std::vector<std::pair<std::string, std::string>> kinds{
      {"const:1", "none"}, {"const:1", "slow:1:4"}, {"const:1", "random:0.0625:6"}, {"exp:1", "none"}};
  for (const auto& [step_time, straggler] : kinds)
    for (const auto* policy : {"full", "dtur", "adaptive"}) {
      const row r{.policy = policy, .workers = 16, .step_time = step_time, .straggler = straggler};
      const auto s = tuned(data, r, near(0.64), 3 * ideal_of_16.steps.mean(), seeds);
      const auto ideal = ideal_of_16.steps.mean() * 16 / s.no_wait_rate.mean();
      std::printf("%-18s %-10s %5.2f  %s%7.0f +- %-5.0f  %6.0f  %5.2f\n",
                  (straggler == "none" ? step_time : straggler).c_str(), policy, s.step_size,
                  s.missed > 0 ? ">" : " ", s.time.mean(), s.time.half_width(), ideal, ideal / s.time.mean());
      std::fflush(stdout);
    }
}

} // namespace dybw::bench
