#pragma once

#include "learning/base/statistics.hpp"
#include "learning/checkpoint/checkpoint.hpp"
#include "learning/consensus/reports/round_report.hpp"
#include "learning/consensus/reports/run_statistics.hpp"
#include "learning/consensus/worker_machine.hpp"
#include "learning/model/local_training.hpp"
#include "learning/monitoring/run_watch.hpp"
#include "learning/run/run_result.hpp"
#include "messages/control.hpp"
#include "messages/wire.hpp"

#include <caf/all.hpp>

#include <atomic>
#include <chrono>
#include <map>
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
/// Keep the state after the next mixing.
struct checkpoint_due {};
/// A checkpoint is on the disk, or could not be written; the next one may come.
struct checkpoint_handled {};
struct checkpoints_wanted {};
/// No more will come.
struct end_of_checkpoints {};
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
/// How do the workers here stand? For monitors.
struct metrics_wanted {
  bool sketch = false; ///< of their estimates, too, if it is time for one
};
using process_metrics_ptr = std::shared_ptr<const process_metrics>;
struct view_wanted {};
using run_view_ptr = std::shared_ptr<const run_view>;
struct monitor_tick {};

/// A worker's present estimate w_j; the block is shared, not copied. Without parameters from a remote_worker
/// whose worker cannot be reached.
struct snapshot {
  worker_id worker{};
  parameter_block parameters;
  std::uint64_t local_steps = 0;
};

/// Lines of a run's event log (learning/consensus/record/event_text.hpp), of one worker in order.
struct recorded_events {
  std::string lines;
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
  exchange_news exchanges;
};

/// What the launcher shows while a run lasts.
struct run_progress {
  bool begun = true; ///< otherwise `elapsed` counts from when somebody began to wait for the nodes
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
  bool wants_velocity = false; ///< as of after the mix
  std::vector<weighted_block> neighbours;
  bool wants_step = false;
  parameter_block from; ///< pairwise averaging: where the step begins; otherwise none
  std::atomic<bool> step_dropped =
      false; ///< set by the worker while the job is under way: the step is not wanted
  std::uint64_t ticket = 0;
  mini_batch batch;
  // results:
  local_training::mix_outcome mixed;
  parameter_block velocity;
  local_training::step_outcome stepped;
  nanoseconds took{0};  ///< the step's computing time
  run_origin mix_began; ///< a moment of the monotonic clock
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
struct target_reached {};
using target_listener_actor = caf::typed_actor<caf::reacts_to<target_reached>>;

/// Who waits for a checkpoint to be written.
using checkpoint_client_actor = caf::typed_actor<caf::reacts_to<checkpoint_handled>>;

struct save_checkpoint {
  std::shared_ptr<const checkpoint> state;
  checkpoint_client_actor client;
};

/// What became of the checkpoints that came before the question.
struct checkpoints_status {
  std::uint64_t written = 0;
  std::string failure; ///< of the newest attempt; empty: it is on the disk
};

/// Writes checkpoints, one after another, so that an interrupted write never costs the one before.
using checkpointer_actor =
    caf::typed_actor<caf::reacts_to<save_checkpoint>, caf::reacts_to<end_of_checkpoints>,
                     caf::replies_to<checkpoints_wanted>::with<checkpoints_status>>;

/// Workers of a node that cannot be reached any more, or that can be again (its process was restarted, hung,
/// or the network came back).
struct workers_gone {
  std::vector<worker_id> workers;
  std::string reason;
};
struct workers_back {
  std::vector<worker_id> workers;
};

/// How large a worker's part of the network is now, as far as it knows, and the lowest number in it.
struct part_changed {
  worker_id worker{};
  std::size_t component = 0;
  worker_id lowest{};
};

/// What the reporter of a node passes on, ten times a second, also when there is nothing to tell.
struct local_reports {
  std::vector<round_report> rounds;
  std::vector<worker_end> finished;
  std::vector<worker_id> lost;      ///< ended by an error; all of them so far
  std::uint64_t rounds_dropped = 0; ///< so far: there were more at once than are passed on
  run_progress progress;
};
using local_reports_ptr = std::shared_ptr<local_reports>;
using report_sink_actor = caf::typed_actor<caf::reacts_to<local_reports_ptr>, caf::reacts_to<part_changed>>;
struct pass_on_due {};

/// Collects what workers report, those of this process or of many nodes; nobody needs it for progress.
struct watch_workers;
using reporter_actor =
    caf::typed_actor<caf::reacts_to<watch_workers>,   // before any worker begins
                     caf::reacts_to<round_report>,    // a worker did a round
                     caf::reacts_to<recorded_events>, // what happened to it, if the run is recorded
                     caf::reacts_to<worker_finished>, // a worker's last word
                     caf::reacts_to<evaluation>,      // the evaluator measured
                     caf::reacts_to<workers_gone>, caf::reacts_to<workers_back>, caf::reacts_to<part_changed>,
                     caf::reacts_to<flush_due>,                            // write out what is buffered
                     caf::reacts_to<pass_on_due>,                          // to the sink
                     caf::replies_to<progress_wanted>::with<run_progress>, //
                     caf::replies_to<outcome_wanted>::with<run_outcome_ptr>,
                     caf::replies_to<metrics_wanted>::with<process_metrics_ptr>>;

// --- Between processes: the gateway ---

/// Takes what the workers here say to workers of other nodes: `(from, to, body)`. Bodies and their order are
/// those of a local send.
using link_actor = caf::typed_actor<
    caf::reacts_to<worker_id, worker_id, estimate_message>, caf::reacts_to<worker_id, worker_id, accept>,
    caf::reacts_to<worker_id, worker_id, closed>, caf::reacts_to<worker_id, worker_id, threshold_message>,
    caf::reacts_to<worker_id, worker_id, leaving>, caf::reacts_to<worker_id, worker_id, membership_news>,
    caf::reacts_to<worker_id, worker_id, received>, caf::reacts_to<worker_id, worker_id, heartbeat>,
    caf::reacts_to<worker_id, worker_id, offer_message>,
    caf::reacts_to<worker_id, worker_id, answer_message>>;

/// The link to this neighbour broke: what was under way on it is lost. The next sign of life is on a new one.
struct link_broken {
  worker_id neighbour{};
};

/// One control connection of a gateway, from `open_control` or accepted.
enum class connection_id : std::uint64_t {};

struct open_control;
/// The connection asked for with this key is there, and the other side speaks our version.
struct control_opened {
  std::uint64_t key = 0;
  connection_id connection{};
};
/// It is not: one line that says what and where, with how to mend it.
struct control_failed {
  std::uint64_t key = 0;
  std::string reason;
};
struct control_received {
  connection_id connection{};
  std::shared_ptr<const control_message> message;
};
struct control_closed {
  connection_id connection{};
  std::string reason;
};
struct send_control {
  connection_id connection{};
  std::shared_ptr<const control_message> message;
};
struct close_control {
  connection_id connection{};
};

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

/// A link of a run came up or went down. While it cannot be opened, down is said again whenever the reason
/// changes.
struct link_changed {
  run_id run = 0;
  node_index node{};
  bool up = false;
  std::string reason; ///< why it is down, or why it could not be opened yet
};
using link_listener_actor = caf::typed_actor<caf::reacts_to<link_changed>>;

/// From now on this gateway keeps a link to every node of the run that shares an edge with this one: the node
/// of lower number dials, again and again until `leave_run`. One run at a time: joining one leaves the one
/// before. Links of other runs are turned away, after waiting two seconds for their run.
struct join_run;
struct leave_run {
  run_id run = 0;
};

/// What crossed this gateway, in bytes as written to and read from connections, without TLS.
struct traffic {
  std::uint64_t link_bytes_sent = 0;
  std::uint64_t link_bytes_received = 0;
  std::uint64_t control_bytes_sent = 0;
  std::uint64_t eval_bytes_sent = 0; ///< of control_bytes_sent: snapshots and results with parameters
  std::uint64_t blocks_sent =
      0; ///< parameter blocks on links; fewer than estimates when receivers share a node
  std::uint64_t connections_refused = 0;
  std::uint64_t backlog_bytes_max = 0; ///< most that was ever queued for one link
};
struct traffic_wanted {};

/// How much of what was sent on a control connection still waits to be written; 0 if it is closed. Who sends
/// a stream asks, and leaves out what a slow client does not take.
struct backlog_wanted {
  connection_id connection{};
};
struct backlog {
  std::uint64_t bytes = 0;
};

/// The process's door to others (CAF's io layer): listens, dials, says hello, frames, checks, counts.
using gateway_actor =
    link_actor::extend<caf::reacts_to<open_control>, caf::reacts_to<send_control>,
                       caf::reacts_to<close_control>, caf::reacts_to<join_run>, caf::reacts_to<leave_run>,
                       caf::reacts_to<node_moved>, caf::replies_to<traffic_wanted>::with<traffic>,
                       caf::replies_to<backlog_wanted>::with<backlog>>;

// --- A run on several nodes, seen by who launches or follows it ---

enum class cluster_phase {
  connecting, ///< dialling the nodes
  preparing,  ///< the nodes load data and check
  linking,    ///< the nodes connect to each other
  running,
  over,   ///< every worker is finished or gone for good
  failed, ///< refused or unreachable before the run began; nothing is left running
};
struct cluster_status {
  cluster_phase phase = cluster_phase::connecting;
  std::string failure; ///< one line, of `failed`
  int exit_code = 0;
  std::vector<bool> reachable;          ///< [nodes]
  std::vector<std::string> waiting_for; ///< before `running`: the nodes that have not answered, and for what
  std::uint64_t parameters = 0;         ///< as the nodes say
  std::uint64_t training_samples = 0;
  std::uint64_t rounds_dropped = 0; ///< reports that a node could not pass on
  std::uint64_t link_bytes_sent = 0;
  std::uint64_t eval_bytes_sent = 0;
  double cpu_s = 0;    ///< processor time of the nodes in this run
  std::string waiting; ///< the longest wait that a node tells: for whom, for what, how long
};
struct cluster_status_wanted {};
/// The run client's own timer.
struct run_client_tick {};
struct result_wanted {};
/// The run is measured: the nodes may let go of it.
struct release_run {};

/// A client of all nodes of one run: launches it or only follows it. Passes what the nodes report on to a
/// reporter, reconnects to nodes that come back.
using run_client_actor = control_client_actor::extend<
    caf::reacts_to<run_client_tick>, caf::reacts_to<stop_work>, caf::reacts_to<release_run>,
    caf::reacts_to<node_moved>, // a restarted node, from the node that follows
    caf::replies_to<cluster_status_wanted>::with<cluster_status>,
    caf::replies_to<worker_id, snapshot_wanted>::with<snapshot>,
    caf::replies_to<result_wanted>::with<std::shared_ptr<const result_reply>>>; // the leading node's, ready
                                                                                // or not

/// What this neighbour needs to join, whose process was started again. What its predecessor said counts no
/// more.
struct welcome_wanted {
  worker_id joiner{};
};

struct meet_neighbours;
/// With the run's origin, where it was not known yet at the meeting.
struct begin_work {
  std::optional<run_origin> origin;
};

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
    caf::reacts_to<worker_id, offer_message>,     // let us average
    caf::reacts_to<worker_id, answer_message>,    // I have
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
/// How a node stands, for the program around it.
struct node_standing {
  std::string state;    ///< as in `node_status`, or "joining", or "left" once it was told to stop
  std::string run_name; ///< of the run it serves; empty: none
  std::string failure;  ///< one line: `--join` was refused; the node is of no use
  int exit_code = 0;    ///< of that failure
};
struct node_standing_wanted {};

// --- The helpers of a node ---

/// What came of a request to another node.
struct node_request_done {
  std::uint64_t key = 0;
  std::vector<std::shared_ptr<const control_message>> answers; ///< as many as were waited for, or fewer
  std::string failure;                                         ///< why fewer
};
struct node_request_timer {
  std::uint64_t attempt = 0;
  bool call_again = false; ///< else: it takes too long
};
using node_request_client_actor = caf::typed_actor<caf::reacts_to<node_request_done>>;
/// Says something to another node and waits for the answers.
using node_request_actor = control_client_actor::extend<caf::reacts_to<node_request_timer>>;

struct preparation;
struct measurement;
struct run_inputs;
struct run_place;
/// The data is there, and the directories; or there is a refusal in the reply, and nothing else.
struct run_prepared {
  run_id run = 0;
  std::shared_ptr<const run_inputs> inputs;
  std::shared_ptr<const run_place> place;
  std::map<worker_id, checkpoint> resumed{}; ///< of the workers here, if the run goes on
  prepare_run_reply reply;
};
/// The end is measured and written. Null if that failed.
struct run_measured {
  run_id run = 0;
  std::shared_ptr<const result_reply> result;
};
using run_loader_client_actor = caf::typed_actor<caf::reacts_to<run_prepared>, caf::reacts_to<run_measured>>;
/// Does what takes long or blocks, one thing at a time.
using run_loader_actor = caf::typed_actor<caf::reacts_to<std::shared_ptr<const preparation>>,
                                          caf::reacts_to<std::shared_ptr<const measurement>>>;

struct node_tick {};

/// Offers this process to runs: serves one at a time, answers clients, outlives its runs. `stop_work`: its
/// workers end, what was measured is written, then its standing is "left". Never blocks.
using node_actor = control_client_actor::extend<
    caf::reacts_to<gateway_opened>, caf::reacts_to<link_changed>, caf::reacts_to<stop_work>,
    caf::replies_to<node_standing_wanted>::with<node_standing>,
    // from its own helpers and timers:
    caf::reacts_to<run_prepared>, caf::reacts_to<run_measured>, caf::reacts_to<node_request_done>,
    caf::reacts_to<local_reports_ptr>, caf::reacts_to<part_changed>, caf::reacts_to<evaluation>,
    caf::reacts_to<target_reached>, caf::reacts_to<node_tick>>;

} // namespace dybw

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::mini_batch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::recorded_events)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::training_job_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::training_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::batch_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::trainer_idle)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::delay_over)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::gather_timeout_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::heartbeat_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::checkpoint_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::checkpoint_handled)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::save_checkpoint)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::checkpoints_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::end_of_checkpoints)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::checkpoints_status)
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
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::link_broken)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::open_control)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::control_opened)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::control_failed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::control_received)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::control_closed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::send_control)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::close_control)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::link_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::join_run)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::leave_run)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::node_moved)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::traffic)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::traffic_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::backlog_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::backlog)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::workers_gone)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::workers_back)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::welcome_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::welcome_reply)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::target_reached)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::part_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::local_reports_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::pass_on_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::cluster_status)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::cluster_status_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::run_client_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::result_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::release_run)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::shared_ptr<const dybw::result_reply>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::gateway_opened)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::node_standing)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::node_standing_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::node_request_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::node_request_timer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::shared_ptr<const dybw::preparation>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::shared_ptr<const dybw::measurement>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::run_prepared)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::run_measured)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::node_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::metrics_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::process_metrics_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::view_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::run_view_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::monitor_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::watch_run)
