// Training samples per second of a whole run, and how many of them the exchange with neighbours costs.

#include "bench/support.hpp"

#include <cmath>
#include <thread>

namespace dybw::bench {

namespace {

struct rates {
  std::vector<double> per_s; ///< samples per second
  std::vector<double>
      per_cpu_s; ///< samples per second of processor time: what else runs on the machine matters less

  void add(const run_result& r) {
    per_s.push_back(static_cast<double>(r.samples) / r.duration_s);
    per_cpu_s.push_back(static_cast<double>(r.samples) / r.host_cpu_s);
  }
};

void measure(const run_config& config, std::size_t repetitions, double expected) {
  auto runs = prepared_runs{config};
  rates with;
  rates without;
  std::vector<double> ratios;
  for (std::size_t i = 0; i < repetitions; ++i) { // alternately, so that a noisy machine disturbs both alike
    runs.config().exchange = true;
    with.add(runs.run().result);
    runs.config().exchange = false;
    without.add(runs.run().result);
    ratios.push_back(with.per_s.back() / without.per_s.back());
  }
  const auto name = config.model + "/batch:" + std::to_string(config.batch) + "/";
  judge(name + "with_exchange", median(with.per_s), "samples/s", bound::at_least, expected);
  print(name + "without_exchange", median(without.per_s), "samples/s");
  judge(name + "with_to_without", median(ratios), "", bound::at_least, 0.85);
  print(name + "with_exchange_per_processor", median(with.per_cpu_s), "samples/s");
  print(name + "without_exchange_per_processor", median(without.per_cpu_s), "samples/s");
  print(name + "with_to_without_per_processor", median(with.per_cpu_s) / median(without.per_cpu_s), "");
}

} // namespace

void throughput(std::span<const std::string> arguments) {
  if (!has_mnist(arguments))
    return;
  print("processors", std::thread::hardware_concurrency(), "");
  run_config config;
  config.data.name = "mnist";
  config.data.path = arguments[0];
  config.workers = 6;
  config.policies = {"full"};
  config.time_limit_s = number_at(arguments, 1, 6);
  const auto repetitions = static_cast<std::size_t>(std::ceil(number_at(arguments, 2, 5)));
  config.model = "softmax";
  config.batch = 1024;
  measure(config, repetitions, 900'000); // of two quiet processors
  config.model = "mlp:256,256";
  config.batch = 256;
  measure(config, repetitions, 80'000);
}

} // namespace dybw::bench
