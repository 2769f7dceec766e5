#include "actors/run/final_measurement.hpp"

#include "actors/local_messages.hpp"
#include "actors/system/process_usage.hpp"
#include "learning/model/test_bench.hpp"

#include <algorithm>
#include <cmath>

namespace dybw {

namespace {

constexpr std::size_t packet_samples = 1024;

/// Scores models on the test set in packets, so that it can be told to stop.
class scorer {
public:
  scorer(test_bench& bench, run_result& result, const std::function<bool()>& stop)
      : bench_(bench), result_(result), stop_(stop), samples_(bench.samples()) {}

  /// Already interrupted: takes as many samples as half a second allows for so many models.
  void hurry(std::span<const float> parameters, std::size_t models) {
    constexpr double budget_s = 0.5;
    const auto begin = std::chrono::steady_clock::now();
    const auto probe = std::min<std::size_t>(bench_.samples(), 64);
    bench_.score(parameters, 0, probe);
    const auto probe_s = std::max(1e-6, to_seconds(time_since(begin)));
    const auto affordable = budget_s / probe_s * static_cast<double>(probe) / static_cast<double>(models);
    samples_ = std::min(bench_.samples(), std::max(probe, static_cast<std::size_t>(affordable)));
  }

  /// On as many samples as there was time for; nothing if there was none.
  std::optional<test_score> score(std::span<const float> parameters) {
    test_score sum;
    std::size_t done = 0;
    while (done < samples_ && !(done > 0 && told_to_stop())) {
      const auto count = std::min(packet_samples, samples_ - done);
      const auto part = bench_.score(parameters, done, count);
      sum.accuracy += part.accuracy * static_cast<double>(count);
      sum.loss += part.loss * static_cast<double>(count);
      done += count;
    }
    whole_ = whole_ && done == bench_.samples();
    const auto n = static_cast<double>(done);
    return done > 0 ? std::optional{test_score{sum.accuracy / n, sum.loss / n}} : std::nullopt;
  }

  bool told_to_stop() {
    if (result_.interrupted || !stop_ || !stop_())
      return false; // an interrupted run hurries already
    result_.interrupted = stopped_ = true;
    return true;
  }

  bool stopped() const noexcept { return stopped_; }
  bool whole() const noexcept { return whole_; } ///< everything was measured on the whole test set

private:
  test_bench& bench_;
  run_result& result_;
  const std::function<bool()>& stop_;
  std::size_t samples_;
  bool stopped_ = false;
  bool whole_ = true;
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

parameter_block copy_of(std::span<const float> values) {
  auto buffer = std::make_shared<float_buffer>(values.size());
  std::copy(values.begin(), values.end(), buffer->values().begin());
  return parameter_block{std::move(buffer)};
}

} // namespace

void measure_final(finished_run& run, const run_inputs& inputs, std::span<const parameter_block> finals,
                   const std::function<bool()>& stop) {
  std::vector<parameter_block> present;
  std::copy_if(finals.begin(), finals.end(), std::back_inserter(present),
               [](const auto& x) { return bool{x}; });
  if (present.empty())
    return;
  const auto cpu_before = thread_cpu_s();
  auto& result = run.result;
  auto bench = test_bench{inputs.learner, inputs.data.test};
  const auto average = bench.average_of(present);
  run.average = copy_of(average.parameters);
  result.consensus_distance = average.consensus_distance;
  if (inputs.config.sgd.step_size == 0)
    result.mixing.mean_drift =
        relative_distance(run.average.values(), bench.average_of(starting_points(inputs)).parameters);

  auto score = scorer{bench, result, stop};
  if (result.interrupted)
    score.hurry(run.average.values(), present.size() + 1);
  const auto own = score.score(run.average.values());
  if (own) {
    result.test_accuracy = own->accuracy;
    result.test_loss = own->loss;
  }
  for (std::size_t i = 0; i < finals.size() && !score.stopped(); ++i) {
    const auto worker = finals[i] ? score.score(finals[i].values()) : std::nullopt;
    if (!worker || score.stopped())
      continue;
    result.per_worker[i].test_accuracy = worker->accuracy;
    result.per_worker[i].test_loss = worker->loss;
    result.worst_worker_accuracy = std::min(result.worst_worker_accuracy.value_or(1), worker->accuracy);
  }
  if (own && score.whole() && result.worst_worker_accuracy)
    result.evaluations.push_back({result.duration_s, result.local_steps, own->accuracy, own->loss,
                                  *result.worst_worker_accuracy, result.consensus_distance,
                                  thread_cpu_s() - cpu_before});
}

} // namespace dybw
