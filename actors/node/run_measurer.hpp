#pragma once

#include "actors/node/node_options.hpp"

namespace dybw {

/// A run that is over, to be measured by the node that leads.
struct measurement {
  run_spec spec;
  std::shared_ptr<const run_inputs> inputs;
  std::vector<worker_actor> here; ///< [workers], null for those of other nodes
  run_client_actor client;        ///< reaches the others
  reporter_actor reports;
  run_result known;   ///< interrupted, failed; nodes and what the run cost
  bool hurry = false; ///< the node is to end: no time for the whole test set
};

struct run_measurer_state {
  static inline const char* name = "run_measurer";
  run_id newest_measured = 0; ///< its standing may come late
};

/// Collects the last estimates of runs, measures them and writes the end, by `node_writer::write`, and how
/// they stand before, by `renew`: that takes long, and blocks. Knows nothing of the state of the node; tells
/// it what came of each, which is its failure if measuring throws. Spawn with `caf::detached`.
run_measurer_actor::behavior_type run_measurer(run_measurer_actor::stateful_pointer<run_measurer_state> self,
                                               const run_measurer_client_actor& node,
                                               const node_writer& files);

} // namespace dybw
