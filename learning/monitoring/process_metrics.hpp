#pragma once

#include "learning/consensus/reports/run_statistics.hpp"
#include "learning/consensus/worker_machine.hpp"
#include "learning/monitoring/sketch.hpp"
#include "learning/run/run_result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What a process tells monitors about its part of a run. Counters count from the run's start (for a worker
/// that was restarted, from its own): who asks twice knows the rates between, so nobody has to remember who
/// asked, and an answer that is lost or late costs nothing.
namespace dybw {

/// A wait of a worker, see `wait_cause`.
struct wait_metrics {
  worker_id neighbour{};
  wait_cause::kind what = wait_cause::kind::estimate;
  nanoseconds waited{0};
};

struct worker_metrics {
  worker_id worker{};
  bool done = false;           ///< has said its last word
  bool lost = false;           ///< ended by an error
  std::uint64_t rounds = 0;    ///< joined
  std::uint64_t gradients = 0; ///< gradient steps in these
  std::uint64_t timeouts = 0;
  std::uint64_t backup_workers = 0; ///< sum over the rounds
  double loss = 0;                  ///< sum over the rounds of the mini-batch loss
  nanoseconds compute{0};           ///< of steps that were used
  nanoseconds wait{0};
  // As it says itself, now; left as they are if it gives no answer:
  bool answers = false;
  std::uint64_t local_steps = 0;
  std::uint64_t estimates_late = 0;
  enum phase phase = phase::idle;
  nanoseconds in_phase{0};
  round_number round = 0;                ///< in progress, or the last completed while computing
  std::optional<nanoseconds> timeout_in; ///< gathering: until it gives up
  std::uint32_t component = 0;           ///< workers in its part of the network
  worker_id lowest{};                    ///< the lowest-numbered of them
  std::vector<wait_metrics> waits;
  std::string maker; ///< the process that makes its steps; empty: its own
};

/// Counted at the end of the lower number, so once.
struct edge_metrics {
  edge link;
  std::uint64_t committed = 0;
};

struct process_metrics {
  nanoseconds elapsed{0};                      ///< since the run's start
  std::vector<worker_metrics> workers;         ///< that live here, ascending
  std::vector<edge_metrics> edges;             ///< whose lower end lives here
  std::optional<sketch_sums> sketch;           ///< of the estimates here; if asked for
  std::optional<evaluation> newest_evaluation; ///< by the evaluator, where there is one
  std::string failure;                         ///< why the run cannot go on; empty: it can
  double cpu_s = 0;                            ///< processor time of the process in this run
  std::uint64_t peak_rss_bytes = 0;
  std::uint64_t link_bytes_sent = 0;
  std::uint64_t eval_bytes_sent = 0;
  std::uint64_t connections_refused = 0;
  bool leads = false;
};

/// The counters of a worker, from its reports.
worker_metrics counters_of(const run_statistics& statistics, worker_id id);

/// Adds what the worker itself says at `now`, since the run's start.
void note_status(worker_metrics& x, const machine_status& status, const machine_counters& counters,
                 nanoseconds now);

} // namespace dybw
