#include "actors/session.hpp"

#include "actors/evaluator.hpp"
#include "actors/process_usage.hpp"
#include "actors/reporter.hpp"
#include "actors/shard.hpp"
#include "actors/trainer.hpp"
#include "actors/worker.hpp"
#include "learning/data/partition.hpp"
#include "learning/model/test_bench.hpp"

#include <caf/scheduler/abstract_coordinator.hpp>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <thread>

namespace dybw {

namespace {

constexpr auto poll_every = std::chrono::milliseconds{100};
/// After so long without a finished step the launcher asks the workers what they wait for.
constexpr auto stall_after = std::chrono::seconds{2};
/// How long a run may take to end once it was asked to: a gradient step, a settle, the last reports.
constexpr auto stop_patience = std::chrono::milliseconds{1500};

bool has_model(const run_inputs& inputs) {
  return inputs.learner->parameter_count() > 0;
}

std::vector<parameter_block> starting_points(const run_config& config, const model& learner) {
  const auto make = [&](std::uint64_t seed) {
    auto buffer = std::make_shared<float_buffer>(learner.parameter_count());
    learner.initialise(seed, buffer->values());
    return buffer;
  };
  if (config.start == start_rule::same)
    return std::vector<parameter_block>(config.workers, parameter_block{make(config.seed)});
  std::vector<parameter_block> points;
  for (std::size_t i = 0; i < config.workers; ++i) {
    auto buffer = make(config.seed);
    auto generator = make_generator(config.seed, random_stream::parameters, i + 1);
    std::normal_distribution<float> normal;
    for (auto& x : buffer->values())
      x = 1 + normal(generator); // a mean that is not zero, so that a relative drift means something
    points.emplace_back(std::move(buffer));
  }
  return points;
}

/// The actors of one run, sent away together at the end.
class cast {
public:
  explicit cast(caf::scoped_actor& self) : self_(self) {}
  ~cast() {
    for (const auto& a : actors_)
      self_->send_exit(a, caf::exit_reason::user_shutdown);
    for (const auto& a : actors_)
      self_->wait_for(a);
  }
  cast(const cast&) = delete;
  cast& operator=(const cast&) = delete;

  template <class Handle>
  Handle add(Handle handle) {
    actors_.push_back(caf::actor_cast<caf::actor>(handle));
    return handle;
  }

private:
  caf::scoped_actor& self_;
  std::vector<caf::actor> actors_;
};

/// Asks the reporter; nothing if it does not answer, which is said in `failure`.
template <class Answer, class Question>
std::optional<Answer> ask(caf::scoped_actor& self, const reporter_actor& reporter, std::string& failure) {
  std::optional<Answer> answer;
  self->request(reporter, std::chrono::seconds{30}, Question{})
      .receive([&](Answer& x) { answer = std::move(x); },
               [&](const caf::error& e) { failure = "the reporter failed: " + caf::to_string(e); });
  return answer;
}

/// Who has waited longest, for whom and for what.
std::string longest_wait(caf::scoped_actor& self, const std::vector<worker_actor>& workers) {
  std::string text;
  auto longest = nanoseconds{0};
  for (const auto& w : workers)
    self->request(w, std::chrono::milliseconds{100}, status_wanted{})
        .receive(
            [&](const worker_status& s) {
              for (const auto& cause : s.machine.waiting_for) {
                const auto waited = s.now - cause.since;
                if (waited <= longest)
                  continue;
                longest = waited;
                const auto whom = cause.neighbour == s.worker ? std::string{"any worker"}
                                                              : "worker " + to_string(cause.neighbour);
                text = fmt::format("worker {} waits for {}: {}, {:.1f} s", to_string(s.worker), whom,
                                   to_string(cause.what), to_seconds(waited));
              }
            },
            [](const caf::error&) {}); // it is gone, or very busy: the others tell
  return text;
}

void describe(run_result& result, const run_inputs& inputs, const policy_spec& policy) {
  const auto& config = inputs.config;
  result.policy = policy.text;
  result.workers = config.workers;
  result.edges = inputs.graph->edges().size();
  result.topology = inputs.graph->name();
  result.dataset = has_model(inputs) ? inputs.data.name : "none";
  result.partition = config.partition_text;
  result.model = inputs.learner->name();
  result.parameters = inputs.learner->parameter_count();
  result.seed = config.seed;
}

/// How many test samples can be afforded: all, unless the user waits for an interrupted run to end.
std::size_t final_samples(test_bench& bench, std::span<const float> parameters, std::size_t models,
                          bool interrupted) {
  constexpr std::size_t probe_samples = 256;
  constexpr double budget_s = 0.5;
  if (!interrupted)
    return bench.samples();
  const auto begin = std::chrono::steady_clock::now();
  bench.score(parameters, probe_samples);
  const auto probe_s = std::max(1e-6, to_seconds(time_since(begin)));
  const auto affordable = budget_s / probe_s * probe_samples / static_cast<double>(models);
  return std::min(bench.samples(), std::max(probe_samples, static_cast<std::size_t>(affordable)));
}

/// The figures at the end, on the whole test set or as much of it as there is time for.
void measure_end(finished_run& run, const run_inputs& inputs, const std::vector<parameter_block>& finals) {
  std::vector<parameter_block> present;
  for (const auto& x : finals)
    if (x)
      present.push_back(x);
  if (present.empty())
    return;
  auto bench = test_bench{inputs.learner, inputs.data.test};
  auto& result = run.result;
  const auto initial = bench.average_of(inputs.initial);
  const auto initial_mean = std::vector<float>(initial.parameters.begin(), initial.parameters.end());
  const auto average = bench.average_of(present);
  result.consensus_distance = average.consensus_distance;
  if (inputs.config.sgd.step_size == 0) {
    double moved = 0;
    double size = 0;
    for (std::size_t i = 0; i < initial_mean.size(); ++i) {
      moved += std::pow(static_cast<double>(average.parameters[i]) - initial_mean[i], 2);
      size += std::pow(static_cast<double>(initial_mean[i]), 2);
    }
    result.mixing.mean_drift = size > 0 ? std::sqrt(moved / size) : 0;
  }
  const auto samples = final_samples(bench, average.parameters, present.size() + 1, result.interrupted);
  const auto score = bench.score(average.parameters, samples);
  result.test_accuracy = score.accuracy;
  result.test_loss = score.loss;
  auto buffer = std::make_shared<float_buffer>(average.parameters.size());
  std::copy(average.parameters.begin(), average.parameters.end(), buffer->values().begin());
  run.average = parameter_block{std::move(buffer)};
  for (std::size_t i = 0; i < finals.size(); ++i) {
    if (!finals[i])
      continue;
    const auto own = bench.score(finals[i].values(), samples);
    result.per_worker[i].test_accuracy = own.accuracy;
    result.per_worker[i].test_loss = own.loss;
    result.worst_worker_accuracy = std::min(result.worst_worker_accuracy.value_or(1), own.accuracy);
  }
}

} // namespace

system_config::system_config() {
  add_message_types<caf::id_block::dybw>();
  set("scheduler.policy", caf::atom("sharing"));
  set("scheduler.max-threads", std::clamp<std::size_t>(std::thread::hardware_concurrency(), 2, 8));
}

run_inputs prepare_run(const run_config& config) {
  run_inputs inputs;
  inputs.config = config;
  auto& graph = inputs.graph;
  graph = std::make_shared<const topology>(make_topology(config.topology, config.workers, config.seed));
  auto least = worker_id{0};
  for (std::size_t i = 1; i < config.workers; ++i)
    if (graph->degree(worker_at(i)) < graph->degree(least))
      least = worker_at(i);
  for (const auto& text : config.policies)
    inputs.policies.push_back(parse_policy(text, graph->smallest_degree(), least));
  inputs.connect = parse_connect(config.connect, *graph);
  if (std::any_of(inputs.policies.begin(), inputs.policies.end(),
                  [](const policy_spec& p) { return p.closes_by_threshold(); }))
    inputs.connecting = std::make_shared<const std::vector<edge>>(
        connecting_edges(*graph, inputs.connect, worker_id{0}, [](edge) { return true; }));
  if (config.model == "none") {
    inputs.learner = make_model("none", 1, 1);
    inputs.initial.resize(config.workers);
    return inputs;
  }
  inputs.data = load_data(config.data);
  inputs.learner = make_model(config.model, inputs.data.train->features, inputs.data.train->classes);
  inputs.rows = partition_rows(*inputs.data.train, config.workers, config.partition, config.seed);
  inputs.initial = starting_points(config, *inputs.learner);
  return inputs;
}

finished_run run_policy(caf::actor_system& system, const run_inputs& inputs, std::size_t policy,
                        const run_controls& controls) {
  const auto& config = inputs.config;
  const auto& spec = inputs.policies[policy];
  finished_run run;
  describe(run.result, inputs, spec);

  // Without exchange every worker is alone in its graph; all else is the same.
  const auto graph = config.exchange ? inputs.graph
                                     : std::make_shared<const topology>(config.workers, std::vector<edge>{},
                                                                        inputs.graph->name());
  const auto threads =
      config.threads > 0 ? config.threads : std::max(1U, std::thread::hardware_concurrency());

  caf::scoped_actor self{system};
  auto actors = cast{self};
  std::shared_ptr<const training_setup> setup;
  trainer_pool_actor trainers;
  if (has_model(inputs)) {
    setup = std::make_shared<const training_setup>(training_setup{
        inputs.learner, inputs.data.train,
        std::make_shared<const sign_projection>(config.seed, inputs.learner->parameter_count()), config.sgd,
        config.batch});
    trainers = actors.add(system.spawn(trainer_pool, setup, std::min(threads, config.workers), true));
  }
  const auto reporter_handle =
      actors.add(system.spawn<caf::detached>(reporter, reporter_options{graph, controls.rounds_file}));

  std::vector<worker_actor> workers;
  for (std::size_t i = 0; i < config.workers; ++i) {
    const auto id = worker_at(i);
    worker_options options;
    options.machine.self = id;
    options.machine.graph = graph;
    options.machine.connect = inputs.connect;
    options.machine.planned_connecting =
        config.exchange ? inputs.connecting : std::make_shared<const std::vector<edge>>();
    options.machine.policy = spec;
    options.machine.weights = config.weights;
    options.machine.on_miss = config.on_miss;
    if (config.rounds)
      options.machine.last_round = *config.rounds;
    if (config.round_timeout_s)
      options.machine.round_timeout = from_seconds(*config.round_timeout_s);
    options.training = setup;
    options.initial = inputs.initial[i];
    options.clock =
        std::make_shared<step_clock>(config.step_time, config.straggler, config.workers, id, config.seed);
    options.suspect_after = from_seconds(config.suspect_after_s);
    if (config.time_limit_s)
      options.time_limit = from_seconds(*config.time_limit_s);
    options.reporter = reporter_handle;
    if (setup) {
      options.trainers = trainers;
      options.shard = actors.add(system.spawn(
          shard, mini_batch_sampler{inputs.rows[i], config.batch,
                                    make_generator(config.seed, random_stream::mini_batches, i)}));
    }
    workers.push_back(actors.add(system.spawn(worker, std::move(options))));
  }

  const auto cpu_before = process_cpu_s();
  const auto origin = std::chrono::steady_clock::now();
  self->send(reporter_handle, watch_workers{workers, origin});
  for (std::size_t i = 0; i < workers.size(); ++i) {
    meet_neighbours meet{{}, origin};
    for (auto id : graph->neighbours(worker_at(i)))
      meet.neighbours.push_back(workers[index_of(id)]);
    self->send(workers[i], std::move(meet));
  }
  for (const auto& w : workers)
    self->send(w, begin_work{});
  if (setup)
    actors.add(system.spawn<caf::detached>(
        evaluator,
        evaluator_options{inputs.learner, inputs.data.test, workers, inputs.initial, reporter_handle, origin,
                          from_seconds(config.eval_every_s), config.target_accuracy}));

  auto& result = run.result;
  std::optional<std::chrono::steady_clock::time_point> stopping_since;
  const auto stop = [&] {
    if (stopping_since)
      return;
    stopping_since = std::chrono::steady_clock::now();
    for (const auto& w : workers)
      self->send<caf::message_priority::high>(w, stop_work{});
  };
  std::string reporter_failure;
  if (trainers)
    self->monitor(trainers);
  std::uint64_t steps_seen = 0;
  auto moved_at = origin;
  for (;;) {
    auto progress = ask<run_progress, progress_wanted>(self, reporter_handle, reporter_failure);
    if (!progress || progress->workers_done == workers.size())
      break;
    if (std::exchange(steps_seen, progress->local_steps) != progress->local_steps)
      moved_at = std::chrono::steady_clock::now();
    else if (time_since(moved_at) > stall_after)
      progress->waiting = longest_wait(self, workers);
    if (progress->failure && !result.failed) {
      result.failed = true;
      result.failure = *progress->failure;
      stop();
    }
    if (controls.watch && controls.watch(*progress) && !stopping_since) {
      result.interrupted = true;
      stop();
    }
    if (stopping_since && std::chrono::steady_clock::now() - *stopping_since > stop_patience) {
      spdlog::warn("{} workers did not end in time", workers.size() - progress->workers_done);
      break;
    }
    self->receive(
        [&](const caf::down_msg& down) {
          result.failed = true;
          result.failure = "training failed: " + caf::to_string(down.reason);
          stop();
        },
        caf::after(poll_every) >> [] {});
  }
  const auto outcome = ask<run_outcome_ptr, outcome_wanted>(self, reporter_handle, reporter_failure);
  if (!outcome) {
    result.failed = true;
    result.failure = reporter_failure;
    return run;
  }
  auto described = std::move(result);
  result = (*outcome)->result;
  describe(result, inputs, spec);
  result.interrupted = described.interrupted;
  result.failed = described.failed;
  result.failure = described.failure;
  result.host_cpu_s = process_cpu_s() - cpu_before;
  run.series = (*outcome)->series;
  run.bin_width_s = (*outcome)->bin_width_s;
  if (setup)
    measure_end(run, inputs, (*outcome)->finals);
  if (config.target_accuracy)
    for (const auto& e : result.evaluations)
      if (e.test_accuracy >= *config.target_accuracy) {
        result.time_to_target_s = e.time_s;
        break;
      }
  result.peak_rss_bytes = peak_rss_bytes();
  if (!result.mixing.clean() && !result.failed) {
    result.failed = true;
    result.failure =
        "the audit found mixing that is not doubly stochastic: " + (*outcome)->violations.front();
  }
  if (result.workers_lost.size() == workers.size() && !result.failed) {
    result.failed = true;
    result.failure = "all workers were lost";
  }
  return run;
}

} // namespace dybw
