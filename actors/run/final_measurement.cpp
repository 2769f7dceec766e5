#include "actors/run/final_measurement.hpp"

#include "actors/local_messages.hpp"
#include "actors/system/process_usage.hpp"
#include "actors/system/thread_crew.hpp"
#include "learning/model/test_bench.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <exception>
#include <semaphore>
#include <system_error>
#include <thread>

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
  /// Whether there is somebody to ask.
  bool asks() const noexcept { return !result_.interrupted && pause_; }
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
  return moved == 0 ? 0 : std::sqrt(moved / size); // not finite if they are not, or b is 0
}

std::vector<parameter_block> starting_points(const run_inputs& inputs) {
  std::vector<parameter_block> points;
  for (std::size_t i = 0; i < inputs.config.workers; ++i)
    points.push_back(starting_point(inputs, worker_at(i)));
  return points;
}

/// Does work that takes as long as others like, while this thread looks at what goes on beside it.
void do_watched(const std::function<void()>& work, const std::function<void()>& look) {
  constexpr auto look_again_after = std::chrono::milliseconds{50};
  std::binary_semaphore done{0};
  std::exception_ptr failure;
  std::jthread doing;
  try {
    doing = std::jthread{[&] {
      try {
        work();
      } catch (...) {
        failure = std::current_exception();
      }
      done.release();
    }};
  } catch (const std::system_error&) { // no thread is to be had
    return work();
  }
  while (!done.try_acquire_for(look_again_after))
    look();
  doing.join();
  if (failure)
    std::rethrow_exception(failure);
}

/// What trainers say: of the average one of them, of each worker's estimate its own.
struct trainers_scores {
  std::vector<named_score> average;
  std::vector<std::vector<named_score>> own; ///< [scored], empty where nobody was asked
};

trainers_scores ask_trainers(const finished_run& run, const test_bench& bench,
                             std::span<const parameter_block> finals, std::span<const std::size_t> scored,
                             work_crew& crew, stop_switch& stop) {
  trainers_scores said;
  said.own.resize(scored.size());
  std::atomic<std::size_t> answers{0};
  std::atomic<bool> enough{run.result.interrupted};
  const auto ask_all = [&] {
    said.average = bench.ask(run.average.values(), std::nullopt);
    ++answers;
    if (said.average.empty())
      return;
    crew.run(scored.size(), [&](std::size_t i, std::size_t) {
      if (!enough)
        said.own[i] = bench.ask(finals[scored[i]].values(), scored[i]);
      ++answers;
    });
  };
  if (!stop.asks()) {
    ask_all();
    return said;
  }
  do_watched(ask_all, [&] {
    if (stop(static_cast<double>(answers) / static_cast<double>(scored.size() + 1)))
      enough = true;
  });
  return said;
}

/// Of trainers, whose scores are all that is known.
void take_scores(finished_run& run, const test_bench& bench, std::span<const parameter_block> finals,
                 std::span<const std::size_t> scored, work_crew& crew, stop_switch& stop) {
  auto& result = run.result;
  evaluation e;
  e.time_s = result.duration_s;
  e.local_steps = result.local_steps;
  e.consensus_distance = result.consensus_distance;
  e.at_end = true;
  const auto said = ask_trainers(run, bench, finals, scored, crew, stop);
  e.scores = said.average;
  if (e.scores.empty())
    return;
  e.test_accuracy = score_named(e.scores, "accuracy");
  e.test_loss = score_named(e.scores, "loss");
  result.scores = e.scores;
  result.test_accuracy = e.test_accuracy;
  result.test_loss = e.test_loss;
  for (std::size_t i = 0; i < scored.size(); ++i) {
    auto& w = result.per_worker[scored[i]];
    w.test_accuracy = score_named(said.own[i], "accuracy");
    w.test_loss = score_named(said.own[i], "loss");
    if (!w.test_accuracy)
      continue;
    result.worst_worker_accuracy = std::min(result.worst_worker_accuracy.value_or(1), *w.test_accuracy);
    ++result.scored_workers;
  }
  if (stop.stopped())
    return;
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
  auto stop = stop_switch{result, pause};
  if (bench.asks())
    return take_scores(run, bench, finals, scored, crew, stop);
  auto samples = bench.samples();
  if (result.interrupted)
    samples = affordable_samples(bench, run.average.values(), scored.size() + 1, crew.lanes());
  std::vector<test_bench::task> tasks{{run.average.values(), samples}};
  for (auto i : scored)
    tasks.push_back({finals[i].values(), samples});
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
