#include "actors/run/simulated_run.hpp"
#include "actors/system/process_usage.hpp"
#include "bench/support.hpp"

#include <algorithm>
#include <chrono>

// How fast virtual time passes: the protocol alone with a thousand workers and more, on one core, and real
// gradients with one thread and two.

namespace dybw::bench {

namespace {

struct timed_run {
  double seconds = 0;
  run_result result;
};

timed_run timed(const run_inputs& inputs) {
  const auto begin = std::chrono::steady_clock::now();
  timed_run run{0, run_policy_virtually(inputs, 0, {}).result};
  run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return run;
}

run_config protocol_alone(std::size_t workers, std::uint64_t rounds, std::size_t degree,
                          const std::string& policy) {
  run_config config;
  config.clock = clock_kind::virtual_;
  config.model = "none";
  config.workers = workers;
  config.topology = "random:" + std::to_string(degree);
  config.step_time = "exp:1";
  config.policies = {policy};
  config.rounds = rounds;
  config.threads = 1;
  return config;
}

/// Returns the time per worker and round, in us.
double simulate(std::size_t workers, std::uint64_t rounds, std::size_t degree, const std::string& policy) {
  const auto run = timed(prepare_run(protocol_alone(workers, rounds, degree, policy)));
  const auto name = policy + "_" + std::to_string(workers) + "_workers_degree_" + std::to_string(degree);
  print(name + "_rounds", static_cast<double>(run.result.rounds), "");
  if (workers == 1000 && degree == 6 && rounds == 1000)
    judge(name + "_time", run.seconds, "s", bound::at_most, 30);
  else
    print(name + "_time", run.seconds, "s");
  const auto us = run.seconds / static_cast<double>(run.result.rounds * workers) * 1e6;
  print(name + "_time_per_worker_and_round", us, "us");
  print(name + "_active_share", run.result.mean_active_share, "");
  print(name + "_coverage_sweeps", static_cast<double>(run.result.coverage_sweeps), "");
  return us;
}

/// Whether a round of ten thousand workers costs each as much as one of a thousand, audit and reports
/// included.
void compare_sizes() {
  std::vector<double> ratios;
  std::vector<double> times;
  for (auto i = 0; i < 3; ++i) {
    const auto few = simulate(1000, 300, 6, "full");
    times.push_back(simulate(10'000, 30, 6, "full"));
    ratios.push_back(times.back() / few);
  }
  judge("full_10000_workers_time_per_worker_and_round", median(times), "us", bound::at_most, 6);
  judge("full_10000_to_1000_workers", median(ratios), "", bound::at_most, 1.3);
}

void gradients(const std::string& mnist) {
  run_config config;
  config.clock = clock_kind::virtual_;
  config.data.name = "mnist";
  config.data.path = mnist;
  config.model = "mlp:256,256";
  config.step_time = "exp:1";
  config.policies = {"full"};
  config.rounds = 100;
  config.eval_every_s = 1e6;
  auto inputs = prepare_run(config);
  std::vector<double> ratios;
  for (auto i = 0; i < 3; ++i) {
    inputs.config.threads = 1;
    const auto one = timed(inputs).seconds;
    inputs.config.threads = 2;
    ratios.push_back(one / timed(inputs).seconds);
  }
  judge("mlp_two_threads_speed_up", median(ratios), "", bound::at_least, 1.4);
}

} // namespace

void virtual_time(std::span<const std::string> arguments) {
  for (const std::string policy : {"dtur", "full", "adaptive"})
    simulate(1000, 1000, 6, policy);
  judge("peak_memory", static_cast<double>(peak_rss_bytes()) / (1 << 30), "GiB", bound::at_most, 1);
  for (const std::size_t degree : {3, 6, 12})
    for (const std::string policy : {"dtur", "full"})
      simulate(1000, 200, degree, policy);
  simulate(10'000, 100, 6, "dtur");
  compare_sizes();
  if (has_mnist(arguments))
    gradients(arguments[0]);
}

} // namespace dybw::bench
