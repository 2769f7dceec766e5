#include "actors/run/final_measurement.hpp"

#include "actors/local_messages.hpp"
#include "actors/system/process_usage.hpp"
#include "actors/system/thread_crew.hpp"
#include "learning/model/test_bench.hpp"

#include <algorithm>
#include <cmath>

namespace dybw {

namespace {

/// An interrupted run: as many samples of so many models as half a second allows for.
std::size_t affordable_samples(test_bench& bench, std::span<const float> parameters, std::size_t models,
                               std::size_t threads) {
  constexpr double budget_s = 0.5;
  const auto begin = std::chrono::steady_clock::now();
  const auto probe = std::min<std::size_t>(bench.samples(), 64);
  bench.score(parameters, probe);
  const auto probe_s = std::max(1e-6, to_seconds(time_since(begin)));
  const auto affordable =
      budget_s / probe_s * static_cast<double>(probe * threads) / static_cast<double>(models);
  return std::min(bench.samples(), std::max(probe, static_cast<std::size_t>(affordable)));
}

/// Asks `pause`, if there is one and the run is not interrupted already; notes what it says.
class stop_switch {
public:
  stop_switch(run_result& result, const std::function<bool(double)>& pause)
      : result_(result), pause_(pause) {}
  bool operator()(double done) {
    if (result_.interrupted || !pause_ || !pause_(done))
      return false; // an interrupted run hurries already
    return result_.interrupted = stopped_ = true;
  }
  bool stopped() const noexcept { return stopped_; }

private:
  run_result& result_;
  const std::function<bool(double)>& pause_;
  bool stopped_ = false;
};

/// |a - b| / |b|
double relative_distance(std::span<const float> a, std::span<const float> b) {
  double moved = 0;
  double size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    moved += std::pow(static_cast<double>(a[i]) - b[i], 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return size > 0 ? std::sqrt(moved / size) : 0;
}

std::vector<parameter_block> starting_points(const run_inputs& inputs) {
  std::vector<parameter_block> points;
  for (std::size_t i = 0; i < inputs.config.workers; ++i)
    points.push_back(starting_point(inputs, worker_at(i)));
  return points;
}

/// Of trainers: the average by one of them, each worker's estimate by its own.
void ask_for_scores(finished_run& run, const test_bench& bench, std::span<const parameter_block> finals,
                    std::span<const std::size_t> scored, work_crew& crew) {
  auto& result = run.result;
  evaluation e;
  e.time_s = result.duration_s;
  e.local_steps = result.local_steps;
  e.consensus_distance = result.consensus_distance;
  e.at_end = true;
  e.scores = bench.ask(run.average.values(), std::nullopt);
  if (e.scores.empty())
    return;
  e.test_accuracy = score_named(e.scores, "accuracy");
  e.test_loss = score_named(e.scores, "loss");
  result.scores = e.scores;
  result.test_accuracy = e.test_accuracy;
  result.test_loss = e.test_loss;
  std::vector<std::vector<named_score>> own(scored.size());
  if (!result.interrupted)
    crew.run(scored.size(),
             [&](std::size_t i, std::size_t) { own[i] = bench.ask(finals[scored[i]].values(), scored[i]); });
  for (std::size_t i = 0; i < scored.size(); ++i) {
    auto& w = result.per_worker[scored[i]];
    w.test_accuracy = score_named(own[i], "accuracy");
    w.test_loss = score_named(own[i], "loss");
    if (!w.test_accuracy)
      continue;
    result.worst_worker_accuracy = std::min(result.worst_worker_accuracy.value_or(1), *w.test_accuracy);
    ++result.scored_workers;
  }
  e.worst_worker_accuracy = result.worst_worker_accuracy;
  e.scored_workers = result.scored_workers;
  result.evaluations.push_back(e);
}

} // namespace

void measure_final(finished_run& run, const run_inputs& inputs, std::span<const parameter_block> finals,
                   const std::function<bool(double done)>& pause) {
  std::vector<parameter_block> present;
  std::copy_if(finals.begin(), finals.end(), std::back_inserter(present),
               [](const auto& x) { return bool{x}; });
  if (present.empty())
    return;
  const auto cpu_before = process_cpu_s();
  auto& result = run.result;
  auto crew = thread_crew{inputs.config.threads};
  auto bench = make_bench(inputs, &crew);
  result.consensus_distance = bench.average_of(present).consensus_distance;
  run.average = bench.take_average();
  if (inputs.config.sgd.step_size == 0)
    result.mixing.mean_drift =
        relative_distance(run.average.values(), bench.average_of(starting_points(inputs)).parameters);

  const auto scored = bench.scored_workers(finals);
  if (bench.asks())
    return ask_for_scores(run, bench, finals, scored, crew);
  auto samples = bench.samples();
  if (result.interrupted)
    samples = affordable_samples(bench, run.average.values(), scored.size() + 1, crew.lanes());
  std::vector<test_bench::task> tasks{{run.average.values(), samples}};
  for (auto i : scored)
    tasks.push_back({finals[i].values(), samples});
  auto stop = stop_switch{result, pause};
  const auto interim = bench.interim_samples(finals.size());
  const auto tallies = bench.score(tasks, interim, std::ref(stop));

  if (tallies.front().samples > 0) {
    result.test_accuracy = tallies.front().mean().accuracy;
    result.test_loss = tallies.front().mean().loss;
  }
  for (std::size_t k = 0; k < scored.size() && tallies[k + 1].samples == samples; ++k) {
    const auto own = tallies[k + 1].mean();
    result.per_worker[scored[k]].test_accuracy = own.accuracy;
    result.per_worker[scored[k]].test_loss = own.loss;
    result.worst_worker_accuracy = std::min(result.worst_worker_accuracy.value_or(1), own.accuracy);
    ++result.scored_workers;
  }
  if (stop.stopped() || samples < bench.samples())
    return;
  evaluation e;
  e.time_s = result.duration_s;
  e.local_steps = result.local_steps;
  e.test_accuracy = result.test_accuracy;
  e.test_loss = result.test_loss;
  e.consensus_distance = result.consensus_distance;
  test_bench::compare(e, tallies, interim);
  e.cpu_s = process_cpu_s() - cpu_before;
  e.at_end = true;
  result.evaluations.push_back(e);
}

} // namespace dybw
