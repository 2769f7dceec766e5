#pragma once

#include "learning/consensus/coverage_sweep.hpp"
#include "learning/consensus/policies/make_policy.hpp"
#include "learning/consensus/worker_machine.hpp"
#include "learning/data/dataset.hpp"
#include "learning/graph/connecting_edges.hpp"
#include "learning/model/local_training.hpp"
#include "learning/model/model.hpp"
#include "learning/model/parameter_block.hpp"
#include "learning/run/run_config.hpp"
#include "messages/control.hpp"

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace dybw {

/// What all policies of one invocation share: prepared once, so that they are compared on the same data,
/// graph, partition and starting point. Two steps: the plan needs no data, so that who only launches runs
/// elsewhere can check it; then data is loaded for the workers that live in this process.
struct run_inputs {
  run_config config;
  std::shared_ptr<const topology> graph;
  std::shared_ptr<const connect_spec> connect; ///< null: the tree
  coverage_sweep::edge_set connecting;         ///< null unless a policy closes by threshold
  std::vector<policy_spec> policies;

  data_split data; ///< empty with `--model none`
  std::shared_ptr<const model> learner;
  std::vector<std::vector<std::uint32_t>> rows; ///< [workers], empty for those of other processes
  std::vector<parameter_block> initial; ///< [workers], none for those of other processes that start elsewhere
};

inline bool has_model(const run_inputs& inputs) {
  return inputs.learner->parameter_count() > 0;
}

/// By number.
std::vector<worker_id> all_workers(const run_config& config);

/// Builds and checks all that needs no data; reads topology and connecting-edge files. Throws `input_error`.
run_inputs plan_run(const run_config& config);

/// The same from what a launcher worked out; reads no file. Throws `input_error` (configuration fault) for a
/// spec that contradicts itself.
run_inputs plan_run(const run_spec& spec);

/// Loads the data and prepares the workers for which `lives_here`. Throws `input_error`.
void load_inputs(run_inputs& inputs, const std::function<bool(worker_id)>& lives_here);

/// Plans and loads a run of which every worker lives here. Throws `input_error`.
run_inputs prepare_run(const run_config& config);

/// What the round machines of all workers share under one of the policies.
machine_options machine_options_for(const run_inputs& inputs, std::size_t policy);

/// What the training of these workers shares. REQUIRES: a loaded run with a model.
std::shared_ptr<const training_setup> training_setup_for(const run_inputs& inputs,
                                                         std::span<const worker_id> here);

/// w_j(0) of one worker. REQUIRES: a loaded run with a model.
parameter_block starting_point(const run_inputs& inputs, worker_id id);

} // namespace dybw
