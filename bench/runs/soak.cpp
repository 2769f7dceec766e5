// Whether a long run's memory stays as it is after the first minute.

#include "bench/support.hpp"

#include <algorithm>
#include <fstream>
#include <system_error>

#include <unistd.h>

namespace dybw::bench {

namespace {

constexpr double settled_after_s = 60;

/// The resident memory of this process in KiB.
double resident_kib() {
  std::ifstream status{"/proc/self/status"};
  std::string word;
  double kib = 0;
  while (status >> word)
    if (word == "VmRSS:" && status >> kib)
      break;
  return kib;
}

/// A file that is removed again.
struct temporary_file {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("bench-soak-" + std::to_string(getpid()) + ".jsonl");
  ~temporary_file() {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
};

} // namespace

void soak(std::span<const std::string> arguments) {
  run_config config;
  config.workers = 32;
  config.topology = "torus:4x8";
  config.policies = {"dtur"};
  config.batch = 16;
  config.step_time = "const:0.02";
  config.straggler = "random:0.1:4";
  config.time_limit_s = 60 * number_at(arguments, 0, 10);
  auto runs = prepared_runs{config};

  const auto settled_s = std::min(settled_after_s, *config.time_limit_s / 2);
  const temporary_file rounds;
  double next_s = 0;
  double settled_kib = 0;
  double largest_kib = 0;
  prepared_runs::controls how;
  how.rounds_file = rounds.path;
  how.tick = [&](double elapsed_s) {
    if (elapsed_s < next_s)
      return;
    next_s = elapsed_s + 1;
    const auto kib = resident_kib();
    if (elapsed_s < settled_s)
      return;
    if (settled_kib == 0)
      settled_kib = kib;
    largest_kib = std::max(largest_kib, kib);
  };
  const auto r = runs.run(0, how).result;
  print("duration", r.duration_s, "s");
  print("rounds", static_cast<double>(r.rounds), "");
  print("worker_rounds", static_cast<double>(r.local_steps), "");
  print("rounds_file", static_cast<double>(std::filesystem::file_size(rounds.path)) / 1024, "KiB");
  print("resident_after_" + std::to_string(static_cast<int>(settled_s)) + "_s", settled_kib, "KiB");
  print("resident_largest_later", largest_kib, "KiB");
  print("growth", 100 * (largest_kib / settled_kib - 1), "%");
}

} // namespace dybw::bench
