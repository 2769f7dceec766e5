#pragma once

#include "learning/consensus/coverage_sweep.hpp"
#include "learning/consensus/policies/make_policy.hpp"
#include "learning/consensus/worker_machine.hpp"
#include "learning/data/dataset.hpp"
#include "learning/graph/connecting_edges.hpp"
#include "learning/model/learner_group.hpp"
#include "learning/model/local_training.hpp"
#include "learning/model/model.hpp"
#include "learning/model/parameter_block.hpp"
#include "learning/model/test_bench.hpp"
#include "learning/model/trainer_layout.hpp"
#include "learning/run/run_config.hpp"
#include "learning/straggler/step_time.hpp"
#include "messages/control.hpp"

#include <filesystem>
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

  data_split data; ///< empty with `--model none`, and with `learners`
  std::shared_ptr<const dybw::model> model;
  std::shared_ptr<learner_group> learners;      ///< null: the built-in ones
  std::vector<std::vector<std::uint32_t>> rows; ///< [workers], empty for those of other processes
  std::vector<parameter_block> initial; ///< [workers], none for those of other processes that start elsewhere
};

inline bool has_model(const run_inputs& inputs) {
  return inputs.model->parameter_count() > 0;
}

/// By number.
std::vector<worker_id> all_workers(const run_config& config);

/// Builds and checks all that needs no data; reads topology and connecting-edge files. Throws `input_error`.
run_inputs plan_run(const run_config& config);

/// The same from what a launcher worked out; reads no file. Throws `input_error` (configuration fault) for a
/// spec that contradicts itself, or has a command in it.
run_inputs plan_run(const run_spec& spec);

/// These learn, in place of built-in ones.
void use_learners(run_inputs& inputs, std::shared_ptr<learner_group> learners);

/// How the trainers of this process come to be.
struct trainer_start {
  std::string command;               ///< for a shell; empty: they come by themselves (`run_config::attach`)
  std::vector<worker_id> here;       ///< theirs, ascending
  std::filesystem::path logs;        ///< what they print goes below it; empty: nowhere
  bool append = false;               ///< what earlier processes printed there stays
  std::function<bool()> interrupted; ///< asked while they are waited for; may be empty
};

/// Starts the trainers of a run that has some, and waits until they are ready. Returns of what arrays their
/// model consists. If it was interrupted the inputs are not usable. Throws as `trainer_group`.
std::vector<trainer_array> start_trainers(run_inputs& inputs, trainer_start how);

/// Loads the data, unless they are there, and prepares the workers for which `lives_here`. Throws
/// `input_error`. REQUIRES: no other learners.
void load_inputs(run_inputs& inputs, const std::function<bool(worker_id)>& lives_here);

/// Plans and loads a run of which every worker lives here. Throws `input_error`.
run_inputs prepare_run(const run_config& config);

/// What the round machines of all workers share under one of the policies.
machine_options machine_options_for(const run_inputs& inputs, std::size_t policy);

/// Of how many gradient steps the workers' steps are made.
stride_rule strides_of(const run_config& config);

/// What the training of these workers shares. REQUIRES: a loaded run with a model.
std::shared_ptr<const training_setup> training_setup_for(const run_inputs& inputs,
                                                         std::span<const worker_id> here);

/// What measures estimates of this run; `crew`, if given, outlives it. REQUIRES: a loaded run with a model.
test_bench make_bench(const run_inputs& inputs, work_crew* crew = nullptr);

/// w_j(0) of one worker. REQUIRES: a loaded run with a model.
parameter_block starting_point(const run_inputs& inputs, worker_id id);

} // namespace dybw
