#pragma once

#include "actors/run/finished_run.hpp"
#include "actors/run/run_controls.hpp"
#include "actors/run/run_inputs.hpp"

#include <caf/actor_system.hpp>

#include <functional>
#include <optional>
#include <span>

namespace dybw {

/// What all policies of one invocation share that run on the same nodes.
struct cluster_plan {
  run_inputs inputs; ///< planned; data is loaded where the workers live
  std::vector<endpoint> nodes;
  std::vector<node_index> placement; ///< [workers]
  std::string name;                  ///< of the directories below each node's --out
  std::string resume;                ///< see `run_spec`
  std::string tls_words;             ///< what commands in messages need to reach a node; empty without TLS
  std::vector<std::string> options;  ///< likewise
};

/// Asks the nodes whether they are there and free, plans the run and places the workers. Throws
/// `input_error`: network fault for a node that cannot be reached or is busy, configuration fault if two of
/// them are the same, there are fewer slots than workers, or the options contradict each other. Nothing if
/// `interrupted` said so. `tls_words`: see `cluster_plan`.
std::optional<cluster_plan> plan_on_nodes(caf::actor_system& system, const gateway_actor& gateway,
                                          const run_config& config, std::span<const endpoint> nodes,
                                          const std::string& name, const std::function<bool()>& interrupted,
                                          const std::string& tls_words = {});

/// What one policy is run as: `name` gets the policy behind it if there are several.
std::string name_of_run(const cluster_plan& plan, std::size_t policy);

/// How a run on nodes ended, for who launched it.
struct cluster_end {
  finished_run run;
  int exit_code = 0;  ///< of `run.result.failed`: 1 to 4
  bool began = false; ///< otherwise nothing was measured; `run.result` says why, unless it was interrupted
};

/// What may be done while a run on nodes lasts. `watch` is also called before it begins: `waiting` then says
/// for which node.
struct cluster_controls : run_controls {
  bool detach = false; ///< return as soon as the run has begun; the nodes go on
};

/// Runs one policy on the nodes and returns when it is over. The nodes measure, this process adds up and
/// audits what they report, as for a run on one host. Never throws for what happens in the run.
cluster_end run_policy_on_nodes(caf::actor_system& system, const gateway_actor& gateway,
                                const cluster_plan& plan, std::size_t policy,
                                const cluster_controls& controls);

} // namespace dybw
