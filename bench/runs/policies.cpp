// Whether averaging is worth what it costs on busy processors, without stragglers and with one that computes.

#include "bench/support.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace dybw::bench {

namespace {

const std::vector<std::string> compared = {"full", "dtur", "adaptive", "adpsgd"};
constexpr std::size_t adaptive = 2;

/// What is printed of all policies: a column for each, in their order.
using columns = std::vector<std::vector<double>>;

std::string name_of(const run_config& config) {
  return config.model + "/batch:" + std::to_string(config.batch) + "/";
}

/// Useful gradients per second under each policy, in turns, and what the average model then knows.
void compare_rates(const run_config& config, std::size_t repetitions) {
  auto runs = prepared_runs{config};
  columns rates(compared.size());
  columns accuracies(compared.size());
  std::vector<double> ratios;
  for (std::size_t i = 0; i < repetitions; ++i) {
    for (std::size_t p = 0; p < compared.size(); ++p) {
      const auto result = runs.run(p).result;
      rates[p].push_back(result.useful_gradient_rate);
      accuracies[p].push_back(result.test_accuracy.value_or(0));
    }
    ratios.push_back(rates[adaptive].back() / std::max(rates[0].back(), rates[1].back()));
  }
  for (std::size_t p = 0; p < compared.size(); ++p) {
    print(name_of(config) + compared[p], median(rates[p]), "useful gradients/s");
    print(name_of(config) + compared[p] + "_accuracy", median(accuracies[p]), "");
  }
  judge(name_of(config) + "adaptive_to_best_of_full_and_dtur", median(ratios), "", bound::at_least, 0.95);
}

/// When the mean of three successive tests of the average model first was that good, as one alone may be so
/// by chance; infinite if it never was.
double time_to(double target, const run_result& result) {
  const auto& e = result.evaluations;
  for (std::size_t i = 2; i < e.size(); ++i)
    if (*e[i - 2].test_accuracy + *e[i - 1].test_accuracy + *e[i].test_accuracy >= 3 * target)
      return e[i - 1].time_s;
  return std::numeric_limits<double>::infinity();
}

/// Time to the target under each policy, in turns, and of one worker alone, with the same step size.
void compare_times(run_config config, double target, std::size_t repetitions) {
  config.straggler = "computed:slow:1:4";
  config.eval_every_s = 0.25;
  config.time_limit_s = 10;
  auto runs = prepared_runs{config};
  auto lone_config = config;
  lone_config.workers = 1;
  lone_config.policies = {"full"};
  lone_config.straggler = "none";
  auto lone_runs = prepared_runs{lone_config};
  columns times(compared.size());
  std::vector<double> alone;
  std::vector<double> ratios;
  for (std::size_t i = 0; i < repetitions; ++i) {
    for (std::size_t p = 0; p < compared.size(); ++p)
      times[p].push_back(time_to(target, runs.run(p).result));
    alone.push_back(time_to(target, lone_runs.run(0).result));
    ratios.push_back(times[adaptive].back() / times[1].back());
  }
  const auto name = "straggler/" + name_of(config);
  for (std::size_t p = 0; p < compared.size(); ++p)
    print(name + compared[p] + "_time_to_target", median(times[p]), "s");
  print(name + "alone_time_to_target", median(alone), "s");
  judge(name + "adaptive_to_dtur", median(ratios), "", bound::at_most, 1);
}

} // namespace

void policies(std::span<const std::string> arguments) {
  if (!has_mnist(arguments))
    return;
  run_config config;
  config.data.name = "mnist";
  config.data.path = arguments[0];
  config.workers = 6;
  config.policies = compared;
  config.time_limit_s = number_at(arguments, 1, 5);
  config.eval_every_s = *config.time_limit_s; // the end only
  const auto repetitions = static_cast<std::size_t>(std::ceil(number_at(arguments, 2, 5)));
  struct shape {
    const char* model;
    std::size_t batch;
    double target;
  };
  for (const auto& [model, batch, target] :
       {shape{"mlp:256,256", 32, 0.95}, {"mlp:256,256", 256, 0.92}, {"softmax", 1024, 0.9}}) {
    config.model = model;
    config.batch = batch;
    compare_rates(config, repetitions);
    compare_times(config, target, repetitions);
  }
}

} // namespace dybw::bench
