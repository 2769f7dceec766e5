#pragma once

#include "learning/consensus/messages.hpp"
#include "learning/consensus/reports/round_report.hpp"
#include "learning/model/trainer_layout.hpp"
#include "learning/monitoring/process_metrics.hpp"
#include "learning/run/run_config.hpp"
#include "learning/run/run_result.hpp"
#include "messages/endpoint.hpp"
#include "messages/wire.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

/// What a node and its clients say to each other over a control connection: a launcher, `dybw status`, `dybw
/// stop`, a monitor, another node that collects results or joins. Clients ask; a node answers in order. All
/// that trains travels over links instead (messages/wire.hpp, messages/frame.hpp).
namespace dybw {

/// A run's name on the wire: random, never 0.
using run_id = std::uint64_t;

/// A node's place in a run: its position in the list of nodes. Not the number of a worker.
enum class node_index : std::uint32_t {};
constexpr std::size_t index_of(node_index i) {
  return static_cast<std::size_t>(i);
}
constexpr node_index node_at(std::size_t i) {
  return static_cast<node_index>(i);
}

/// One run of one policy on several nodes; the same on all of them but for `self`. The graph travels as
/// edges, so that topology files are read where the launcher is. Data is read where the worker lives.
struct run_spec {
  run_id run = 0;
  node_index self{};
  run_config config; ///< `policies` holds this run's only; `data.path` is the launcher's, a node puts its own
  std::vector<edge> edges;
  std::vector<edge> connecting;      ///< empty unless a policy closes by threshold
  std::vector<endpoint> nodes;       ///< [nodes], as they advertise themselves
  std::vector<node_index> placement; ///< [workers]
  std::string resume;                ///< run directory below each node's --out to go on from; empty: afresh
  std::string name;                  ///< directory below each node's --out to write to
  std::vector<std::string> options;  ///< lines for config.ini there, to go on with; empty: none
};

// --- Starting a run: prepare, connect, begin ---

/// Load the data, build everything, spawn nothing yet.
struct prepare_run_request {
  run_spec spec;
};
struct prepare_run_reply {
  std::string refusal;        ///< empty: ready. One line: what, where, how to mend it.
  std::int32_t exit_code = 0; ///< of a refusal: 2 configuration, 3 data, 4 network or busy
  std::uint64_t parameters = 0;
  std::uint64_t config_hash = 0; ///< of the spec as this node understood it
  std::uint64_t data_hash = 0; ///< of the data, or of `arrays`, and a trace of step times; 0: there are none
  std::uint64_t training_samples = 0;
  std::vector<trainer_array> arrays{}; ///< of a model that trainers bring; else empty
};
/// Connect to the nodes that you share an edge with; answered when all links are up, or cannot be.
struct connect_request {
  run_id run = 0;
};
struct connect_reply {
  std::string refusal;
};
/// All are ready: begin. From now on nobody is in charge.
struct begin_request {
  run_id run = 0;
};
struct begin_reply {
  std::string refusal;
};
/// Let go of a run that did not begin.
struct abandon_request {
  run_id run = 0;
};

// --- During a run ---

/// End the run (0: whichever there is): rounds in progress end, results are written. Passed on to all nodes.
struct stop_request {
  run_id run = 0;
};
struct stop_reply {
  std::string refusal;
};

struct node_status_request {};
struct node_status {
  std::string version;
  endpoint advertised;
  std::string state; ///< "idle", "joining" (it seeks a place), "preparing", "running", "finishing"
  run_id run = 0;
  std::string run_name;
  std::string policy;
  std::vector<endpoint> nodes;
  std::vector<std::uint32_t> workers; ///< hosted here
  std::uint32_t slots = 0;            ///< 0: no limit
  double elapsed_s = 0;
  round_number newest_round = 0;
  std::uint64_t local_steps = 0;
  double loss = 0;
  std::uint32_t component = 0; ///< workers in this part of the network
  std::uint32_t lead = 0;      ///< index of the node that evaluates and writes the results of this part
  std::string waiting;         ///< the longest wait: for whom, for what, how long
  std::uint64_t link_bytes_sent = 0;
  std::uint64_t eval_bytes_sent = 0;
  std::uint64_t connections_refused = 0; ///< TLS handshakes, garbage, oversized, wrong versions, too slow
  std::uint64_t peak_rss_bytes = 0;
};

/// From now on send this client what the workers here report: `report_batch` ten times a second, also when
/// there is nothing to tell (a sign of life). Unbounded in time, bounded in memory: what a slow client does
/// not take is dropped and counted.
struct subscribe_request {
  run_id run = 0;
};
/// A worker's last word without its parameters.
struct worker_end {
  worker_totals totals;
  nanoseconds threshold_delay_p99{0};
  nanoseconds threshold_delay_max{0};
  exchange_news exchanges;
};
struct report_batch {
  run_id run = 0;
  double elapsed_s = 0;
  std::vector<round_report> rounds;
  std::vector<worker_end> finished;
  std::vector<worker_id> lost;         ///< workers here that ended by an error, all of them in every batch
  std::vector<evaluation> evaluations; ///< from the leading node only
  std::uint64_t rounds_dropped = 0;    ///< since the subscription began
  std::uint32_t component = 0;         ///< workers in this node's part of the network
  std::uint32_t lead = 0;
  std::string failure; ///< why the run cannot go on; empty: it can
  std::string left;    ///< why this node leaves the run, on which the others go on; empty: it stays
  std::uint64_t link_bytes_sent = 0; ///< in this run
  std::uint64_t eval_bytes_sent = 0;
  double cpu_s = 0; ///< processor time of the node in this run
};

/// A worker's present estimate, for evaluation and the final collection.
struct snapshot_request {
  run_id run = 0;
  worker_id worker{};
};
struct snapshot_reply {
  worker_id worker{};
  bool found = false;
  std::uint64_t local_steps = 0;
  parameter_block parameters;
};

/// The measured end of the run; answered by the leading node once it has it, by others with `ready` false.
struct result_request {
  run_id run = 0;
};
struct result_reply {
  bool ready = false;
  bool leads = false;
  run_result result; ///< as the leading node knows it
  parameter_block average;
};

/// The run is over and measured: let go of it.
struct run_over {
  run_id run = 0;
};

// --- Joining a live run ---

/// A restarted node asks for its place. The asked node gives it the place that has this address, or any place
/// whose node is gone.
struct join_request {
  endpoint advertised;
};
struct join_reply {
  std::string refusal;
  run_spec spec; ///< `self` is the joiner's
  double elapsed_s = 0;
  std::uint64_t data_hash = 0; ///< what the joiner's data must have
};
/// The node of this place has a new process, at this address: connect to it.
struct node_moved {
  run_id run = 0;
  node_index node{};
  endpoint advertised;
};
/// State for a worker that joins, from one of its neighbours.
struct welcome_request {
  run_id run = 0;
  worker_id joiner{};
};
struct welcome_reply {
  worker_id joiner{};
  bool found = false; ///< a neighbour of the joiner lives here and has something to give
  membership_news facts;
  round_number round = 0;
  parameter_block parameters;
  worker_id neighbour{}; ///< whose they are
};

/// What a neighbour's learner keeps for itself, for the joiner's to begin with. Beside the welcome, which is
/// not to be lost with it: it may be large, or take a while.
struct learner_state_request {
  run_id run = 0;
  worker_id joiner{};
  worker_id neighbour{};
};
struct learner_state_reply {
  std::string failure;     ///< why there is none; empty: there is
  std::vector<char> bytes; ///< opaque
};

// --- Going on with a run ---

/// The options that a run below --out was given, to go on with it.
struct saved_options_request {
  std::string run; ///< its directory there
};
struct saved_options_reply {
  std::string refusal;              ///< empty: here they are
  std::vector<std::string> options; ///< lines of config.ini
};

// --- Monitors ---

/// Which run is going on here, and where does it live? For who begins to watch.
struct describe_request {};
struct describe_reply {
  bool found = false;
  run_spec spec; ///< `self` is the answering node's
  std::uint64_t parameters = 0;
};
/// How do the workers here stand? A monitor asks a few times per second and waits for the answer before it
/// asks again, so nothing queues up for a slow one. Monitors that ask at about the same time get the same
/// answer.
struct metrics_request {
  bool sketch = false; ///< of the estimates here, too
};
struct metrics_reply {
  run_id run = 0; ///< 0: none is going on, and `metrics` says nothing
  process_metrics metrics;
};

using control_message =
    std::variant<prepare_run_request, prepare_run_reply, connect_request, connect_reply, begin_request,
                 begin_reply, abandon_request, stop_request, stop_reply, node_status_request, node_status,
                 subscribe_request, report_batch, snapshot_request, snapshot_reply, result_request,
                 result_reply, run_over, join_request, join_reply, node_moved, welcome_request, welcome_reply,
                 learner_state_request, learner_state_reply, describe_request, describe_reply,
                 metrics_request, metrics_reply, saved_options_request, saved_options_reply>;

} // namespace dybw
