#pragma once

#include "actors/local_messages.hpp"
#include "learning/coding/block_coder.hpp"
#include "learning/model/local_training.hpp"
#include "messages/frame.hpp"

#include <caf/all.hpp>

#include <atomic>

/// Every actor interface of the project. Messages that never leave a process are in local_messages.hpp, those
/// between machines in messages/.
///
///     shard ──mini_batch──► worker ──training_job──► trainer pool ──► trainer (own thread)
///                            │  ▲ ◄──training_done──────────────────────┘
///            estimates etc.  ▼  │ snapshot_wanted / snapshot
///                        neighbours  evaluator (own thread) ──evaluation──► reporter (own thread) ◄──
///                        launcher asks
///                            └──round_report, worker_finished──────────────►┘
namespace dybw {

// --- Workers and their helpers ---

/// Who can take a finished training job.
using training_client_actor = caf::typed_actor<caf::reacts_to<training_done>>;

/// One trip to a training thread: first mix (if asked), then a step (if asked). One job per worker is under
/// way at a time; it carries its own results back, so nothing is allocated per round. Whoever has it may
/// touch it, but for `step_dropped`.
struct training_job {
  std::shared_ptr<local_training> local;
  training_client_actor client;
  bool wants_mix = false;
  bool wants_state = false; ///< the learner's, as of after the mix
  std::vector<weighted_block> neighbours;
  std::uint64_t generation = 0;       ///< of the mix
  std::shared_ptr<block_coder> coder; ///< null: estimates are not coded
  bool wants_step = false;
  parameter_block from; ///< pairwise averaging: where the step begins; otherwise none
  std::atomic<bool> step_dropped =
      false; ///< set by the worker while the job is under way: the step is not wanted
  std::uint64_t ticket = 0;
  round_number completed = 0;      ///< before the step
  std::uint32_t steps = 1;         ///< gradient steps ..
  std::vector<mini_batch> batches; ///< .. and their rows; none for learners with their own data
  std::vector<std::span<const std::uint32_t>> rows; ///< [steps]: the same, as a learner takes them
  double gradients = 1;                             ///< that are computed, more than steps by stragglers
  std::vector<parameter_block> bases;               ///< from which what it comes to is to be coded, each once
  // results:
  local_training::mix_outcome mixed;
  parameter_block velocity;
  parameter_block outer;
  parameter_block correction;
  std::uint64_t correction_generation = 0;
  std::vector<char> saved;
  local_training::step_outcome stepped;
  std::vector<block_coder::coded> coded; ///< [bases]
  std::string maker;                     ///< whose work the step was, see `local_learner`
  std::string failure;                   ///< of the learner, which can do no more; empty: none
  nanoseconds took{0};                   ///< the step's computing time
  nanoseconds cpu{0};                    ///< .. of the processor, or the same where another process computes
  run_origin mix_began;                  ///< a moment of the monotonic clock
  run_origin mix_ended;
};
using training_job_ptr = std::shared_ptr<training_job>;

/// Runs jobs one after another on a thread of its own.
using trainer_actor = caf::typed_actor<caf::reacts_to<training_job_ptr>>;

/// Gives each job to an idle trainer, in order of arrival.
using trainer_pool_actor = caf::typed_actor<caf::reacts_to<training_job_ptr>, caf::reacts_to<trainer_idle>>;

/// Owns a data shard and hands out mini-batches, one per request, prepared ahead.
using shard_actor = caf::typed_actor<caf::replies_to<batch_wanted>::with<mini_batch>>;

/// Who can be asked for a worker's estimate and told to stop: the worker itself, or a remote_worker in its
/// place for another node.
using estimate_source_actor =
    caf::typed_actor<caf::reacts_to<stop_work>, caf::replies_to<snapshot_wanted>::with<snapshot>>;

/// Who wants to know what the evaluator measures.
using evaluation_sink_actor = caf::typed_actor<caf::reacts_to<evaluation>>;

/// Who ends the run when the average model is good enough.
using target_listener_actor = caf::typed_actor<caf::reacts_to<target_reached>>;

/// Who waits for a checkpoint to be written.
using checkpoint_client_actor = caf::typed_actor<caf::reacts_to<checkpoint_handled>>;

struct save_checkpoint {
  std::shared_ptr<const checkpoint> state;
  checkpoint_client_actor client;
};

/// Writes checkpoints, one after another, so that an interrupted write never costs the one before.
using checkpointer_actor =
    caf::typed_actor<caf::reacts_to<save_checkpoint>, caf::reacts_to<end_of_checkpoints>,
                     caf::replies_to<checkpoints_wanted>::with<checkpoints_status>>;

/// Who gets what the reporter of a node passes on.
using report_sink_actor = caf::typed_actor<caf::reacts_to<local_reports_ptr>, caf::reacts_to<part_changed>>;

struct watch_workers;
/// Collects what workers report, those of this process or of many nodes; nobody needs it for progress.
using reporter_actor =
    caf::typed_actor<caf::reacts_to<watch_workers>,   // before any worker begins
                     caf::reacts_to<round_report>,    // a worker did a round
                     caf::reacts_to<recorded_events>, // what happened to it, if the run is recorded
                     caf::reacts_to<worker_failed>,   // it will say its last word early
                     caf::reacts_to<worker_finished>, // a worker's last word
                     caf::reacts_to<evaluation>,      // the evaluator measured
                     caf::reacts_to<workers_gone>, caf::reacts_to<workers_back>, caf::reacts_to<part_changed>,
                     caf::reacts_to<flush_due>,                            // write out what is buffered
                     caf::reacts_to<pass_on_due>,                          // to the sink
                     caf::replies_to<progress_wanted>::with<run_progress>, //
                     caf::replies_to<outcome_wanted>::with<run_outcome_ptr>,
                     caf::replies_to<metrics_wanted>::with<process_metrics_ptr>>;

// --- Between processes: the gateway ---

/// Messages between workers of different nodes, in order, so that many wake a thread once. To the links: all
/// that one event made a worker say. To a worker: what came for it at once.
struct peer_mail {
  std::vector<peer_message> messages;
};

/// Calls `read(from, body)` for each message.
template <class Read>
void for_each_message(const peer_mail& mail, Read read) {
  for (const auto& m : mail.messages)
    std::visit([&](const auto& body) { read(m.from, body); }, m.body);
}

/// Takes what the workers here say to workers of other nodes. Bodies and their order are those of a local
/// send.
using link_actor = caf::typed_actor<caf::reacts_to<peer_mail>>;

struct open_control;

/// Who asks or answers over control connections.
using control_client_actor =
    caf::typed_actor<caf::reacts_to<control_opened>, caf::reacts_to<control_failed>,
                     caf::reacts_to<control_received>, caf::reacts_to<control_closed>>;

/// Connect to a node within `patience`, hello included. Answered to the client by `control_opened` or
/// `control_failed`, always with this key.
struct open_control {
  std::uint64_t key = 0;
  endpoint to;
  control_client_actor client;
  nanoseconds patience{std::chrono::seconds{5}};
};

using link_listener_actor = caf::typed_actor<caf::reacts_to<link_changed>>;

/// From now on this gateway keeps a link to every node of the run that shares an edge with this one: the node
/// of lower number dials, again and again until `leave_run`. One run at a time: joining one leaves the one
/// before. Links of other runs are turned away, after waiting two seconds for their run.
struct join_run;

/// The process's door to others (CAF's io layer): listens, dials, says hello, frames, checks, counts.
using gateway_actor =
    link_actor::extend<caf::reacts_to<open_control>, caf::reacts_to<send_control>,
                       caf::reacts_to<close_control>, caf::reacts_to<join_run>, caf::reacts_to<leave_run>,
                       caf::reacts_to<node_moved>, caf::replies_to<traffic_wanted>::with<traffic>,
                       caf::replies_to<backlog_wanted>::with<backlog>>;

/// A client of all nodes of one run: launches it or only follows it. Passes what the nodes report on to a
/// reporter, reconnects to nodes that come back.
using run_client_actor = control_client_actor::extend<
    caf::reacts_to<run_client_tick>, caf::reacts_to<stop_work>, caf::reacts_to<release_run>,
    caf::reacts_to<node_moved>, // a restarted node, from the node that follows
    caf::replies_to<cluster_status_wanted>::with<cluster_status>,
    caf::replies_to<worker_id, snapshot_wanted>::with<snapshot>,
    caf::replies_to<result_wanted>::with<std::shared_ptr<const result_reply>>>; // the leading node's, ready
                                                                                // or not

struct meet_neighbours;

/// The shell of a round machine: always responsive, since it neither computes for long nor blocks. A message
/// from a neighbour in the same process is `(sender, body)`.
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
    caf::reacts_to<worker_id, offer_message>,     // let us average
    caf::reacts_to<worker_id, answer_message>,    // I have
    caf::reacts_to<peer_mail>,                    // any of these, from other nodes
    caf::reacts_to<link_broken>,                  // from the gateway
    // from its own helpers and timers:
    caf::reacts_to<mini_batch>, caf::reacts_to<training_done>, caf::reacts_to<delay_over>,
    caf::reacts_to<gather_timeout_due>, // timeout-and-quorum: what is missing by now is not waited for
    caf::reacts_to<heartbeat_due>, caf::reacts_to<checkpoint_due>, caf::reacts_to<checkpoint_handled>,
    // from anybody:
    caf::reacts_to<stop_work>, caf::replies_to<snapshot_wanted>::with<snapshot>,
    caf::replies_to<status_wanted>::with<worker_status>,
    caf::replies_to<welcome_wanted>::with<welcome_reply>>;

/// All workers of the run, by number, null for those of other processes, and the run's origin.
struct watch_workers {
  std::vector<worker_actor> workers;
  run_origin origin;
};

/// The neighbours' handles, in the order of the graph, null for those of other nodes, which `links` reaches;
/// and the run's origin, if it is known already.
struct meet_neighbours {
  std::vector<worker_actor> neighbours;
  std::optional<run_origin> origin;
  link_actor links;
};

struct join_run {
  run_id run = 0;
  node_index self{};
  std::vector<endpoint> nodes;
  std::vector<node_index> placement; ///< [workers]
  std::shared_ptr<const topology> graph;
  std::uint64_t parameters = 0;      ///< the size of every block
  std::vector<worker_actor> workers; ///< [workers], null for those of other nodes
  nanoseconds suspect_after{std::chrono::seconds{3}};
  link_listener_actor listener;
  block_format send = block_format::float32;
};

/// Measures the average model on the test set now and then, on a thread of its own, within 5 % of the
/// processor time.
using evaluator_actor =
    caf::typed_actor<caf::reacts_to<evaluation_due>, caf::reacts_to<answers_due>, caf::reacts_to<snapshot>>;

// --- Monitors ---

/// Puts together the picture of a live run and shows the newest to whoever asks. Nobody needs it for
/// progress.
using monitor_actor =
    caf::typed_actor<caf::reacts_to<monitor_tick>, caf::replies_to<view_wanted>::with<run_view_ptr>>;

/// One that is attached to a node and finds the others from there.
using node_monitor_actor = monitor_actor::extend_with<control_client_actor>;

/// A run of this process began: it is to be watched through its reporter, until that ends.
struct watch_run {
  watch_plan plan;
  reporter_actor reports;
};

using local_monitor_actor = monitor_actor::extend<caf::reacts_to<watch_run>>;

// --- A node ---

/// The node's own gateway is open; from the one who opened it, once.
struct gateway_opened {
  gateway_actor gateway;
  endpoint advertised;
};

using node_request_client_actor = caf::typed_actor<caf::reacts_to<node_request_done>>;
/// Says something to another node and waits for the answers.
using node_request_actor = control_client_actor::extend<caf::reacts_to<node_request_timer>>;

struct preparation;
struct measurement;
using run_loader_client_actor = caf::typed_actor<caf::reacts_to<run_prepared>>;
/// Reads what a run needs, one run at a time.
using run_loader_actor = caf::typed_actor<caf::reacts_to<std::shared_ptr<const preparation>>,
                                          caf::replies_to<run_discarded>::with<run_is_gone>>;
/// Keeps the conversations with learners that take long from the node.
using learner_states_actor = caf::typed_actor<caf::replies_to<learner_state_wanted>::with<learner_state>,
                                              caf::replies_to<learner_state>::with<learner_state_taken>>;
using run_measurer_client_actor = caf::typed_actor<caf::reacts_to<run_measured>>;
/// Measures and writes the end of a run.
using run_measurer_actor =
    caf::typed_actor<caf::reacts_to<std::shared_ptr<const measurement>>, caf::reacts_to<run_standing>>;

/// Offers this process to runs: serves one at a time, answers clients, outlives its runs. `stop_work`: its
/// workers end, what was measured is written, then its standing is "left". Never blocks.
using node_actor = control_client_actor::extend<
    caf::reacts_to<gateway_opened>, caf::reacts_to<link_changed>, caf::reacts_to<stop_work>,
    caf::replies_to<node_standing_wanted>::with<node_standing>,
    // from its own helpers and timers:
    caf::reacts_to<run_prepared>, caf::reacts_to<run_measured>, caf::reacts_to<node_request_done>,
    caf::reacts_to<local_reports_ptr>, caf::reacts_to<part_changed>, caf::reacts_to<evaluation>,
    caf::reacts_to<target_reached>, caf::reacts_to<node_tick>>;

/// Those of them that stay in a process as well (see `local_message`).
template <class T>
concept local_message_with_actors =
    one_of<T, training_job_ptr, peer_mail, save_checkpoint, round_report, evaluation, meet_neighbours,
           watch_workers, open_control, join_run, node_moved, welcome_reply,
           std::shared_ptr<const result_reply>, gateway_opened, std::shared_ptr<const preparation>,
           std::shared_ptr<const measurement>, watch_run>;

} // namespace dybw

template <dybw::local_message_with_actors T>
struct caf::allowed_unsafe_message_type<T> : std::true_type {};
