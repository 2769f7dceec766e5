#include "actors/monitor/local_monitor.hpp"
#include "actors/monitor/monitor.hpp"
#include "actors/run/checkpoints.hpp"
#include "actors/run/local_run.hpp"
#include "actors/run/simulated_run.hpp"
#include "actors/trainers/own_learners.hpp"
#include "actors/transport/system_config.hpp"
#include "apps/commands/commands.hpp"
#include "apps/commands/report_files.hpp"
#include "apps/commands/run_on_nodes.hpp"
#include "apps/commands/run_output.hpp"
#include "apps/program/interrupts.hpp"
#include "apps/results/run_directory.hpp"
#include "apps/web/live_page.hpp"
#include "learning/base/error.hpp"
#include "learning/data/dataset.hpp"

#include <caf/actor_system.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>
#include <utility>

namespace dybw {

namespace {

/// Where the run goes on, and makes its files ready. Throws `input_error`.
std::map<worker_id, checkpoint> find_checkpoints(const run_options& options, const run_inputs& inputs,
                                                 run_output& output) {
  const auto& config = options.config;
  const auto& policy = config.policies.front();
  auto found = read_checkpoints(output.checkpoints(policy), inputs, 0, all_workers(config));
  auto round = ~round_number{0};
  for (const auto& [id, x] : found)
    round = std::min(round, x.round);
  if (config.rounds && round >= *config.rounds)
    throw input_error{input_fault::configuration,
                      "--resume=" + *options.resume + " has done all its " + std::to_string(*config.rounds) +
                          " rounds",
                      "", "give more --rounds"};
  if (inputs.learners)
    for (const auto& [id, x] : found)
      inputs.learners->load(id, x.learner);
  output.go_on(policy, found);
  if (!options.output.quiet)
    std::cerr << "going on after round " << round << std::endl;
  return found;
}

/// What is said and returned at the end of a run here.
int finish(const run_output& output, const std::string& failure, bool is_part) {
  if (output.empty())
    return interrupt_guard::exit_code;
  output.print();
  for (const auto& each : {failure, output.failure()})
    if (!each.empty())
      std::cerr << "dybw: error: " << each << std::endl;
  if (!failure.empty() || !output.failure().empty())
    return exit_failed;
  if (!interrupt_guard::interrupted())
    return 0;
  if (!is_part)
    std::_Exit(interrupt_guard::exit_code); // all is written; a thread may still be deep in a gradient
  return interrupt_guard::exit_code;
}

/// Runs every policy, one after the other, until one fails.
int run_each(const run_inputs& inputs, run_output& output,
             const std::function<finished_run(std::size_t policy)>& run, bool is_part) {
  std::string failure;
  for (std::size_t i = 0; i < inputs.policies.size() && !interrupt_guard::interrupted(); ++i) {
    try {
      const auto done = run(i);
      output.add(done);
      failure = done.result.failure;
      if (done.result.failed)
        break;
    } catch (...) { // there was no memory, or no thread, for it
      output.abandon();
      throw;
    }
  }
  return finish(output, failure, is_part);
}

run_controls controls_of(run_output& output, const std::string& policy) {
  run_controls controls;
  controls.rounds_file = output.rounds_file(policy);
  controls.evals_file = output.evals_file(policy);
  controls.watch = output.watch(policy);
  controls.trace = output.trace(policy);
  controls.events_file = output.events_file(policy);
  return controls;
}

/// What was read, so that people see whether it is what they meant; what they may not expect even if quiet.
void tell_data(const run_inputs& inputs, const run_options& options) {
  if (!inputs.data.train)
    return;
  const auto read = summary_of(inputs.data);
  if (!options.output.quiet)
    std::cerr << "data read: " << summary_text(read) << std::endl;
  for (const auto& note : read.reading.notes)
    spdlog::warn("data: {}", note);
}

std::shared_ptr<learner_group> make_own_learners(const run_config& config, const learner_maker& make) {
  return std::make_shared<own_learners>(make, own_learner_options{static_cast<std::uint32_t>(config.workers),
                                                                  config.seed, config.data.path.string(),
                                                                  config.partition});
}

/// Makes ready what trains. Trainers write into the run's directory, which therefore comes first; otherwise
/// what is refused has made none.
class prepared {
public:
  prepared(const run_options& options, const learner_maker& own) {
    if (!options.config.has_own_model()) {
      inputs = prepare_run(options.config);
      if (!interrupt_guard::interrupted()) // else nothing was measured, nothing is written
        output.emplace(options);
      return;
    }
    inputs = plan_run(options.config);
    if (options.config.own_learner) {
      use_learners(inputs, make_own_learners(options.config, own));
      output.emplace(options);
      return;
    }
    output.emplace(options);
    output->tell_waiting();
    try {
      start_trainers(inputs, {inputs.config.trainer, all_workers(inputs.config), output->trainer_logs(),
                              options.resume.has_value(), interrupt_guard::interrupted});
    } catch (...) {
      output->discard();
      throw;
    }
  }

  run_inputs inputs;
  std::optional<run_output> output;
};

int run_virtually(const run_options& options, const learner_maker& own) {
  prepared run{options, own};
  if (interrupt_guard::interrupted())
    return interrupt_guard::exit_code;
  const auto& inputs = run.inputs;
  auto& output = *run.output;
  tell_data(inputs, options);
  std::shared_ptr<const virtual_checkpoint> resumed;
  if (options.resume) {
    const auto place = output.checkpoints(inputs.policies.front().text);
    resumed = std::make_shared<const virtual_checkpoint>(read_virtual_checkpoint(place, inputs, 0));
    output.go_on();
  }
  return run_each(
      inputs, output,
      [&](std::size_t i) {
        const auto& policy = inputs.policies[i].text;
        auto controls = controls_of(output, policy);
        controls.checkpoints = output.checkpoints(policy);
        controls.resumed_virtually = std::exchange(resumed, {});
        return run_policy_virtually(inputs, i, controls);
      },
      options.output.is_part);
}

int run_here(const run_options& options, const learner_maker& own) {
  prepared run{options, own};
  if (interrupt_guard::interrupted())
    return interrupt_guard::exit_code;
  const auto& inputs = run.inputs;
  auto& output = *run.output;
  tell_data(inputs, options);
  if (options.config.send != block_format::float32)
    spdlog::info("all workers are in this process: nothing is coded as {}", to_string(options.config.send));
  auto resumed =
      options.resume ? find_checkpoints(options, inputs, output) : std::map<worker_id, checkpoint>{};
  auto caf_config = system_config{};
  auto system = caf::actor_system{caf_config};
  local_monitor_actor monitor;
  std::optional<live_page> page;
  if (options.http) {
    monitor = system.spawn(local_monitor, monitor_state::looks_for);
    page.emplace(system, monitor, *options.http);
    output.tell_page(page->url());
  }
  return run_each(
      inputs, output,
      [&](std::size_t i) {
        const auto& policy = inputs.policies[i].text;
        auto controls = controls_of(output, policy);
        controls.monitor = monitor;
        controls.checkpoints = output.checkpoints(policy);
        controls.resumed = std::exchange(resumed, {});
        return run_policy(system, inputs, i, controls);
      },
      options.output.is_part);
}

int run_one(const run_options& options, const learner_maker& own) {
  if (options.config.clock == clock_kind::virtual_)
    return run_virtually(options, own);
  return options.nodes ? run_on_nodes(options) : run_here(options, own);
}

/// One after the other; those that were done are shown even if one fails.
int run_seeds(std::span<const std::string> arguments, const run_options& options, const learner_maker& own) {
  auto directory = *options.output.directory;
  if (options.output.directory_is_ours)
    directory = make_new_directory(directory);
  else if (std::filesystem::exists(run_directory::at(directory).run_file()))
    throw input_error{input_fault::configuration, "--out=" + directory.string() + " holds another run", "",
                      "give another --out"};
  const auto show = [&] { show_seeds(directory, options.output.format == output_format::json); };
  const auto first = run_directory::at(seed_directory(directory, options.seeds.front())).run_file();
  const auto was_there = std::filesystem::exists(first); // of other runs
  int code = 0;
  std::size_t done = 0;
  try {
    for (; done < options.seeds.size() && code == 0; ++done) {
      const auto seed = options.seeds[done];
      if (!options.output.quiet)
        std::cerr << "seed " << seed << " (" << done + 1 << " of " << options.seeds.size() << ")"
                  << std::endl;
      code = run_one(read_seed_options(arguments, seed, directory, bool{own}), own);
    }
  } catch (...) {
    try {
      if (done > 0 || (!was_there && std::filesystem::exists(first)))
        show();
    } catch (const std::exception&) { // what ended the runs is to be told
    }
    throw;
  }
  if (code == 0 || std::filesystem::exists(first)) // nothing is there yet where the first run was refused
    show();
  return code;
}

} // namespace

int run_command(std::span<const std::string> arguments, const learner_maker& own) {
  const auto options = read_run_options(arguments, date_text(), options_on_nodes, bool{own});
  set_up_log(options.output.level);
  const auto guard = interrupt_guard{};
  return options.seeds.empty() ? run_one(options, own) : run_seeds(arguments, options, own);
}

} // namespace dybw
