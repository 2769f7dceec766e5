#pragma once

#include "learning/base/statistics.hpp"
#include "learning/checkpoint/checkpoint.hpp"
#include "learning/consensus/reports/round_report.hpp"
#include "learning/consensus/reports/run_statistics.hpp"
#include "learning/consensus/worker_machine.hpp"
#include "learning/monitoring/run_watch.hpp"
#include "learning/run/run_result.hpp"
#include "messages/control.hpp"
#include "messages/wire.hpp"

#include <caf/allowed_unsafe_message_type.hpp>

#include <chrono>
#include <concepts>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// The messages that never leave a process; actors.hpp says who takes which. What crosses machines is in
/// messages/wire.hpp and messages/control.hpp.
namespace dybw {

struct training_job; // actors.hpp
struct run_inputs;   // actors/run
class learner_group; // learning/model
struct run_place;    // actors/node

/// The moment a run starts; all times of a run count from it, by the monotonic clock.
using run_origin = std::chrono::steady_clock::time_point;

inline nanoseconds time_since(run_origin origin) {
  return std::chrono::duration_cast<nanoseconds>(std::chrono::steady_clock::now() - origin);
}

// --- A worker and its helpers ---

/// Rows of the training data for one gradient.
struct mini_batch {
  std::shared_ptr<const std::vector<std::uint32_t>> rows;
  std::uint64_t epoch = 0; ///< of the worker's own shard
};

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

/// A worker's present estimate w_j; the block is shared, not copied. Without parameters from a worker whose
/// learner has failed, and from a remote_worker whose worker cannot be reached.
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
  std::string maker;  ///< the process that makes its steps, see `local_learner`; empty: its own
  nanoseconds now{0}; ///< since the run's start
};

/// A worker's last word.
struct worker_finished {
  worker_totals totals;
  parameter_block parameters; ///< w_j at the end; none if its learner has failed
  std::shared_ptr<const duration_histogram> threshold_delays;
  exchange_news exchanges;
};

/// A worker whose learner can do no more; its last word follows.
struct worker_failed {
  worker_id worker{};
  std::string why;
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
  std::vector<named_score> scores; ///< of the newest evaluation, where learners have some
  std::uint64_t timeouts = 0;
  std::size_t workers_done = 0;       ///< finished or lost
  std::size_t workers_lost = 0;       ///< of these
  std::optional<double> measured;     ///< the run is over: share of its end that is measured, 0 to 1
  std::optional<std::string> failure; ///< why the run cannot go on
  std::string not_written;            ///< the first file that could not be written, and why; empty: none
  std::string waiting; ///< who waits for whom, for what, how long; empty unless nothing has moved for a while
};

/// All that a run leaves behind.
struct run_outcome {
  run_result result;                   ///< the fields that reports fill
  std::vector<parameter_block> finals; ///< [workers], none for lost ones
  std::vector<worker_series> series;   ///< [workers]
  double bin_width_s = 0;
  std::vector<std::string> violations;
  std::map<worker_id, std::string> failed; ///< workers that ended early, and why
  std::optional<std::string> failure;      ///< why the run cannot count as done
};
using run_outcome_ptr = std::shared_ptr<run_outcome>;

/// The average model is good enough.
struct target_reached {};

/// What became of the checkpoints that came before the question.
struct checkpoints_status {
  std::uint64_t written = 0;
  std::string failure; ///< of the newest attempt; empty: it is on the disk
};

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
struct pass_on_due {};

// --- The gateway ---

/// The link to this neighbour broke: what was under way on it is lost. The next sign of life is on a new one.
struct link_broken {
  worker_id neighbour{};
};

/// One control connection of a gateway, from `open_control` or accepted.
enum class connection_id : std::uint64_t {};

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

/// A link of a run came up or went down. While it cannot be opened, down is said again whenever the reason
/// changes.
struct link_changed {
  run_id run = 0;
  node_index node{};
  bool up = false;
  std::string reason; ///< why it is down, or why it could not be opened yet
};

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
  bool deserted = false;                ///< nobody is left who could work on, or measure the end
  std::vector<bool> reachable;          ///< [nodes]
  std::vector<std::string> left;        ///< [nodes] why it left the run by itself; empty: it did not
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

/// What this neighbour needs to join, whose process was started again. What its predecessor said counts no
/// more.
struct welcome_wanted {
  worker_id joiner{};
};

/// With the run's origin, where it was not known yet at the meeting.
struct begin_work {
  std::optional<run_origin> origin;
};

// --- A node ---

/// How a node stands, for the program around it.
struct node_standing {
  std::string state;    ///< as in `node_status`, or "joining", or "left" once it was told to stop
  std::string run_name; ///< of the run it serves; empty: none
  std::string failure;  ///< one line: `--join` was refused; the node is of no use
  int exit_code = 0;    ///< of that failure
};
struct node_standing_wanted {};

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

/// The data is there, and the directories; or there is a refusal in the reply, and nothing else.
struct run_prepared {
  run_id run = 0;
  std::shared_ptr<const run_inputs> inputs;
  std::shared_ptr<const run_place> place;
  std::map<worker_id, checkpoint> resumed{}; ///< of the workers here, if the run goes on
  prepare_run_reply reply;
};
/// The end is measured and written, or is not to be measured.
struct run_measured {
  run_id run = 0;
  std::shared_ptr<const result_reply> result; ///< null: not even that it failed could be put together
  std::string failure{};                      ///< why it could not be measured; empty: it could
};

/// A run that this node leads goes on: what is on the disk of it is renewed.
struct run_standing {
  run_id run = 0;
  std::shared_ptr<const run_spec> spec;
  run_progress progress;
};
/// A run that is over here, or did not begin: its learners are to be ended.
struct run_discarded {
  std::shared_ptr<const run_place> place; ///< its directories are taken away again; null: they stay
  std::shared_ptr<learner_group> learners;
};
struct run_is_gone {};

struct learner_state_wanted {
  worker_id worker{};
};
/// What a learner needs to go on besides its parameters, or that of this worker is to begin with.
struct learner_state {
  worker_id worker{};
  std::vector<char> bytes; ///< empty: nothing
  std::string failure;     ///< why it is not to be had; empty: it is
};
struct learner_state_taken {
  std::string failure; ///< empty: it begins there
};

struct node_tick {};

/// Whether `T` is one of the others.
template <class T, class... Others>
concept one_of = (std::same_as<T, Others> || ...);

/// CAF asks of every message whether it may stay without a form for the wire.
template <class T>
concept local_message =
    one_of<T, mini_batch, recorded_events, training_done, batch_wanted, trainer_idle, delay_over,
           gather_timeout_due, heartbeat_due, checkpoint_due, checkpoint_handled, checkpoints_wanted,
           end_of_checkpoints, checkpoints_status, stop_work, status_wanted, snapshot_wanted, evaluation_due,
           answers_due, flush_due, progress_wanted, outcome_wanted, snapshot, worker_status, worker_failed,
           worker_finished, run_progress, run_outcome_ptr, begin_work, link_broken, control_opened,
           control_failed, control_received, control_closed, send_control, close_control, link_changed,
           leave_run, traffic, traffic_wanted, backlog_wanted, backlog, workers_gone, workers_back,
           welcome_wanted, target_reached, part_changed, local_reports_ptr, pass_on_due, cluster_status,
           cluster_status_wanted, run_client_tick, result_wanted, release_run, node_standing,
           node_standing_wanted, node_request_done, node_request_timer, run_prepared, run_measured,
           run_standing, run_discarded, run_is_gone, learner_state_wanted, learner_state, learner_state_taken,
           node_tick, metrics_wanted, process_metrics_ptr, view_wanted, run_view_ptr, monitor_tick>;

} // namespace dybw

template <dybw::local_message T>
struct caf::allowed_unsafe_message_type<T> : std::true_type {};
