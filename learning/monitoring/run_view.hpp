#pragma once

#include "learning/consensus/worker_machine.hpp"
#include "learning/run/run_result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// A live run as a monitor shows it: on the terminal, as JSON, on the web page, as Prometheus metrics. Plain
/// values, put together by `run_watch` from what the processes of the run say. Times in seconds; those of the
/// run count from its start.
namespace dybw {

/// How a worker stands.
enum class worker_standing {
  working,
  done,   ///< has said its last word
  lost,   ///< ended by an error, or its node is gone; the others go on
  silent, ///< its node has not answered for a while: what is shown is old
};
std::string_view to_string(worker_standing s);

struct worker_view {
  worker_id id{};
  std::uint32_t node = 0; ///< index in `run_view::nodes`
  worker_standing standing = worker_standing::working;
  enum phase phase = phase::idle;
  double in_phase_s = 0;         ///< how long
  round_number round = 0;        ///< in progress, or the last completed while computing
  std::uint64_t rounds = 0;      ///< joined since the run's start
  std::uint64_t local_steps = 0; ///< gradient steps used since the run's start
  std::uint64_t timeouts = 0;    ///< since the run's start
  std::uint64_t estimates_late = 0;
  double compute_s = 0;         ///< since the run's start, of the steps used
  double wait_s = 0;            ///< since the run's start
  std::uint32_t neighbours = 0; ///< planned degree
  std::string maker;            ///< the process that makes its steps, "trainer 4711 (cpu)"; empty: its own
  // Over the last few seconds; of a worker that is done over its whole run:
  std::optional<double> loss; ///< mini-batch loss; none without a model or before the first round
  double backup_workers = 0;  ///< mean per round
  double wait_share = 0;      ///< of the time that rounds take: waiting / (computing + waiting), [0,1]
  double round_s = 0;         ///< mean length of a round
  double step_s = 0;          ///< mean computing time of a gradient step
  bool straggler = false;     ///< its steps take at least twice the median worker's
  std::vector<float>
      recent_round_s; ///< round lengths over the last samples, oldest first, at most `samples_max`
};

/// One worker waits for one other, and why. `whom == who` is "any worker" (a threshold may come from
/// anybody), or, for a `step`, what makes its own steps, which is silent: nobody waits for that worker.
struct wait_view {
  worker_id who{};
  worker_id whom{};
  round_number round = 0;
  enum phase phase = phase::gathering;
  wait_cause::kind what = wait_cause::kind::estimate;
  double waited_s = 0;
  std::optional<double>
      timeout_in_s;    ///< until the round closes without; none: settling, ends with the answer
  std::string maker{}; ///< for a `step`: whose that is, see `worker_view`
};

struct edge_view {
  edge link;
  std::uint64_t committed = 0; ///< rounds mixed over since the run's start
  double recent_per_s = 0;     ///< commits per second over the last few seconds
  bool up = true;              ///< both ends work and are in touch, as far as known
};

struct node_view {
  std::string address; ///< "this host" for a run without nodes
  bool reachable = true;
  double silent_s = 0; ///< since its last answer
  std::uint32_t workers = 0;
  std::uint32_t component = 0; ///< workers in its part of the network
  double cpu_s = 0;            ///< in this run
  std::uint64_t peak_rss_bytes = 0;
  std::uint64_t link_bytes_sent = 0;
  std::uint64_t eval_bytes_sent = 0;
  std::uint64_t connections_refused = 0;
  bool leads = false; ///< evaluates and writes the results of its part
};

/// Something that happened while the monitor looked on.
struct event_view {
  enum class severity { info, warning, error };
  double time_s = 0;
  severity how = severity::info;
  std::string text; ///< one line
};
std::string_view to_string(event_view::severity s);

/// One point of the run's history, for charts.
struct history_point {
  double time_s = 0;
  std::optional<double> loss;
  std::optional<double> accuracy; ///< of the evaluation that is newest then
  std::optional<double> consensus_distance;
  double steps_per_s = 0;
  double backup_workers = 0;
  double wait_share = 0;
};

struct run_view {
  static constexpr std::size_t samples_max = 60;  ///< of `worker_view::recent_round_s`
  static constexpr std::size_t history_max = 600; ///< points; when full, every other one is dropped
  static constexpr std::size_t events_max = 200;  ///< the newest

  enum class state {
    attaching, ///< the node that was given has not said yet what it does
    idle,      ///< no run is going on there
    running,
    over, ///< every worker is done or lost
    lost, ///< no node answers any more
  };
  state now = state::attaching;
  std::string trouble; ///< `attaching`, `lost`: why, one line

  std::string name; ///< of the run; empty on one host
  std::string policy;
  std::string topology;
  std::string dataset;
  std::string model;
  std::uint64_t parameters = 0;
  std::uint64_t seed = 0;

  double elapsed_s = 0;
  std::optional<double> fraction;    ///< of what ends the run, [0,1]; none if only a target does
  std::optional<double> remaining_s; ///< as things go
  round_number newest_round = 0;
  std::uint64_t local_steps = 0;
  std::uint64_t timeouts = 0;
  // Over the last few seconds; of a run that is over means of all of it, and the last loss:
  std::optional<double> loss;
  double steps_per_s = 0;   ///< useful gradients, all workers
  double no_wait_per_s = 0; ///< the bound: every worker computes all the time; sum of 1 / mean step time
  double backup_workers = 0;
  double wait_share = 0;

  std::optional<evaluation> newest_evaluation; ///< of the leading node
  std::optional<double> target_accuracy;
  std::optional<double>
      consensus_distance;          ///< mean |w_i - mean|^2 from sketches; see sketch.hpp for how exact
  std::optional<double> mean_norm; ///< |mean of the estimates|, from sketches

  std::uint32_t parts = 1; ///< connected parts that the network has fallen into
  std::string failure;     ///< why the run cannot go on; empty: it can

  std::vector<node_view> nodes;
  std::vector<worker_view> workers;   ///< [workers], by number
  std::vector<edge_view> edges;       ///< planned, ascending
  std::vector<wait_view> waits;       ///< longest first
  std::vector<event_view> events;     ///< oldest first
  std::uint64_t events_before = 0;    ///< older ones that are not kept
  std::vector<history_point> history; ///< oldest first
};
std::string_view to_string(run_view::state s);

} // namespace dybw
