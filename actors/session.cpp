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

/// The actors of one run, and when it began.
struct ensemble {
  std::shared_ptr<const topology> graph;
  std::shared_ptr<const training_setup> setup; ///< null without a model
  trainer_pool_actor trainers;                 ///< likewise
  reporter_actor reports;
  std::vector<worker_actor> workers;
  run_origin origin;
};

worker_options options_of(worker_id id, const run_inputs& inputs, const policy_spec& policy,
                          const ensemble& all) {
  const auto& config = inputs.config;
  worker_options options;
  options.machine.self = id;
  options.machine.graph = all.graph;
  options.machine.connect = inputs.connect;
  options.machine.planned_connecting =
      config.exchange ? inputs.connecting : std::make_shared<const std::vector<edge>>();
  options.machine.policy = policy;
  options.machine.weights = config.weights;
  options.machine.on_miss = config.on_miss;
  if (config.rounds)
    options.machine.last_round = *config.rounds;
  if (config.round_timeout_s)
    options.machine.round_timeout = from_seconds(*config.round_timeout_s);
  options.training = all.setup;
  options.initial = inputs.initial[index_of(id)];
  options.clock =
      std::make_shared<step_clock>(config.step_time, config.straggler, config.workers, id, config.seed);
  options.suspect_after = from_seconds(config.suspect_after_s);
  if (config.time_limit_s)
    options.time_limit = from_seconds(*config.time_limit_s);
  options.trainers = all.trainers;
  options.reporter = all.reports;
  return options;
}

ensemble spawn_all(caf::actor_system& system, cast& actors, const run_inputs& inputs,
                   const policy_spec& policy, const std::filesystem::path& rounds_file) {
  const auto& config = inputs.config;
  ensemble all;
  // Without exchange every worker is alone in its graph; all else is the same.
  all.graph = config.exchange ? inputs.graph
                              : std::make_shared<const topology>(config.workers, std::vector<edge>{},
                                                                 inputs.graph->name());
  if (has_model(inputs)) {
    all.setup = std::make_shared<const training_setup>(training_setup{
        inputs.learner, inputs.data.train,
        std::make_shared<const sign_projection>(config.seed, inputs.learner->parameter_count()), config.sgd,
        config.batch});
    const auto threads =
        config.threads > 0 ? config.threads : std::max(1U, std::thread::hardware_concurrency());
    all.trainers = actors.add(system.spawn(trainer_pool, all.setup, std::min(threads, config.workers), true));
  }
  all.reports = actors.add(system.spawn<caf::detached>(reporter, reporter_options{all.graph, rounds_file}));
  for (std::size_t i = 0; i < config.workers; ++i) {
    auto options = options_of(worker_at(i), inputs, policy, all);
    if (all.setup)
      options.shard = actors.add(system.spawn(
          shard, mini_batch_sampler{inputs.rows[i], config.batch,
                                    make_generator(config.seed, random_stream::mini_batches, i)}));
    all.workers.push_back(actors.add(system.spawn(worker, std::move(options))));
  }
  return all;
}

/// Everybody meets before anybody begins.
void begin(caf::scoped_actor& self, cast& actors, const run_inputs& inputs, ensemble& all) {
  const auto& config = inputs.config;
  all.origin = std::chrono::steady_clock::now();
  self->send(all.reports, watch_workers{all.workers, all.origin});
  for (std::size_t i = 0; i < all.workers.size(); ++i) {
    meet_neighbours meet{{}, all.origin};
    for (auto id : all.graph->neighbours(worker_at(i)))
      meet.neighbours.push_back(all.workers[index_of(id)]);
    self->send(all.workers[i], std::move(meet));
  }
  for (const auto& w : all.workers)
    self->send(w, begin_work{});
  if (all.setup)
    actors.add(self->system().spawn<caf::detached>(
        evaluator,
        evaluator_options{inputs.learner, inputs.data.test, all.workers, inputs.initial, all.reports,
                          all.origin, from_seconds(config.eval_every_s), config.target_accuracy}));
}

void fail(run_result& result, const std::string& why) {
  if (result.failed)
    return; // the first reason is the one to tell
  result.failed = true;
  result.failure = why;
}

/// Shows the progress and passes stops on until all workers are done; sets what ended the run in `result`.
void follow(caf::scoped_actor& self, const ensemble& all, const run_controls& controls, run_result& result) {
  std::optional<std::chrono::steady_clock::time_point> stopping_since;
  const auto stop = [&] {
    if (stopping_since)
      return;
    stopping_since = std::chrono::steady_clock::now();
    for (const auto& w : all.workers)
      self->send<caf::message_priority::high>(w, stop_work{});
  };
  if (all.trainers)
    self->monitor(all.trainers);
  std::string no_answer;
  std::uint64_t steps_seen = 0;
  auto moved_at = all.origin;
  for (;;) {
    auto progress = ask<run_progress, progress_wanted>(self, all.reports, no_answer);
    if (!progress)
      return fail(result, no_answer);
    if (progress->workers_done == all.workers.size())
      return;
    if (std::exchange(steps_seen, progress->local_steps) != progress->local_steps)
      moved_at = std::chrono::steady_clock::now();
    else if (time_since(moved_at) > stall_after)
      progress->waiting = longest_wait(self, all.workers);
    if (progress->failure) {
      fail(result, *progress->failure);
      stop();
    }
    if (controls.watch && controls.watch(*progress) && !stopping_since) {
      result.interrupted = true;
      stop();
    }
    if (stopping_since && std::chrono::steady_clock::now() - *stopping_since > stop_patience) {
      spdlog::warn("{} workers did not end in time", all.workers.size() - progress->workers_done);
      return;
    }
    self->receive(
        [&](const caf::down_msg& down) {
          fail(result, "training failed: " + caf::to_string(down.reason));
          stop();
        },
        caf::after(poll_every) >> [] {});
  }
}

/// Joins what the reporter collected with what is known of the run already, and judges it.
void conclude(finished_run& run, const run_inputs& inputs, const policy_spec& policy,
              const run_outcome& outcome) {
  auto& result = run.result;
  const auto ended = std::exchange(result, outcome.result);
  describe(result, inputs, policy);
  result.interrupted = ended.interrupted;
  result.failed = ended.failed;
  result.failure = ended.failure;
  run.series = outcome.series;
  run.bin_width_s = outcome.bin_width_s;
  if (has_model(inputs))
    measure_end(run, inputs, outcome.finals);
  const auto& target = inputs.config.target_accuracy;
  const auto reached =
      std::find_if(result.evaluations.begin(), result.evaluations.end(),
                   [&](const evaluation& e) { return target && e.test_accuracy >= *target; });
  if (reached != result.evaluations.end())
    result.time_to_target_s = reached->time_s;
  if (outcome.failure)
    fail(result, *outcome.failure);
  if (!result.mixing.clean())
    fail(result, "the audit found mixing that is not doubly stochastic: " + outcome.violations.front());
  if (result.workers_lost.size() == inputs.config.workers)
    fail(result, "all workers were lost");
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
  const auto& spec = inputs.policies[policy];
  finished_run run;
  describe(run.result, inputs, spec);
  caf::scoped_actor self{system};
  auto actors = cast{self};
  auto all = spawn_all(system, actors, inputs, spec, controls.rounds_file);
  const auto cpu_before = process_cpu_s();
  begin(self, actors, inputs, all);
  follow(self, all, controls, run.result);
  std::string no_answer;
  const auto outcome = ask<run_outcome_ptr, outcome_wanted>(self, all.reports, no_answer);
  const auto cpu_s = process_cpu_s() - cpu_before;
  if (outcome)
    conclude(run, inputs, spec, **outcome);
  else
    fail(run.result, no_answer);
  run.result.host_cpu_s = cpu_s;
  run.result.peak_rss_bytes = peak_rss_bytes();
  return run;
}

} // namespace dybw
