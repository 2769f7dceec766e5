#include "apps/web/view_metrics.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>

namespace dybw {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using labels = std::vector<ClientMetric::Label>;
using families = std::vector<MetricFamily>;

void add(MetricFamily& family, double value, labels of = {}) {
  ClientMetric m;
  m.label = std::move(of);
  (family.type == MetricType::Counter ? m.counter.value : m.gauge.value) = value;
  family.metric.push_back(std::move(m));
}

/// A family without series, to be filled.
MetricFamily& begin(families& all, MetricType type, std::string name, std::string help) {
  return all.emplace_back(MetricFamily{"dybw_" + std::move(name), std::move(help), type, {}});
}

void gauge(families& all, const char* name, const char* help, std::optional<double> value) {
  if (value)
    add(begin(all, MetricType::Gauge, name, help), *value);
}

void counter(families& all, const char* name, const char* help, double value) {
  add(begin(all, MetricType::Counter, name, help), value);
}

template <class T>
double real(T x) {
  return static_cast<double>(x);
}

void add_identity(families& all, const run_view& v) {
  static constexpr std::array states = {run_view::state::attaching, run_view::state::idle,
                                        run_view::state::running, run_view::state::over,
                                        run_view::state::lost};
  auto& state =
      begin(all, MetricType::Gauge, "run_state", "1 for the state that the run is in, 0 for the others");
  for (const auto s : states)
    add(state, v.now == s ? 1 : 0, {{"state", std::string{to_string(s)}}});
  add(begin(all, MetricType::Gauge, "run_info", "What is being run; always 1"), 1,
      {{"run", v.name},
       {"policy", v.policy},
       {"topology", v.topology},
       {"dataset", v.dataset},
       {"model", v.model},
       {"seed", std::to_string(v.seed)}});
  gauge(all, "run_failed", "1 if the run cannot go on", v.failure.empty() ? 0 : 1);
  gauge(all, "model_parameters", "Parameters of the model", real(v.parameters));
}

void add_totals(families& all, const run_view& v) {
  gauge(all, "run_elapsed_seconds", "Time since the run's start", v.elapsed_s);
  gauge(all, "run_progress_ratio", "Done of what ends the run, from 0 to 1", v.fraction);
  gauge(all, "run_remaining_seconds", "Time left as things go", v.remaining_s);
  gauge(all, "newest_round", "The newest round that any worker is in", real(v.newest_round));
  counter(all, "local_steps_total", "Gradient steps used, all workers", real(v.local_steps));
  counter(all, "timeouts_total", "Rounds that a timeout closed", real(v.timeouts));
  gauge(all, "loss", "Mean mini-batch loss over the last few seconds", v.loss);
  gauge(all, "useful_gradients_per_second",
        "Gradient steps used per second, all workers, over the last few seconds; over the run once it has "
        "ended",
        v.steps_per_s);
  gauge(all, "no_wait_gradients_per_second",
        "The bound on it: what all workers would do if nobody ever waited", v.no_wait_per_s);
  gauge(all, "backup_workers",
        "Neighbours not waited for, mean per worker and round over the last few seconds", v.backup_workers);
  gauge(all, "wait_ratio", "Waiting time of all time in rounds over the last few seconds, from 0 to 1",
        v.wait_share);
  gauge(all, "consensus_distance",
        "Mean squared distance of the workers' estimates from their mean, estimated from sketches",
        v.consensus_distance);
  gauge(all, "mean_estimate_norm", "Length of the mean of the workers' estimates, estimated from sketches",
        v.mean_norm);
  gauge(all, "parts", "Connected parts that the network has fallen into; 1 is healthy", real(v.parts));
  gauge(all, "target_accuracy_ratio", "Test accuracy at which the run ends", v.target_accuracy);
  if (const auto& e = v.newest_evaluation; e) {
    gauge(all, "test_accuracy_ratio", "Test accuracy of the average model at the newest evaluation",
          e->test_accuracy);
    gauge(all, "worst_worker_accuracy_ratio",
          "Test accuracy of the worst worker's own model at the newest evaluation, of the workers scored",
          e->worst_worker_accuracy);
    gauge(all, "scored_workers", "Workers whose own models the newest evaluation compared",
          real(e->scored_workers));
    gauge(all, "scored_samples", "Test samples on which it compared them with the average model",
          real(e->scored_samples));
    gauge(all, "test_loss", "Test loss of the average model at the newest evaluation", e->test_loss);
    gauge(all, "evaluated_at_seconds", "When the newest evaluation was made, since the run's start",
          e->time_s);
    if (!e->scores.empty()) {
      auto& scores = begin(all, MetricType::Gauge, "score",
                           "A score of the average model at the newest evaluation, by the user's model");
      for (const auto& s : e->scores)
        add(scores, s.value, {{"name", s.name}});
    }
  }
  counter(all, "events_total", "What happened since the monitor began to look on",
          real(v.events_before + v.events.size()));
  gauge(all, "waits", "Pairs of workers of which one waits for the other now", real(v.waits.size()));
  gauge(all, "longest_wait_seconds", "How long the longest of these waits has lasted",
        v.waits.empty() ? 0 : v.waits.front().waited_s);
}

/// How many workers stand and do what: cheap to watch however many there are.
void add_counts(families& all, const run_view& v) {
  static constexpr std::array standings = {worker_standing::working, worker_standing::done,
                                           worker_standing::lost, worker_standing::silent};
  static constexpr std::array phases = {phase::idle, phase::computing, phase::gathering, phase::settling,
                                        phase::left};
  auto& standing = begin(all, MetricType::Gauge, "workers", "Workers by how they stand");
  for (const auto s : standings)
    add(standing, real(std::ranges::count(v.workers, s, &worker_view::standing)),
        {{"standing", std::string{to_string(s)}}});
  auto& doing =
      begin(all, MetricType::Gauge, "workers_in_phase", "Workers by the phase of the round they are in");
  for (const auto p : phases)
    add(doing, real(std::ranges::count(v.workers, p, &worker_view::phase)),
        {{"phase", std::string{to_string(p)}}});
  gauge(all, "stragglers", "Workers whose steps take at least twice the median worker's",
        real(std::ranges::count(v.workers, true, &worker_view::straggler)));
}

// --- One series per node, worker, edge ---

/// `value` of each element, under the labels of the same position.
template <class T, class Value>
void add_each(families& all, MetricType type, const char* name, const char* help, std::span<const T> elements,
              const std::vector<labels>& of, Value value) {
  auto& family = begin(all, type, name, help);
  family.metric.reserve(elements.size());
  for (std::size_t i = 0; i < elements.size(); ++i)
    if (const std::optional<double> x = value(elements[i]))
      add(family, *x, of[i]);
  if (family.metric.empty())
    all.pop_back();
}

void add_nodes(families& all, const run_view& v) {
  std::vector<labels> of;
  for (const auto& n : v.nodes)
    of.push_back({{"node", n.address}});
  const auto each = [&](MetricType type, const char* name, const char* help, auto value) {
    add_each(all, type, name, help, std::span{v.nodes}, of, value);
  };
  const auto now = MetricType::Gauge, sum = MetricType::Counter;
  each(now, "node_up", "1 if the node answers", [](const auto& n) { return n.reachable ? 1.0 : 0.0; });
  each(now, "node_silent_seconds", "Time since the node's last answer",
       [](const auto& n) { return n.silent_s; });
  each(now, "node_workers", "Workers that live on the node", [](const auto& n) { return real(n.workers); });
  each(now, "node_component_workers", "Workers in the part of the network that the node belongs to",
       [](const auto& n) { return real(n.component); });
  each(now, "node_leads", "1 if the node evaluates and writes the results of its part",
       [](const auto& n) { return n.leads ? 1.0 : 0.0; });
  each(now, "node_peak_resident_memory_bytes", "Peak resident memory of the node's process",
       [](const auto& n) { return real(n.peak_rss_bytes); });
  each(sum, "node_cpu_seconds_total", "Processor time of the node's process in this run",
       [](const auto& n) { return n.cpu_s; });
  each(sum, "node_link_sent_bytes_total", "Bytes sent over links between workers of different nodes",
       [](const auto& n) { return real(n.link_bytes_sent); });
  each(sum, "node_evaluation_sent_bytes_total", "Bytes sent for evaluation and reports",
       [](const auto& n) { return real(n.eval_bytes_sent); });
  each(sum, "node_connections_refused_total", "Connections turned away",
       [](const auto& n) { return real(n.connections_refused); });
}

void add_workers(families& all, const run_view& v) {
  const std::span shown{v.workers.data(), std::min(v.workers.size(), metrics_workers_max)};
  gauge(all, "workers_without_series", "Workers beyond the number that have series of their own",
        real(v.workers.size() - shown.size()));
  std::vector<labels> of;
  for (const auto& w : shown)
    of.push_back(
        {{"worker", to_string(w.id)}, {"node", w.node < v.nodes.size() ? v.nodes[w.node].address : ""}});
  const auto each = [&](MetricType type, const char* name, const char* help, auto value) {
    add_each(all, type, name, help, shown, of, value);
  };
  const auto now = MetricType::Gauge, sum = MetricType::Counter;
  each(now, "worker_up", "1 while the worker works or after it has finished, 0 if it is lost or silent",
       [](const auto& w) {
         return w.standing == worker_standing::working || w.standing == worker_standing::done ? 1.0 : 0.0;
       });
  each(now, "worker_straggler", "1 if the worker's steps take at least twice the median worker's",
       [](const auto& w) { return w.straggler ? 1.0 : 0.0; });
  each(now, "worker_round", "Round in progress, or the last completed while computing",
       [](const auto& w) { return real(w.round); });
  each(now, "worker_loss", "Mini-batch loss over the last few seconds", [](const auto& w) { return w.loss; });
  each(now, "worker_backup_workers", "Neighbours not waited for, mean per round over the last few seconds",
       [](const auto& w) { return w.backup_workers; });
  each(now, "worker_wait_ratio", "Waiting time of all time in rounds over the last few seconds, from 0 to 1",
       [](const auto& w) { return w.wait_share; });
  each(now, "worker_round_seconds", "Mean length of a round over the last few seconds",
       [](const auto& w) { return w.round_s; });
  each(now, "worker_step_seconds", "Mean computing time of a step over the last few seconds",
       [](const auto& w) { return w.step_s; });
  each(sum, "worker_rounds_total", "Rounds joined", [](const auto& w) { return real(w.rounds); });
  each(sum, "worker_local_steps_total", "Gradient steps used",
       [](const auto& w) { return real(w.local_steps); });
  each(sum, "worker_timeouts_total", "Rounds that a timeout closed",
       [](const auto& w) { return real(w.timeouts); });
  each(sum, "worker_late_estimates_total", "Neighbours' estimates that came too late to be mixed",
       [](const auto& w) { return real(w.estimates_late); });
  each(sum, "worker_compute_seconds_total", "Time spent on the steps used",
       [](const auto& w) { return w.compute_s; });
  each(sum, "worker_wait_seconds_total", "Time spent waiting for neighbours",
       [](const auto& w) { return w.wait_s; });
}

void add_edges(families& all, const run_view& v) {
  const std::span shown{v.edges.data(), std::min(v.edges.size(), metrics_edges_max)};
  gauge(all, "edges_without_series", "Edges beyond the number that have series of their own",
        real(v.edges.size() - shown.size()));
  std::vector<labels> of;
  for (const auto& e : shown)
    of.push_back({{"edge", to_string(e.link.a) + "-" + to_string(e.link.b)}});
  add_each(all, MetricType::Gauge, "edge_up", "1 if both ends of the edge work and are in touch", shown, of,
           [](const edge_view& e) { return e.up ? 1.0 : 0.0; });
  add_each(all, MetricType::Counter, "edge_commits_total",
           "Rounds in which both ends of the edge averaged over it", shown, of,
           [](const edge_view& e) { return real(e.committed); });
}

} // namespace

std::vector<prometheus::MetricFamily> view_metrics(const run_view& view) {
  families all;
  all.reserve(64); // `begin` returns references
  add_identity(all, view);
  add_totals(all, view);
  add_counts(all, view);
  add_nodes(all, view);
  add_workers(all, view);
  add_edges(all, view);
  return all;
}

} // namespace dybw
