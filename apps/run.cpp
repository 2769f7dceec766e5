#include "actors/session.hpp"
#include "apps/commands.hpp"
#include "apps/output.hpp"
#include "apps/progress.hpp"
#include "apps/report_page.hpp"
#include "apps/run_directory.hpp"
#include "apps/run_options.hpp"

#include <caf/actor_system.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <iostream>

#include <unistd.h>

namespace dybw {

namespace {

constexpr int exit_failed = 1;
constexpr int exit_interrupted = 130;

/// Interrupts so far. The first asks the run to stop; a second ends the process, should it hang.
std::atomic<int> interrupts{0};

extern "C" void on_interrupt(int) {
  if (interrupts.fetch_add(1) > 0)
    _exit(exit_interrupted);
}

/// Catches Ctrl-C and `kill` while it lives.
class interrupt_guard {
public:
  interrupt_guard() {
    struct sigaction action {};
    action.sa_handler = on_interrupt;
    sigemptyset(&action.sa_mask);
    interrupts = 0;
    sigaction(SIGINT, &action, &before_int_);
    sigaction(SIGTERM, &action, &before_term_);
  }
  ~interrupt_guard() {
    sigaction(SIGINT, &before_int_, nullptr);
    sigaction(SIGTERM, &before_term_, nullptr);
  }
  interrupt_guard(const interrupt_guard&) = delete;
  interrupt_guard& operator=(const interrupt_guard&) = delete;

private:
  struct sigaction before_int_ {};
  struct sigaction before_term_ {};
};

void set_up_log(log_level level) {
  auto logger = spdlog::get("dybw");
  if (!logger)
    logger = spdlog::stderr_color_mt("dybw");
  logger->set_pattern("dybw: %l: %v");
  switch (level) {
  case log_level::debug:
    logger->set_level(spdlog::level::debug);
    break;
  case log_level::info:
    logger->set_level(spdlog::level::info);
    break;
  case log_level::warn:
    logger->set_level(spdlog::level::warn);
    break;
  case log_level::error:
    logger->set_level(spdlog::level::err);
    break;
  case log_level::off:
    logger->set_level(spdlog::level::off);
    break;
  }
  spdlog::set_default_logger(logger);
}

/// How far the run is towards the limit that will end it first.
progress to_progress(const run_config& config, const std::string& policy, const run_progress& now) {
  progress p;
  p.policy = policy;
  p.elapsed_s = to_seconds(now.elapsed);
  p.round = now.newest_round;
  if (now.local_steps > 0 && config.model != "none")
    p.loss = now.loss;
  p.accuracy = now.accuracy;
  if (now.local_steps > 0)
    p.backup_workers = now.backup_workers;
  p.gradients_per_s = p.elapsed_s > 0 ? static_cast<double>(now.local_steps) / p.elapsed_s : 0;
  if (config.time_limit_s)
    p.fraction = std::min(1.0, p.elapsed_s / *config.time_limit_s);
  if (config.rounds) {
    const auto share = static_cast<double>(now.newest_round) / static_cast<double>(*config.rounds);
    p.fraction = std::max(p.fraction.value_or(0), share);
  }
  if (p.fraction && *p.fraction > 0)
    p.remaining_s = p.elapsed_s * (1 / *p.fraction - 1);
  p.waiting = now.waiting;
  return p;
}

nlohmann::json mean_or_null(const std::vector<running_mean>& bins, std::size_t i) {
  return i < bins.size() && bins[i].count() > 0 ? nlohmann::json(bins[i].mean()) : nlohmann::json(nullptr);
}

/// A SERIES of the report page.
nlohmann::json series_to_json(const finished_run& run) {
  std::size_t bins = 0;
  for (const auto& s : run.series)
    bins = std::max(bins, s.round_s.size());
  nlohmann::json times = nlohmann::json::array();
  for (std::size_t i = 0; i < bins; ++i)
    times.push_back((static_cast<double>(i) + 0.5) * run.bin_width_s);
  nlohmann::json workers = nlohmann::json::array();
  for (std::size_t w = 0; w < run.series.size(); ++w) {
    const auto& s = run.series[w];
    nlohmann::json backup = nlohmann::json::array();
    nlohmann::json share = nlohmann::json::array();
    nlohmann::json round = nlohmann::json::array();
    for (std::size_t i = 0; i < bins; ++i) {
      backup.push_back(mean_or_null(s.backup_workers, i));
      round.push_back(mean_or_null(s.round_s, i));
      const auto has_share = i < s.round_s.size() && s.round_s[i].sum() > 0;
      share.push_back(has_share ? nlohmann::json(s.wait_s[i].sum() / s.round_s[i].sum())
                                : nlohmann::json(nullptr));
    }
    workers.push_back({{"worker", w}, {"backup_workers", backup}, {"wait_share", share}, {"round_s", round}});
  }
  return {{"policy", run.result.policy}, {"time_s", times}, {"workers", workers}};
}

/// Writes what is known after each policy, so that an interrupt or a crash later loses nothing.
void write_files(const run_directory& directory, const run_config& config,
                 const std::vector<run_result>& results, const nlohmann::json& series,
                 const finished_run& newest) {
  const auto document = results_to_json(config, results);
  directory.write_run(document);
  directory.write_report(render_report({{"document", document}, {"series", series}}));
  std::vector<nlohmann::ordered_json> lines;
  for (const auto& e : newest.result.evaluations)
    lines.push_back(to_json(e));
  directory.write_evals(newest.result.policy, lines);
  if (newest.average)
    directory.write_model(newest.result.policy, newest.average.values());
}

} // namespace

int run_command(std::span<const std::string> arguments) {
  const auto options = read_run_options(arguments, date_text());
  const auto& config = options.config;
  set_up_log(options.output.level);
  const auto guard = interrupt_guard{};
  const auto inputs = prepare_run(config);
  if (interrupts > 0)
    return exit_interrupted; // nothing was measured, nothing is written
  std::optional<run_directory> directory;
  if (options.output.directory)
    directory.emplace(*options.output.directory, config.policies, options.output.force);

  auto display = progress_display{std::cerr, terminal_columns(STDERR_FILENO)};
  auto caf_config = system_config{};
  auto system = caf::actor_system{caf_config};
  std::vector<run_result> results;
  auto series = nlohmann::json::array();
  for (std::size_t i = 0; i < inputs.policies.size() && interrupts == 0; ++i) {
    const auto& policy = inputs.policies[i].text;
    run_controls controls;
    if (directory)
      controls.rounds_file = directory->rounds_file(policy);
    controls.watch = [&](const run_progress& now) {
      if (!options.output.quiet)
        display.show(to_progress(config, policy, now));
      return interrupts > 0;
    };
    const auto run = run_policy(system, inputs, i, controls);
    display.clear();
    results.push_back(run.result);
    series.push_back(series_to_json(run));
    if (directory)
      write_files(*directory, config, results, series, run);
    if (run.result.failed)
      break;
  }

  if (results.empty())
    return exit_interrupted;
  if (options.output.format == output_format::json)
    std::cout << results_to_json(config, results).dump(2) << '\n';
  else
    std::cout << results_table(results);
  if (directory && options.output.format == output_format::text)
    std::cout << "\nReport: " << directory->report_file().string() << '\n';
  std::cout.flush();
  if (results.back().failed) {
    std::cerr << "dybw: error: " << results.back().failure << '\n';
    return exit_failed;
  }
  return interrupts > 0 ? exit_interrupted : 0;
}

} // namespace dybw
