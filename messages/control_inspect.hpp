#pragma once

#include "messages/codec.hpp"
#include "messages/control.hpp"

/// `inspect` of everything that control messages hold. The order of the fields is the order on the wire. A
/// test compares the number of fields listed here with the types' own, so that none is forgotten.
namespace dybw {

template <>
struct enum_range<node_index> : any_value {};
template <>
struct enum_range<partition_spec::kind> : up_to<partition_spec::kind::dirichlet_equal> {};
template <>
struct enum_range<weight_rule> : up_to<weight_rule::graph> {};
template <>
struct enum_range<block_format> : up_to<block_format::int8> {};
template <>
struct enum_range<miss_rule> : up_to<miss_rule::discard> {};
template <>
struct enum_range<clock_kind> : up_to<clock_kind::virtual_> {};
template <>
struct enum_range<start_rule> : up_to<start_rule::random> {};

template <>
struct enum_range<phase> : up_to<phase::left> {};
template <>
struct enum_range<wait_cause::kind> : up_to<wait_cause::kind::step> {};

// --- A run's configuration ---

auto inspect(auto& f, endpoint& x) {
  return f(x.host, x.port);
}
auto inspect(auto& f, data_options& x) {
  return f(x.name, x.path, x.test_share, x.label, x.seed, x.standardise, x.mirror);
}
auto inspect(auto& f, partition_spec& x) {
  return f(x.how, x.shards_per_worker, x.concentration);
}
auto inspect(auto& f, sgd_options& x) {
  return f(x.step_size, x.step_decay, x.momentum, x.weight_decay);
}
auto inspect(auto& f, outer_options& x) {
  return f(x.momentum, x.step);
}
auto inspect(auto& f, score_target& x) {
  return f(x.name, x.value);
}
auto inspect(auto& f, run_config& x) {
  return f(x.data, x.partition, x.partition_text, x.model, x.workers, x.topology, x.connect, x.policies,
           x.on_miss, x.weights, x.start, x.rounds, x.time_limit_s, x.target_accuracy, x.batch, x.sgd,
           x.clock, x.step_time, x.straggler, x.link_latency, x.link_bandwidth, x.mix_time_s,
           x.round_timeout_s, x.suspect_after_s, x.threads, x.seed, x.eval_every_s, x.exchange,
           x.checkpoint_every_s, x.log_bytes_max, x.trainer, x.attach, x.trainer_restarts, x.own_learner,
           x.target, x.local_steps, x.local_time_s, x.outer, x.correction, x.send);
}
auto inspect(auto& f, run_spec& x) {
  return f(x.run, x.self, x.config, x.edges, x.connecting, x.nodes, x.placement, x.resume, x.name, x.options);
}

// --- What workers report ---

auto inspect(auto& f, mix_term& x) {
  return f(x.neighbour, x.weight, x.corrects);
}
auto inspect(auto& f, mix_report& x) {
  return f(x.worker, x.round, x.own_weight, x.committed, x.departed, x.returned, x.projection_before,
           x.projection_after, x.norm_before, x.generation, x.correction, x.correction_size);
}
auto inspect(auto& f, exchange_half& x) {
  return f(x.worker, x.neighbour, x.first, x.number, x.round, x.weight, x.projection, x.size, x.generation,
           x.corrects, x.correction, x.correction_size);
}
auto inspect(auto& f, exchange_news& x) {
  return f(x.halves, x.given_up);
}
auto inspect(auto& f, round_report& x) {
  return f(x.mixed, x.started, x.joined, x.closed, x.done, x.mix_began, x.mix_ended, x.acknowledged, x.degree,
           x.accepted, x.compute, x.timed_out, x.gradients, x.loss, x.samples, x.exchanges);
}
auto inspect(auto& f, worker_totals& x) {
  return f(x.worker, x.completed, x.estimates_sent, x.estimates_late, x.timeouts, x.steps_used,
           x.steps_discarded, x.discarded, x.sweeps_completed, x.bytes_sent);
}
auto inspect(auto& f, worker_end& x) {
  return f(x.totals, x.threshold_delay_p99, x.threshold_delay_max, x.exchanges);
}
auto inspect(auto& f, named_score& x) {
  return f(x.name, x.value, x.smaller_is_better);
}
auto inspect(auto& f, evaluation& x) {
  return f(x.time_s, x.local_steps, x.test_accuracy, x.test_loss, x.worst_worker_accuracy,
           x.consensus_distance, x.cpu_s, x.scored_workers, x.scored_samples, x.at_end, x.scores);
}

// --- A run's result ---

auto inspect(auto& f, mixing_summary& x) {
  return f(x.rounds_audited, x.rounds_unaudited, x.max_row_error, x.max_column_error, x.max_projection_error,
           x.one_sided_edges, x.edges_lost, x.connect_rounds_max, x.mean_drift);
}
auto inspect(auto& f, worker_summary& x) {
  return f(x.id, x.rounds, x.local_steps, x.compute_s, x.discarded_s, x.wait_s, x.mean_step_s,
           x.mean_backup_workers, x.test_accuracy, x.test_loss, x.failure);
}
auto inspect(auto& f, edge_activity& x) {
  return f(x.link, x.active_share);
}
auto inspect(auto& f, run_node& x) {
  return f(x.address, x.workers, x.lost, x.left);
}
auto inspect(auto& f, resumed_part& x) {
  return f(x.round, x.duration_s);
}
auto inspect(auto& f, data_reading& x) {
  return f(x.format, x.label, x.scaling, x.notes);
}
auto inspect(auto& f, data_summary& x) {
  return f(x.training_samples, x.test_samples, x.features, x.classes, x.reading);
}
auto inspect(auto& f, parameter_array& x) {
  return f(x.name, x.shape, x.offset);
}
auto inspect(auto& f, trainer_array& x) {
  return f(x.name, x.type, x.frozen, x.checksum, x.shape);
}
auto inspect(auto& f, run_result& x) {
  return f(x.policy, x.workers, x.edges, x.topology, x.dataset, x.data, x.partition, x.model, x.parameters,
           x.seed, x.clock, x.rounds, x.local_steps, x.duration_s, x.mean_round_s, x.resumed,
           x.time_to_target_s, x.test_accuracy, x.test_loss, x.worst_worker_accuracy, x.scored_workers,
           x.consensus_distance, x.useful_gradient_rate, x.no_wait_rate, x.compute_share,
           x.mean_backup_workers, x.mean_active_share, x.timeouts, x.estimates_sent, x.estimates_late,
           x.steps_discarded, x.coverage_sweeps, x.samples, x.bytes_sent, x.link_bytes_sent,
           x.eval_bytes_sent, x.host_cpu_s, x.eval_cpu_s, x.peak_rss_bytes, x.threshold_delay_p99_s,
           x.threshold_delay_max_s, x.mixing, x.workers_lost, x.nodes, x.interrupted, x.failed, x.failure,
           x.per_worker, x.per_edge, x.evaluations, x.model_layout, x.not_written, x.trainer, x.scores);
}

// --- The messages ---

auto inspect(auto& f, prepare_run_request& x) {
  return f(x.spec);
}
auto inspect(auto& f, prepare_run_reply& x) {
  return f(x.refusal, x.exit_code, x.parameters, x.config_hash, x.data_hash, x.training_samples, x.arrays);
}
auto inspect(auto& f, connect_request& x) {
  return f(x.run);
}
auto inspect(auto& f, connect_reply& x) {
  return f(x.refusal);
}
auto inspect(auto& f, begin_request& x) {
  return f(x.run);
}
auto inspect(auto& f, begin_reply& x) {
  return f(x.refusal);
}
auto inspect(auto& f, abandon_request& x) {
  return f(x.run);
}
auto inspect(auto& f, stop_request& x) {
  return f(x.run);
}
auto inspect(auto& f, stop_reply& x) {
  return f(x.refusal);
}
auto inspect(auto& f, node_status_request&) {
  return f();
}
auto inspect(auto& f, node_status& x) {
  return f(x.version, x.advertised, x.state, x.run, x.run_name, x.policy, x.nodes, x.workers, x.slots,
           x.elapsed_s, x.newest_round, x.local_steps, x.loss, x.component, x.lead, x.waiting,
           x.link_bytes_sent, x.eval_bytes_sent, x.connections_refused, x.peak_rss_bytes);
}
auto inspect(auto& f, subscribe_request& x) {
  return f(x.run);
}
auto inspect(auto& f, report_batch& x) {
  return f(x.run, x.elapsed_s, x.rounds, x.finished, x.lost, x.evaluations, x.rounds_dropped, x.component,
           x.lead, x.failure, x.left, x.link_bytes_sent, x.eval_bytes_sent, x.cpu_s);
}
auto inspect(auto& f, snapshot_request& x) {
  return f(x.run, x.worker);
}
auto inspect(auto& f, snapshot_reply& x) {
  return f(x.worker, x.found, x.local_steps, x.parameters);
}
auto inspect(auto& f, result_request& x) {
  return f(x.run);
}
auto inspect(auto& f, result_reply& x) {
  return f(x.ready, x.leads, x.result, x.average);
}
auto inspect(auto& f, run_over& x) {
  return f(x.run);
}
auto inspect(auto& f, join_request& x) {
  return f(x.advertised);
}
auto inspect(auto& f, join_reply& x) {
  return f(x.refusal, x.spec, x.elapsed_s, x.data_hash);
}
auto inspect(auto& f, node_moved& x) {
  return f(x.run, x.node, x.advertised);
}
auto inspect(auto& f, welcome_request& x) {
  return f(x.run, x.joiner);
}
auto inspect(auto& f, welcome_reply& x) {
  return f(x.joiner, x.found, x.facts, x.round, x.neighbour, x.parameters);
}
auto inspect(auto& f, learner_state_request& x) {
  return f(x.run, x.joiner, x.neighbour);
}
auto inspect(auto& f, learner_state_reply& x) {
  return f(x.failure, x.bytes);
}

// --- Monitors ---

auto inspect(auto& f, wait_metrics& x) {
  return f(x.neighbour, x.what, x.waited);
}
auto inspect(auto& f, worker_metrics& x) {
  return f(x.worker, x.done, x.lost, x.rounds, x.gradients, x.timeouts, x.backup_workers, x.loss, x.compute,
           x.wait, x.answers, x.local_steps, x.estimates_late, x.phase, x.in_phase, x.round, x.timeout_in,
           x.component, x.lowest, x.waits, x.maker);
}
auto inspect(auto& f, edge_metrics& x) {
  return f(x.link, x.committed);
}
auto inspect(auto& f, sketch_sums& x) {
  return f(x.estimates, x.sum, x.squared_norms);
}
auto inspect(auto& f, process_metrics& x) {
  return f(x.elapsed, x.workers, x.edges, x.sketch, x.newest_evaluation, x.failure, x.cpu_s, x.peak_rss_bytes,
           x.link_bytes_sent, x.eval_bytes_sent, x.connections_refused, x.leads);
}
auto inspect(auto& f, describe_request&) {
  return f();
}
auto inspect(auto& f, describe_reply& x) {
  return f(x.found, x.spec, x.parameters);
}
auto inspect(auto& f, saved_options_request& x) {
  return f(x.run);
}
auto inspect(auto& f, saved_options_reply& x) {
  return f(x.refusal, x.options);
}
auto inspect(auto& f, metrics_request& x) {
  return f(x.sketch);
}
auto inspect(auto& f, metrics_reply& x) {
  return f(x.run, x.metrics);
}

} // namespace dybw
