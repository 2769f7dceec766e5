#pragma once

#include "messages/codec.hpp"
#include "messages/control.hpp"

/// `inspect` of everything that control messages hold. The order of the fields is the order on the wire. A
/// test compares the number of fields listed here with the types' own, so that none is forgotten.
namespace dybw {

template <>
struct enum_range<node_index> : any_value {};
template <>
struct enum_range<partition_spec::kind> {
  static constexpr auto last = static_cast<int>(partition_spec::kind::dirichlet);
};
template <>
struct enum_range<weight_rule> {
  static constexpr auto last = static_cast<int>(weight_rule::graph);
};
template <>
struct enum_range<miss_rule> {
  static constexpr auto last = static_cast<int>(miss_rule::discard);
};
template <>
struct enum_range<clock_kind> {
  static constexpr auto last = static_cast<int>(clock_kind::virtual_);
};
template <>
struct enum_range<start_rule> {
  static constexpr auto last = static_cast<int>(start_rule::random);
};

template <>
struct enum_range<phase> {
  static constexpr auto last = static_cast<int>(phase::left);
};
template <>
struct enum_range<wait_cause::kind> {
  static constexpr auto last = static_cast<int>(wait_cause::kind::threshold);
};

// --- A run's configuration ---

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, endpoint& x) {
  return f(x.host, x.port);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, data_options& x) {
  return f(x.name, x.path, x.test_share, x.seed);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, partition_spec& x) {
  return f(x.how, x.shards_per_worker, x.concentration);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, sgd_options& x) {
  return f(x.step_size, x.step_decay, x.momentum, x.weight_decay);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, run_config& x) {
  return f(x.data, x.partition, x.partition_text, x.model, x.workers, x.topology, x.connect, x.policies,
           x.on_miss, x.weights, x.start, x.rounds, x.time_limit_s, x.target_accuracy, x.batch, x.sgd,
           x.clock, x.step_time, x.straggler, x.link_latency, x.link_bandwidth, x.round_timeout_s,
           x.suspect_after_s, x.threads, x.seed, x.eval_every_s, x.exchange, x.checkpoint_every_s);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, run_spec& x) {
  return f(x.run, x.self, x.config, x.edges, x.connecting, x.nodes, x.placement, x.resume, x.name);
}

// --- What workers report ---

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, mix_term& x) {
  return f(x.neighbour, x.weight);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, mix_report& x) {
  return f(x.worker, x.round, x.own_weight, x.committed, x.departed, x.projection_before, x.projection_after,
           x.norm_before);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, exchange_half& x) {
  return f(x.worker, x.neighbour, x.first, x.number, x.round, x.weight, x.projection, x.size);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, exchange_news& x) {
  return f(x.halves, x.given_up);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, round_report& x) {
  return f(x.mixed, x.started, x.joined, x.closed, x.done, x.mix_began, x.mix_ended, x.acknowledged, x.degree,
           x.accepted, x.compute, x.timed_out, x.loss, x.samples, x.exchanges);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, worker_totals& x) {
  return f(x.worker, x.completed, x.estimates_sent, x.estimates_late, x.timeouts, x.steps_used,
           x.steps_discarded, x.discarded, x.sweeps_completed, x.bytes_sent);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, worker_end& x) {
  return f(x.totals, x.threshold_delay_p99, x.threshold_delay_max, x.exchanges);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, evaluation& x) {
  return f(x.time_s, x.local_steps, x.test_accuracy, x.test_loss, x.worst_worker_accuracy,
           x.consensus_distance, x.cpu_s);
}

// --- A run's result ---

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, mixing_summary& x) {
  return f(x.rounds_audited, x.rounds_unaudited, x.max_row_error, x.max_column_error, x.max_projection_error,
           x.one_sided_edges, x.edges_lost, x.connect_rounds_max, x.mean_drift);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, worker_summary& x) {
  return f(x.id, x.rounds, x.local_steps, x.compute_s, x.discarded_s, x.wait_s, x.mean_step_s,
           x.mean_backup_workers, x.test_accuracy, x.test_loss);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, edge_activity& x) {
  return f(x.link, x.active_share);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, run_node& x) {
  return f(x.address, x.workers, x.lost);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, resumed_part& x) {
  return f(x.round, x.duration_s);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, run_result& x) {
  return f(x.policy, x.workers, x.edges, x.topology, x.dataset, x.partition, x.model, x.parameters, x.seed,
           x.clock, x.rounds, x.local_steps, x.duration_s, x.mean_round_s, x.resumed, x.time_to_target_s,
           x.test_accuracy, x.test_loss, x.worst_worker_accuracy, x.consensus_distance,
           x.useful_gradient_rate, x.no_wait_rate, x.compute_share, x.mean_backup_workers,
           x.mean_active_share, x.timeouts, x.estimates_sent, x.estimates_late, x.steps_discarded,
           x.coverage_sweeps, x.samples, x.bytes_sent, x.link_bytes_sent, x.eval_bytes_sent, x.host_cpu_s,
           x.eval_cpu_s, x.peak_rss_bytes, x.threshold_delay_p99_s, x.threshold_delay_max_s, x.mixing,
           x.workers_lost, x.nodes, x.interrupted, x.failed, x.failure, x.per_worker, x.per_edge,
           x.evaluations);
}

// --- The messages ---

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, prepare_run_request& x) {
  return f(x.spec);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, prepare_run_reply& x) {
  return f(x.refusal, x.exit_code, x.parameters, x.config_hash, x.data_hash, x.training_samples);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, connect_request& x) {
  return f(x.run);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, connect_reply& x) {
  return f(x.refusal);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, begin_request& x) {
  return f(x.run);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, begin_reply& x) {
  return f(x.refusal);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, abandon_request& x) {
  return f(x.run);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, stop_request& x) {
  return f(x.run);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, stop_reply& x) {
  return f(x.refusal);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, node_status_request&) {
  return f();
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, node_status& x) {
  return f(x.version, x.advertised, x.state, x.run, x.run_name, x.policy, x.nodes, x.workers, x.slots,
           x.elapsed_s, x.newest_round, x.local_steps, x.loss, x.component, x.lead, x.waiting,
           x.link_bytes_sent, x.eval_bytes_sent, x.connections_refused, x.peak_rss_bytes);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, subscribe_request& x) {
  return f(x.run);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, report_batch& x) {
  return f(x.run, x.elapsed_s, x.rounds, x.finished, x.lost, x.evaluations, x.rounds_dropped, x.component,
           x.lead, x.failure, x.link_bytes_sent, x.eval_bytes_sent, x.cpu_s);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, snapshot_request& x) {
  return f(x.run, x.worker);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, snapshot_reply& x) {
  return f(x.worker, x.found, x.local_steps, x.parameters);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, result_request& x) {
  return f(x.run);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, result_reply& x) {
  return f(x.ready, x.leads, x.result, x.average);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, run_over& x) {
  return f(x.run);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, join_request& x) {
  return f(x.advertised);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, join_reply& x) {
  return f(x.refusal, x.spec, x.elapsed_s, x.data_hash);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, node_moved& x) {
  return f(x.run, x.node, x.advertised);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, welcome_request& x) {
  return f(x.run, x.joiner);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, welcome_reply& x) {
  return f(x.joiner, x.found, x.facts, x.round, x.parameters);
}

// --- Monitors ---

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, wait_metrics& x) {
  return f(x.neighbour, x.what, x.waited);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, worker_metrics& x) {
  return f(x.worker, x.done, x.lost, x.rounds, x.timeouts, x.backup_workers, x.loss, x.compute, x.wait,
           x.answers, x.local_steps, x.estimates_late, x.phase, x.in_phase, x.round, x.timeout_in,
           x.component, x.lowest, x.waits);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, edge_metrics& x) {
  return f(x.link, x.committed);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, sketch_sums& x) {
  return f(x.estimates, x.sum, x.squared_norms);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, process_metrics& x) {
  return f(x.elapsed, x.workers, x.edges, x.sketch, x.newest_evaluation, x.failure, x.cpu_s, x.peak_rss_bytes,
           x.link_bytes_sent, x.eval_bytes_sent, x.connections_refused, x.leads);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, describe_request&) {
  return f();
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, describe_reply& x) {
  return f(x.found, x.spec, x.parameters);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, metrics_request& x) {
  return f(x.sketch);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, metrics_reply& x) {
  return f(x.run, x.metrics);
}

} // namespace dybw
