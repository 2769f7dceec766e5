#include "actors/run/run_end.hpp"

#include "actors/run/final_measurement.hpp"

#include <algorithm>
#include <utility>

namespace dybw {

void describe(run_result& result, const run_inputs& inputs, const policy_spec& policy) {
  const auto& config = inputs.config;
  result.policy = policy.text;
  result.workers = config.workers;
  result.edges = inputs.graph->edges().size();
  result.topology = inputs.graph->name();
  result.dataset = inputs.learners ? inputs.model->name() : has_model(inputs) ? inputs.data.name : "none";
  result.trainer = config.trainer.empty() ? config.attach : config.trainer;
  if (inputs.data.train)
    result.data = summary_of(inputs.data);
  result.partition = config.partition_text;
  result.model = inputs.model->name();
  result.parameters = inputs.model->parameter_count();
  result.model_layout = inputs.model->layout();
  result.seed = config.seed;
  result.clock = config.clock == clock_kind::real ? "real" : "virtual";
}

void note_earlier(run_result& result, const std::optional<resumed_part>& before) {
  result.resumed = before;
  if (before && result.rounds > before->round)
    result.mean_round_s = result.duration_s / static_cast<double>(result.rounds - before->round);
}

void fail(run_result& result, const std::string& why) {
  if (result.failed)
    return; // the first reason is the one to tell
  result.failed = true;
  result.failure = why;
}

std::string all_left_text(const std::vector<run_node>& nodes) {
  const auto stays = [](const run_node& n) { return n.left.empty(); };
  if (nodes.empty() || std::any_of(nodes.begin(), nodes.end(), stays))
    return {};
  return "every node left the run; " + nodes.front().address + ": " + nodes.front().left;
}

void judge(run_result& result, const run_config& config, const run_outcome& outcome) {
  const auto reached = std::ranges::find_if(result.evaluations, [&](const evaluation& e) {
    return reaches(e, config.target_accuracy, config.target);
  });
  if (reached != result.evaluations.end())
    result.time_to_target_s = std::min(reached->time_s, result.duration_s);
  if (outcome.failure)
    fail(result, *outcome.failure);
  if (!result.mixing.clean())
    fail(result, "the audit found mixing that is not doubly stochastic" +
                     (outcome.violations.empty() ? "" : ": " + outcome.violations.front()));
  if (result.workers_lost.size() == config.workers)
    fail(result, "all workers were lost");
}

bool measuring_watch::operator()(double done) {
  if (time_since(began_) > std::chrono::seconds{1})
    last_.measured = done;
  return watch_ && watch_(last_);
}

void conclude(finished_run& run, const run_inputs& inputs, const policy_spec& policy,
              const run_outcome& outcome, const std::function<bool(double done)>& pause) {
  auto& result = run.result;
  const auto ended = std::exchange(result, outcome.result);
  describe(result, inputs, policy);
  result.interrupted = ended.interrupted;
  result.failed = ended.failed;
  result.failure = ended.failure;
  result.not_written.insert(result.not_written.end(), ended.not_written.begin(), ended.not_written.end());
  run.series = outcome.series;
  run.bin_width_s = outcome.bin_width_s;
  for (const auto& [id, why] : outcome.failed)
    result.per_worker[index_of(id)].failure = why;
  if (has_model(inputs))
    measure_final(run, inputs, outcome.finals, pause);
  judge(result, inputs.config, outcome);
}

} // namespace dybw
