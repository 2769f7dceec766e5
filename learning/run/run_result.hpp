#pragma once

#include "learning/base/types.hpp"
#include "learning/data/dataset.hpp"
#include "learning/model/evaluation.hpp"
#include "learning/model/parameter_layout.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dybw {

/// How far the witness may be off in the audit, in units of the root of the sum of the squared norms of all
/// that is added up. Rounding float32 explains 2 to 3e-8, whatever the number of workers and neighbours.
constexpr double projection_error_max = 5e-7;

/// What the audit found over a run; see docs/protocol.md, "The audit". An error is infinite where what was
/// compared is not finite.
struct mixing_summary {
  std::uint64_t rounds_audited = 0;
  std::uint64_t rounds_unaudited = 0; ///< at most the last few of a run without losses
  double max_row_error = 0;           ///< max over rounds and rows of |sum of the row of P(k) - 1|
  double max_column_error = 0;
  /// Over rounds: |sum of projections after - before mixing| / root of the sum of (1 + terms) x norm^2.
  /// Likewise of the corrections.
  double max_projection_error = 0;
  std::uint64_t one_sided_edges = 0; ///< violations
  std::uint64_t edges_lost = 0;      ///< one-sided because an end departed in that round; no violation
  std::uint64_t connect_rounds_max =
      0;                            ///< longest stretch of rounds until the committed edges joined everybody
  std::optional<double> mean_drift; ///< consensus-only runs: |mean - mean at start| / |mean at start|

  /// Nothing violated: no one-sided edge, row, column errors at most 1e-9, projection error at most
  /// `projection_error_max`.
  bool clean() const noexcept {
    return one_sided_edges == 0 && max_row_error <= 1e-9 && max_column_error <= 1e-9 &&
           max_projection_error <= projection_error_max;
  }
};

/// Totals of one worker.
struct worker_summary {
  worker_id id{};
  std::uint64_t rounds = 0;      ///< joined
  std::uint64_t local_steps = 0; ///< gradient steps used
  double compute_s =
      0; ///< steps that were used: gradients and injected delays, without queueing for a thread
  double discarded_s = 0; ///< steps that were dropped
  double wait_s = 0;
  double mean_step_s = 0;
  double mean_backup_workers = 0;
  std::optional<double> test_accuracy; ///< at the end; none for who was not scored, or without a model
  std::optional<double> test_loss;
  std::string failure{}; ///< why it ended before the others; empty: it did not
};

/// Share of the audited rounds in which an edge was committed.
struct edge_activity {
  edge link;
  double active_share = 0;
};

/// A node of a run on several.
struct run_node {
  std::string address;
  std::vector<std::uint32_t> workers; ///< that live there
  bool lost = false;                  ///< could not be reached at the end
  std::string left{};                 ///< why it left before the end, by itself; empty: it did not
};

/// What a run had done before it went on from checkpoints.
struct resumed_part {
  round_number round = 0; ///< that every worker had completed
  double duration_s = 0;
};

/// One run of one policy: the RUN of `run.json`, fields by the same names (docs: "What a run writes"), in SI
/// units.
struct run_result {
  std::string policy;
  std::size_t workers = 0;
  std::size_t edges = 0;
  std::string topology;
  std::string dataset;
  data_summary data; ///< what was read; zeros for `--model none`
  std::string partition;
  std::string model;
  std::string trainer; ///< command of the processes that trained, or the socket they came to; empty: none
  std::uint64_t parameters = 0;
  parameter_layout model_layout; ///< of `model.npy`; empty for `--model none`
  std::uint64_t seed = 0;
  std::string clock = "real";
  std::uint64_t rounds = 0; ///< the largest completed
  std::uint64_t local_steps = 0;
  double duration_s = 0;
  double mean_round_s = 0; ///< duration / rounds
  /// Set if the run went on from checkpoints: all but `rounds` is of the part since then.
  std::optional<resumed_part> resumed;
  std::optional<double> time_to_target_s;
  std::optional<double> test_accuracy; ///< of the average model; none for `--model none`
  std::optional<double> test_loss;
  std::vector<named_score> scores;             ///< of the average model, by a trainer; empty without trainers
  std::optional<double> worst_worker_accuracy; ///< on the whole test set, like the average's
  std::uint32_t scored_workers = 0;            ///< .. of so many: all that were there, or those drawn
  double consensus_distance = 0;
  double useful_gradient_rate = 0; ///< gradient steps used per second, all workers
  double no_wait_rate =
      0; ///< sum over workers of 1 / mean step time: if nobody waited for neighbours or threads
  double compute_share = 0; ///< computing time / (workers * duration)
  double mean_backup_workers = 0;
  double mean_active_share = 0; ///< mean over rounds of committed edges / edges
  std::uint64_t timeouts = 0;
  std::uint64_t estimates_sent = 0;
  std::uint64_t estimates_late = 0;
  std::uint64_t steps_discarded = 0;
  std::uint64_t coverage_sweeps = 0; ///< DTUR: completed, by the worker that knows of most
  std::uint64_t samples = 0;         ///< training samples whose gradients were used
  std::uint64_t bytes_sent =
      0; ///< parameters handed to neighbours, as bytes; in one process they are shared, not copied
  std::uint64_t link_bytes_sent = 0; ///< on links between nodes, as written; 0 on one host
  std::uint64_t eval_bytes_sent = 0; ///< between nodes for evaluation and the final collection; 0 on one host
  double host_cpu_s = 0;             ///< of all nodes
  double eval_cpu_s = 0;
  std::uint64_t peak_rss_bytes = 0;
  double threshold_delay_p99_s =
      0; ///< from a worker's receiving a `threshold` to passing it on, 99th percentile
  double threshold_delay_max_s = 0;
  mixing_summary mixing;
  std::vector<std::uint32_t> workers_lost;
  std::vector<run_node> nodes;          ///< empty on one host
  std::vector<std::string> not_written; ///< files that are missing or end early, each with the reason
  bool interrupted = false;
  bool failed = false; ///< the run did not end as asked; `failure` says why
  std::string failure;

  std::vector<worker_summary> per_worker;
  std::vector<edge_activity> per_edge;
  std::vector<evaluation> evaluations;
};

} // namespace dybw
