#include "bench/support.hpp"

#include "actors/run/local_run.hpp"
#include "actors/transport/system_config.hpp"

#include <caf/actor_system.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <stdexcept>

namespace dybw::bench {

struct prepared_runs::parts {
  explicit parts(const run_config& config) : inputs(prepare_run(config)) {}

  run_inputs inputs;
  system_config settings;
  caf::actor_system system{settings};
};

prepared_runs::prepared_runs(const run_config& config) : parts_(std::make_unique<parts>(config)) {}

prepared_runs::~prepared_runs() = default;

run_config& prepared_runs::config() {
  return parts_->inputs.config;
}

const data_split& prepared_runs::data() const {
  return parts_->inputs.data;
}

std::shared_ptr<const classifier> prepared_runs::model() const {
  return std::dynamic_pointer_cast<const classifier>(parts_->inputs.model);
}

std::span<const std::vector<std::uint32_t>> prepared_runs::rows() const {
  return parts_->inputs.rows;
}

prepared_runs::outcome prepared_runs::run(std::size_t policy, const controls& how) {
  run_controls passed_on;
  passed_on.rounds_file = how.rounds_file;
  passed_on.watch = [&](const run_progress& now) {
    if (how.tick)
      how.tick(to_seconds(now.elapsed));
    return false;
  };
  auto run = run_policy(parts_->system, parts_->inputs, policy, passed_on);
  if (run.result.failed)
    throw std::runtime_error(run.result.failure);
  return {std::move(run.result), std::move(run.average)};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

void print(std::string_view name, double value, std::string_view unit) {
  std::printf("%.*s %.6g %.*s\n", static_cast<int>(name.size()), name.data(), value,
              static_cast<int>(unit.size()), unit.data());
  std::fflush(stdout);
}

void judge(std::string_view name, double value, std::string_view unit, bound direction, double limit) {
  print(name, value, unit);
  const auto at_most = direction == bound::at_most;
  const auto passes = at_most ? value <= limit : value >= limit;
  std::printf("  expected: at %s %g %.*s: %s\n", at_most ? "most" : "least", limit,
              static_cast<int>(unit.size()), unit.data(), passes ? "pass" : "falls short");
  std::fflush(stdout);
}

double number_at(std::span<const std::string> arguments, std::size_t index, double otherwise) {
  if (index >= arguments.size())
    return otherwise;
  const auto& text = arguments[index];
  double x = 0;
  const auto end = text.data() + text.size();
  if (std::from_chars(text.data(), end, x).ptr != end || !(x > 0))
    throw std::runtime_error("not a number above 0: " + text);
  return x;
}

bool has_mnist(std::span<const std::string> arguments) {
  if (arguments.empty())
    throw std::runtime_error("the first argument is the directory of MNIST");
  if (std::filesystem::is_directory(arguments[0]))
    return true;
  std::printf("skipped: there is no directory %s\n", arguments[0].c_str());
  return false;
}

} // namespace dybw::bench
