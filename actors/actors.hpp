#pragma once

#include "learning/consensus/round_machine.hpp"
#include "learning/consensus/round_report.hpp"
#include "learning/consensus/run_statistics.hpp"
#include "learning/model/local_training.hpp"
#include "learning/run_result.hpp"
#include "learning/statistics.hpp"
#include "messages/wire.hpp"

#include <caf/all.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// Every actor interface of the project, and the messages that never leave a process. What crosses machines
/// is in messages/wire.hpp.
///
///     shard ──mini_batch──► worker ──training_job──► trainer pool ──► trainer (own thread)
///                            │  ▲ ◄──training_done──────────────────────┘
///            estimates etc.  ▼  │ snapshot_wanted / snapshot
///                        neighbours  evaluator (own thread) ──evaluation──► reporter (own thread) ◄──
///                        launcher asks
///                            └──round_report, worker_finished──────────────►┘
namespace dybw {

/// The moment a run starts; all times of a run count from it, by the monotonic clock.
using run_origin = std::chrono::steady_clock::time_point;

inline nanoseconds time_since(run_origin origin) {
  return std::chrono::duration_cast<nanoseconds>(std::chrono::steady_clock::now() - origin);
}

// --- Local messages ---

/// Rows of the training data for one gradient.
struct mini_batch {
  std::shared_ptr<const std::vector<std::uint32_t>> rows;
  std::uint64_t epoch = 0; ///< of the worker's own shard
};

/// One trip to a training thread: first mix (if asked), then a step (if asked). One job per worker is under
/// way at a time; it carries its own results back, so nothing is allocated per round. Whoever has it may
/// touch it, but for `step_dropped`.
struct training_job;
struct training_done {
  std::shared_ptr<training_job> job;
};

struct batch_wanted {};
struct trainer_idle {
  std::size_t index = 0;
};
/// A step's injected delay is over (stragglers, --step-time).
struct delay_over {
  std::uint64_t ticket = 0;
};
/// The gathering timeout may be due; see `machine_status::timeout`.
struct gather_timeout_due {
  nanoseconds at{0}; ///< the moment that it was set for
};
struct heartbeat_due {};
/// Finish what is open, say `leaving`, do no further round.
struct stop_work {};
struct status_wanted {};
struct snapshot_wanted {};
struct evaluation_due {};
/// Who has not answered the evaluator's question of this number counts with its last estimate.
struct answers_due {
  std::uint64_t question = 0;
};
struct flush_due {};
struct progress_wanted {};
struct outcome_wanted {};

/// A worker's present estimate w_j; the block is shared, not copied.
struct snapshot {
  worker_id worker{};
  parameter_block parameters;
  std::uint64_t local_steps = 0;
};

/// What a worker is doing: phase, quorum still missing, timeout, and whom it waits for, for which message,
/// since when.
struct worker_status {
  worker_id worker{};
  machine_status machine;
  machine_counters counters;
  nanoseconds now{0}; ///< since the run's start
};

/// A worker's last word.
struct worker_finished {
  worker_totals totals;
  parameter_block parameters; ///< w_j at the end
  std::shared_ptr<const duration_histogram> threshold_delays;
};

/// What the launcher shows while a run lasts.
struct run_progress {
  nanoseconds elapsed{0};
  round_number newest_round = 0;
  std::uint64_t local_steps = 0;
  double loss = 0;
  double backup_workers = 0;
  std::optional<double> accuracy;
  std::uint64_t timeouts = 0;
  std::size_t workers_done = 0;       ///< finished or lost
  std::optional<std::string> failure; ///< why the run cannot go on
  std::string waiting; ///< who waits for whom, for what, how long; empty unless nothing has moved for a while
};

/// All that a run leaves behind.
struct run_outcome {
  run_result result;                   ///< the fields that reports fill
  std::vector<parameter_block> finals; ///< [workers], none for lost ones
  std::vector<worker_series> series;   ///< [workers]
  double bin_width_s = 0;
  std::vector<std::string> violations;
  std::optional<std::string> failure; ///< why the run cannot count as done
};
using run_outcome_ptr = std::shared_ptr<run_outcome>;

// --- Interfaces ---

/// Who can take a finished training job.
using training_client_actor = caf::typed_actor<caf::reacts_to<training_done>>;

struct training_job {
  std::shared_ptr<local_training> local;
  training_client_actor client;
  bool wants_mix = false;
  std::vector<weighted_block> neighbours;
  bool wants_step = false;
  std::atomic<bool> step_dropped =
      false; ///< set by the worker while the job is under way: the step is not wanted
  std::uint64_t ticket = 0;
  mini_batch batch;
  // results:
  local_training::mix_outcome mixed;
  local_training::step_outcome stepped;
  nanoseconds took{0}; ///< the step's computing time
};
using training_job_ptr = std::shared_ptr<training_job>;

/// Runs jobs one after another on a thread of its own.
using trainer_actor = caf::typed_actor<caf::reacts_to<training_job_ptr>>;

/// Gives each job to an idle trainer, in order of arrival.
using trainer_pool_actor = caf::typed_actor<caf::reacts_to<training_job_ptr>, caf::reacts_to<trainer_idle>>;

/// Owns a data shard and hands out mini-batches, one per request, prepared ahead.
using shard_actor = caf::typed_actor<caf::replies_to<batch_wanted>::with<mini_batch>>;

/// Collects what the workers of a process report; nobody needs it for progress.
struct watch_workers;
using reporter_actor = caf::typed_actor<caf::reacts_to<watch_workers>,   // before any worker begins
                                        caf::reacts_to<round_report>,    // a worker did a round
                                        caf::reacts_to<worker_finished>, // a worker's last word
                                        caf::reacts_to<evaluation>,      // the evaluator measured
                                        caf::reacts_to<flush_due>,       // write out what is buffered
                                        caf::replies_to<progress_wanted>::with<run_progress>, //
                                        caf::replies_to<outcome_wanted>::with<run_outcome_ptr>>;

struct meet_neighbours;
struct begin_work {};

/// The shell of a round machine: always responsive, since it neither computes nor blocks. A message from a
/// neighbour is
/// `(sender, body)`.
using worker_actor = caf::typed_actor<
    caf::reacts_to<meet_neighbours>, // before any neighbour begins
    caf::reacts_to<begin_work>,
    // from neighbours, the round protocol (docs/protocol.md):
    caf::reacts_to<worker_id, estimate_message>,  // I am in this round; here are my parameters
    caf::reacts_to<worker_id, accept>,            // your estimate counts on my side
    caf::reacts_to<worker_id, closed>,            // my quorum is met or my timeout over; I accepted so many
    caf::reacts_to<worker_id, threshold_message>, // DTUR: the round closes for everybody
    caf::reacts_to<worker_id, leaving>,           // I am past every round
    caf::reacts_to<worker_id, membership_news>,   // who is up or down
    caf::reacts_to<worker_id, received>,          // your block is here
    caf::reacts_to<worker_id, heartbeat>,         // I am alive
    // from its own helpers and timers:
    caf::reacts_to<mini_batch>, caf::reacts_to<training_done>, caf::reacts_to<delay_over>,
    caf::reacts_to<gather_timeout_due>, // timeout-and-quorum: what is missing by now is not waited for
    caf::reacts_to<heartbeat_due>,
    // from anybody:
    caf::reacts_to<stop_work>, caf::replies_to<snapshot_wanted>::with<snapshot>,
    caf::replies_to<status_wanted>::with<worker_status>>;

/// All workers of the run, by number, and the run's origin.
struct watch_workers {
  std::vector<worker_actor> workers;
  run_origin origin;
};

/// The neighbours' handles, in the order of the graph, and the run's origin.
struct meet_neighbours {
  std::vector<worker_actor> neighbours;
  run_origin origin;
};

/// Measures the average model on the test set now and then, on a thread of its own, within 5 % of the
/// processor time.
using evaluator_actor =
    caf::typed_actor<caf::reacts_to<evaluation_due>, caf::reacts_to<answers_due>, caf::reacts_to<snapshot>>;

} // namespace dybw

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::mini_batch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::training_job_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::training_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::batch_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::trainer_idle)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::delay_over)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::gather_timeout_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::heartbeat_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::stop_work)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::status_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::snapshot_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::evaluation_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::answers_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::flush_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::progress_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::outcome_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::snapshot)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::worker_status)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::worker_finished)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::run_progress)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::run_outcome_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::round_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::evaluation)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::begin_work)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::meet_neighbours)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::watch_workers)
