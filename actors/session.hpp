#pragma once

#include "actors/actors.hpp"
#include "learning/data/dataset.hpp"
#include "learning/run_config.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <filesystem>
#include <functional>

namespace dybw {

/// CAF's settings for this project: its message types, and the `sharing` scheduler, whose idle threads sleep
/// until there is work (the default one polls, which costs processor time and up to 10 ms per message).
class system_config : public caf::actor_system_config {
public:
  system_config();
};

/// What all policies of one invocation share: prepared once, so that they are compared on the same data,
/// graph, partition and starting point.
struct run_inputs {
  run_config config;
  data_split data; ///< empty with `--model none`
  std::shared_ptr<const model> learner;
  std::shared_ptr<const topology> graph;
  connect_spec connect;
  coverage_sweep::edge_set connecting;
  std::vector<policy_spec> policies;
  std::vector<std::vector<std::uint32_t>> rows; ///< [workers]
  std::vector<parameter_block> initial;         ///< [workers]
};

/// Loads, builds and checks everything. Throws `input_error`.
run_inputs prepare_run(const run_config& config);

/// What the caller of a run may do while it lasts.
struct run_controls {
  std::filesystem::path rounds_file; ///< empty for none
  /// Called about ten times a second from the calling thread; returning true stops the run.
  std::function<bool(const run_progress&)> watch;
};

struct finished_run {
  run_result result;
  std::vector<worker_series> series;
  double bin_width_s = 0;
  parameter_block average; ///< of the estimates at the end; none with `--model none`
};

/// Runs one policy with actors of `system` in real time and returns when it is over. Never throws for what
/// happens in the run: see `run_result::failed`.
finished_run run_policy(caf::actor_system& system, const run_inputs& inputs, std::size_t policy,
                        const run_controls& controls);

} // namespace dybw
