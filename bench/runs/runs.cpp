// bench_runs: measurements of whole runs; see bench/README.md.

#include "bench/support.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>

namespace {

struct subcommand {
  std::string_view name;
  const char* arguments;
  void (*run)(std::span<const std::string>);
};

constexpr std::array subcommands = {
    subcommand{"actor-path", "[ROUNDS]", dybw::bench::actor_path},
    subcommand{"audit", "", dybw::bench::audit_cost},
    subcommand{"policies", "MNIST_DIR [SECONDS [REPETITIONS]]", dybw::bench::policies},
    subcommand{"throughput", "MNIST_DIR [SECONDS [REPETITIONS]]", dybw::bench::throughput},
    subcommand{"stragglers", "MNIST_DIR [SECONDS]", dybw::bench::stragglers},
    subcommand{"responsiveness", "[SECONDS]", dybw::bench::responsiveness},
    subcommand{"soak", "[MINUTES]", dybw::bench::soak},
    subcommand{"monitor", "MNIST_DIR [PAIRS_OF_SLICES [SECONDS]]", dybw::bench::monitor_cost},
    subcommand{"virtual", "[MNIST_DIR]", dybw::bench::virtual_time},
    subcommand{"unlike", "DATASET DIR MODEL BATCH TIME [SEEDS [POLICY,..]]", dybw::bench::unlike_data},
};

} // namespace

int main(int count, char** words) {
  const std::vector<std::string> arguments(words + 1, words + count);
  const auto found = std::find_if(subcommands.begin(), subcommands.end(), [&](const subcommand& s) {
    return !arguments.empty() && s.name == arguments[0];
  });
  if (found == subcommands.end()) {
    for (const auto& s : subcommands)
      std::fprintf(stderr, "bench_runs %s %s\n", s.name.data(), s.arguments);
    return 2;
  }
  spdlog::set_level(spdlog::level::warn);
  try {
    found->run(std::span{arguments}.subspan(1));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_runs: %s\n", e.what());
    return 1;
  }
  return 0;
}
