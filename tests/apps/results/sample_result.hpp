#pragma once

#include "learning/run/run_result.hpp"

namespace dybw {

/// A run with every field set to something that can be told apart.
inline run_result sample_result(const std::string& policy) {
  run_result run;
  run.policy = policy;
  run.workers = 2;
  run.edges = 1;
  run.topology = "ring";
  run.dataset = "digits";
  run.partition = "iid";
  run.model = "softmax";
  run.parameters = 7850;
  run.seed = 1;
  run.rounds = 300;
  run.local_steps = 600;
  run.duration_s = 24;
  run.mean_round_s = 0.08;
  run.time_to_target_s = 24.5;
  run.test_accuracy = 0.881;
  run.test_loss = 0.412;
  run.worst_worker_accuracy = 0.872;
  run.consensus_distance = 0.5;
  run.useful_gradient_rate = 25;
  run.no_wait_rate = 62.5;
  run.compute_share = 0.4;
  run.mean_backup_workers = 0.25;
  run.mean_active_share = 0.9;
  run.host_cpu_s = 3;
  run.eval_cpu_s = 0.1;
  run.mixing.rounds_audited = 299;
  run.mixing.rounds_unaudited = 1;
  run.per_worker = {
      {worker_at(0), 300, 300, 6, 0, 18, 0.02, 0.25, 0.88, 0.41},
      {worker_at(1), 300, 300, 24, 0, 0.5, 0.08, 0.25, 0.872, 0.43},
  };
  run.per_edge = {{make_edge(worker_at(0), worker_at(1)), 0.9}};
  run.evaluations = {{0.5, 10, 0.3, 2.1, 0.2, 0.01}};
  return run;
}

} // namespace dybw
