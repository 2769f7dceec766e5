#include "apps/results/run_json.hpp"

#include "actors/reporting/evals_file.hpp"
#include "apps/program/version.hpp"
#include "learning/base/number_text.hpp"

#include <bit>
#include <cmath>

namespace dybw {

namespace {

using nlohmann::ordered_json;

/// JSON has no word for infinity or not-a-number.
ordered_json number(double x) {
  return std::isfinite(x) ? ordered_json(x) : ordered_json(nullptr);
}

ordered_json number(const std::optional<double>& x) {
  return x ? number(*x) : ordered_json(nullptr);
}

ordered_json text_or_null(const std::string& x) {
  return x.empty() ? ordered_json(nullptr) : ordered_json(x);
}

ordered_json mixing_to_json(const mixing_summary& mixing) {
  ordered_json json{
      {"rounds_audited", mixing.rounds_audited},
      {"rounds_unaudited", mixing.rounds_unaudited},
      {"max_row_error", number(mixing.max_row_error)},
      {"max_column_error", number(mixing.max_column_error)},
      {"max_projection_error", number(mixing.max_projection_error)},
      {"one_sided_edges", mixing.one_sided_edges},
      {"edges_lost", mixing.edges_lost},
      {"connect_rounds_max", mixing.connect_rounds_max},
  };
  if (mixing.mean_drift)
    json["mean_drift"] = number(mixing.mean_drift);
  return json;
}

ordered_json worker_to_json(const worker_summary& worker) {
  ordered_json json{
      {"worker", index_of(worker.id)},
      {"rounds", worker.rounds},
      {"local_steps", worker.local_steps},
      {"compute_s", number(worker.compute_s)},
      {"discarded_s", number(worker.discarded_s)},
      {"wait_s", number(worker.wait_s)},
      {"mean_step_s", number(worker.mean_step_s)},
      {"mean_backup_workers", number(worker.mean_backup_workers)},
      {"test_accuracy", number(worker.test_accuracy)},
      {"test_loss", number(worker.test_loss)},
  };
  if (!worker.failure.empty())
    json["failure"] = worker.failure;
  return json;
}

/// What trainers said; null where there are none.
ordered_json scores_to_json(const std::vector<named_score>& scores) {
  ordered_json json;
  for (const auto& s : scores)
    json[s.name] = number(s.value);
  return json;
}

ordered_json node_to_json(const run_node& node) {
  return {{"node", node.address},
          {"workers", node.workers},
          {"lost", node.lost},
          {"left", node.left.empty() ? ordered_json(nullptr) : ordered_json(node.left)}};
}

ordered_json resumed_to_json(const std::optional<resumed_part>& before) {
  if (!before)
    return nullptr;
  return {{"round", before->round}, {"duration_s", number(before->duration_s)}};
}

ordered_json edge_to_json(const edge_activity& activity) {
  return {
      {"edge", {index_of(activity.link.a), index_of(activity.link.b)}},
      {"active_share", number(activity.active_share)},
  };
}

template <class Values, class Convert>
ordered_json array(const Values& values, Convert convert) {
  auto json = ordered_json::array();
  for (const auto& value : values)
    json.push_back(convert(value));
  return json;
}

template <class Value>
ordered_json or_null(const std::optional<Value>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

std::string state_of(const run_result& result) {
  return result.failed ? "failed" : result.interrupted ? "interrupted" : "done";
}

/// Null if nothing was read.
ordered_json data_to_json(const data_summary& data) {
  if (data.training_samples == 0)
    return nullptr;
  const auto& reading = data.reading;
  return {
      {"training_samples", data.training_samples},
      {"test_samples", data.test_samples},
      {"features", data.features},
      {"classes", data.classes},
      {"format", reading.format},
      {"label", reading.label.empty() ? ordered_json(nullptr) : ordered_json(reading.label)},
      {"scaling", reading.scaling},
      {"notes", ordered_json(reading.notes)},
  };
}

} // namespace

ordered_json to_json(const evaluation& measured) {
  return ordered_json::parse(evaluation_line(measured));
}

ordered_json to_json(const run_result& result) {
  return {
      {"policy", result.policy},
      {"state", state_of(result)},
      {"workers", result.workers},
      {"edges", result.edges},
      {"topology", result.topology},
      {"dataset", result.dataset},
      {"data", data_to_json(result.data)},
      {"partition", result.partition},
      {"model", result.model},
      {"trainer", text_or_null(result.trainer)},
      {"parameters", result.parameters},
      {"model_layout", to_json(result.model_layout)},
      {"seed", result.seed},
      {"clock", result.clock},
      {"rounds", result.rounds},
      {"local_steps", result.local_steps},
      {"duration_s", number(result.duration_s)},
      {"mean_round_s", number(result.mean_round_s)},
      {"resumed", resumed_to_json(result.resumed)},
      {"time_to_target_s", number(result.time_to_target_s)},
      {"test_accuracy", number(result.test_accuracy)},
      {"test_loss", number(result.test_loss)},
      {"scores", scores_to_json(result.scores)},
      {"worst_worker_accuracy", number(result.worst_worker_accuracy)},
      {"scored_workers", result.scored_workers},
      {"consensus_distance", number(result.consensus_distance)},
      {"useful_gradient_rate", number(result.useful_gradient_rate)},
      {"no_wait_rate", number(result.no_wait_rate)},
      {"compute_share", number(result.compute_share)},
      {"mean_backup_workers", number(result.mean_backup_workers)},
      {"mean_active_share", number(result.mean_active_share)},
      {"timeouts", result.timeouts},
      {"estimates_sent", result.estimates_sent},
      {"estimates_late", result.estimates_late},
      {"steps_discarded", result.steps_discarded},
      {"coverage_sweeps", result.coverage_sweeps},
      {"samples", result.samples},
      {"bytes_sent", result.bytes_sent},
      {"link_bytes_sent", result.link_bytes_sent},
      {"eval_bytes_sent", result.eval_bytes_sent},
      {"host_cpu_s", number(result.host_cpu_s)},
      {"eval_cpu_s", number(result.eval_cpu_s)},
      {"peak_rss_bytes", result.peak_rss_bytes},
      {"threshold_delay_p99_s", number(result.threshold_delay_p99_s)},
      {"threshold_delay_max_s", number(result.threshold_delay_max_s)},
      {"mixing", mixing_to_json(result.mixing)},
      {"workers_lost", ordered_json(result.workers_lost)},
      {"nodes", array(result.nodes, node_to_json)},
      {"not_written", ordered_json(result.not_written)},
      {"interrupted", result.interrupted},
      {"failed", result.failed},
      {"failure", result.failed ? ordered_json(result.failure) : ordered_json(nullptr)},
      {"per_worker", array(result.per_worker, worker_to_json)},
      {"per_edge", array(result.per_edge, edge_to_json)},
      {"evaluations", array(result.evaluations, [](const evaluation& each) { return to_json(each); })},
  };
}

ordered_json config_to_json(const run_config& config) {
  const auto is_table = config.data.name == "csv" || config.data.name == "libsvm";
  ordered_json json{
      {"dataset", config.data.name},
      {"data", config.data.path.empty() ? ordered_json(nullptr) : ordered_json(config.data.path.string())},
      {"test-share", is_table ? number(config.data.test_share) : ordered_json(nullptr)},
      {"label", text_or_null(config.data.label)},
      {"scaling", config.data.standardise ? "standard" : "unit"},
      {"augment", config.data.mirror ? "mirror" : "none"},
      {"partition", config.partition_text},
      {"workers", config.workers},
      {"topology", config.topology},
      {"connect", config.connect},
      {"policy", ordered_json(config.policies)},
      {"on-miss", config.on_miss == miss_rule::carry ? "carry" : "discard"},
      {"weights", nullptr},
      {"exchange", config.exchange ? "on" : "off"},
      {"rounds", or_null(config.rounds)},
      {"time-limit", number(config.time_limit_s)},
      {"target-accuracy", number(config.target_accuracy)},
      {"target", config.target ? ordered_json(config.target->name + '=' + number_text(config.target->value))
                               : ordered_json(nullptr)},
      {"model", config.model},
      {"trainer", text_or_null(config.trainer)},
      {"trainer-restart", config.trainer_restarts},
      {"attach", text_or_null(config.attach)},
      {"batch", config.batch},
      {"step-size", number(config.sgd.step_size)},
      {"step-decay", number(config.sgd.step_decay)},
      {"momentum", number(config.sgd.momentum)},
      {"weight-decay", number(config.sgd.weight_decay)},
      {"local-steps", config.local_steps > 1 ? ordered_json(config.local_steps) : ordered_json(nullptr)},
      {"local-time", number(config.local_time_s)},
      {"outer-momentum", config.outer.is_on() ? number(config.outer.momentum) : ordered_json(nullptr)},
      {"outer-step", config.outer.is_on() ? number(config.outer.step) : ordered_json(nullptr)},
      {"correction", number(config.correction)},
      {"send", std::string{to_string(config.send)}},
      {"start", config.start == start_rule::same ? "same" : "random"},
      {"clock", config.clock == clock_kind::real ? "real" : "virtual"},
      {"step-time", config.step_time.empty() ? "none" : config.step_time},
      {"straggler", config.straggler},
      {"link-latency", config.link_latency.empty() ? "none" : config.link_latency},
      {"link-bandwidth", config.link_bandwidth ? number(config.link_bandwidth) : ordered_json("none")},
      {"mix-time", number(config.mix_time_s)},
      {"round-timeout", config.round_timeout_s ? number(config.round_timeout_s) : ordered_json("auto")},
      {"suspect-after", number(config.suspect_after_s)},
      {"threads", config.threads},
      {"seed", config.seed},
      {"eval-every", number(config.eval_every_s)},
      {"checkpoint-every", number(config.checkpoint_every_s)},
      {"log-max", config.log_bytes_max >> 20U},
  };
  if (config.has_own_model()) // that is the trainers' affair
    for (const auto* name : {"dataset", "model", "scaling", "augment", "batch", "step-size", "step-decay",
                             "momentum", "weight-decay", "start"})
      json[name] = nullptr;
  if (config.weights)
    json["weights"] = *config.weights == weight_rule::active ? "active" : "graph";
  return json;
}

ordered_json results_to_json(const run_config& config, std::span<const run_result> results) {
  return {
      {"dybw", version()},
      {"state", results.empty() ? "done" : state_of(results.back())},
      {"config", config_to_json(config)},
      {"runs", array(results, [](const run_result& each) { return to_json(each); })},
  };
}

ordered_json running_to_json(const run_config& config, std::span<const run_result> results,
                             const std::string& policy, const run_progress& now) {
  auto document = results_to_json(config, results);
  document["state"] = "running";
  document["runs"].push_back({
      {"policy", policy},
      {"state", "running"},
      {"workers", config.workers},
      {"topology", config.topology},
      {"dataset", config.model == "none" ? "none" : config.data.name},
      {"partition", config.partition_text},
      {"model", config.model},
      {"seed", config.seed},
      {"clock", config.clock == clock_kind::real ? "real" : "virtual"},
      {"rounds", now.newest_round},
      {"local_steps", now.local_steps},
      {"duration_s", now.begun ? number(to_seconds(now.elapsed)) : ordered_json(0.0)},
      {"test_accuracy", number(now.accuracy)},
      {"not_written",
       now.not_written.empty() ? ordered_json::array() : ordered_json::array({now.not_written})},
  });
  return document;
}

ordered_json to_json(const parameter_layout& layout) {
  return array(layout, [](const parameter_array& each) {
    return ordered_json{{"name", each.name}, {"shape", ordered_json(each.shape)}, {"offset", each.offset}};
  });
}

std::string npy_header(std::span<const std::uint64_t> shape) {
  static_assert(std::endian::native == std::endian::little, "the file's byte order is the host's");
  constexpr std::size_t preamble_bytes = 10; // magic, version, length of the rest
  constexpr std::size_t alignment_bytes = 64;
  std::string extents;
  for (auto extent : shape) {
    if (!extents.empty())
      extents += ' ';
    extents += std::to_string(extent) + ',';
  }
  if (shape.size() > 1)
    extents.pop_back(); // one extent alone keeps its comma: a tuple
  auto rest = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + extents + "), }";
  const auto used = preamble_bytes + rest.size() + 1;
  rest.append((alignment_bytes - used % alignment_bytes) % alignment_bytes, ' ');
  rest += '\n';
  std::string header{"\x93NUMPY\x01\x00", 8};
  header += static_cast<char>(rest.size() & 0xff);
  header += static_cast<char>(rest.size() >> 8);
  return header + rest;
}

} // namespace dybw
