#include "actors/run/run_inputs.hpp"

#include "actors/trainers/trainer_group.hpp"
#include "learning/base/error.hpp"
#include "learning/base/random.hpp"
#include "learning/data/load.hpp"
#include "learning/data/partition.hpp"
#include "learning/model/make_model.hpp"
#include "learning/straggler/step_time.hpp"

#include <algorithm>
#include <random>

namespace dybw {

namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw input_error{input_fault::configuration, "the run's description " + what, "from the launcher",
                    "use the same version of dybw everywhere"};
}

void read_policies(run_inputs& inputs) {
  const auto& graph = *inputs.graph;
  auto least = worker_id{0};
  for (std::size_t i = 1; i < graph.workers(); ++i)
    if (graph.degree(worker_at(i)) < graph.degree(least))
      least = worker_at(i);
  for (const auto& text : inputs.config.policies)
    inputs.policies.push_back(parse_policy(text, graph.smallest_degree(), least));
}

bool closes_by_threshold(const run_inputs& inputs) {
  return std::any_of(inputs.policies.begin(), inputs.policies.end(),
                     [](const policy_spec& p) { return p.closes_by_threshold(); });
}

void check_edges(const std::vector<edge>& edges, std::size_t workers) {
  for (const auto& e : edges)
    if (!(e.a < e.b) || index_of(e.b) >= workers)
      refuse("has an edge that is none: " + to_string(e.a) + ' ' + to_string(e.b));
}

void check(const run_spec& spec) {
  const auto workers = spec.config.workers;
  if (workers == 0 || spec.placement.size() != workers)
    refuse("places " + std::to_string(spec.placement.size()) + " of " + std::to_string(workers) + " workers");
  for (auto node : spec.placement)
    if (index_of(node) >= spec.nodes.size())
      refuse("places a worker on no node");
  if (index_of(spec.self) >= spec.nodes.size())
    refuse("has no place for this node");
  if (spec.config.policies.size() != 1)
    refuse("has " + std::to_string(spec.config.policies.size()) + " policies");
  if (spec.config.batch == 0)
    refuse("has empty mini-batches");
  if (spec.config.local_steps == 0 || spec.config.local_steps > stride_rule::gradients_max)
    refuse("has steps of " + std::to_string(spec.config.local_steps) + " gradients");
  if (const auto time_s = spec.config.local_time_s.value_or(1);
      !(time_s > 0 && time_s <= 1e8) || (spec.config.local_time_s && spec.config.sgd.step_decay != 1))
    refuse("has a time for local steps that cannot be");
  if (const auto& outer = spec.config.outer;
      !(outer.momentum >= 0 && outer.momentum < 1 && outer.step > 0 && outer.step <= 2))
    refuse("has an outer step that cannot be");
  if (!(spec.config.correction >= 0 && spec.config.correction <= 1))
    refuse("has a correction that cannot be");
  if (spec.config.own_learner || !spec.config.attach.empty()) // only trainers that a node offers
    refuse("has a model that is not built in");
  check_edges(spec.edges, workers);
  check_edges(spec.connecting, workers);
}

parameter_block make_starting_point(const run_config& config, const dybw::model& learner, worker_id id) {
  auto buffer = std::make_shared<float_buffer>(learner.parameter_count());
  learner.initialise(config.seed, buffer->values());
  if (config.start == start_rule::random) {
    auto generator = make_generator(config.seed, random_stream::parameters, index_of(id) + 1);
    std::normal_distribution<float> normal;
    for (auto& x : buffer->values())
      x = 1 + normal(generator); // a mean that is not zero, so that a relative drift means something
  }
  return parameter_block{std::move(buffer)};
}

std::size_t largest_shard(const run_inputs& inputs, std::span<const worker_id> here) {
  std::size_t largest = 0;
  for (auto id : here)
    largest = std::max(largest, inputs.rows[index_of(id)].size());
  return largest;
}

} // namespace

std::vector<worker_id> all_workers(const run_config& config) {
  std::vector<worker_id> ids(config.workers);
  for (std::size_t i = 0; i < ids.size(); ++i)
    ids[i] = worker_at(i);
  return ids;
}

run_inputs plan_run(const run_config& config) {
  run_inputs inputs;
  inputs.config = config;
  inputs.graph =
      std::make_shared<const topology>(make_topology(config.topology, config.workers, config.seed));
  read_policies(inputs);
  inputs.connect = std::make_shared<const connect_spec>(parse_connect(config.connect, *inputs.graph));
  if (closes_by_threshold(inputs))
    inputs.connecting = std::make_shared<const std::vector<edge>>(
        connecting_edges(*inputs.graph, *inputs.connect, worker_id{0}, [](edge) { return true; }));
  return inputs;
}

run_inputs plan_run(const run_spec& spec) {
  check(spec);
  run_inputs inputs;
  inputs.config = spec.config;
  inputs.graph = std::make_shared<const topology>(spec.config.workers, spec.edges, spec.config.topology);
  if (first_unreachable(*inputs.graph))
    refuse("has a graph that does not hang together");
  read_policies(inputs);
  check_step_options(spec.config.step_time, spec.config.straggler, spec.config.workers);
  if (!closes_by_threshold(inputs))
    return inputs;
  inputs.connecting = std::make_shared<const std::vector<edge>>(spec.connecting);
  const topology connecting{spec.config.workers, spec.connecting, {}};
  if (first_unreachable(connecting))
    refuse("has connecting edges that do not join all workers");
  for (const auto& e : spec.connecting)
    if (!inputs.graph->has_edge(e.a, e.b))
      refuse("has connecting edges that are no edges");
  if (spec.config.connect == "path")
    inputs.connect =
        std::make_shared<const connect_spec>(connect_spec{connect_spec::kind::path, spec.connecting});
  else if (spec.config.connect == "any")
    inputs.connect = std::make_shared<const connect_spec>(connect_spec{connect_spec::kind::any, {}});
  else if (spec.config.connect != "tree")
    inputs.connect =
        std::make_shared<const connect_spec>(connect_spec{connect_spec::kind::file, spec.connecting});
  return inputs;
}

void use_learners(run_inputs& inputs, std::shared_ptr<learner_group> learners) {
  inputs.learners = std::move(learners);
  inputs.model = inputs.learners->model();
  inputs.initial.assign(inputs.config.workers, inputs.learners->model()->start());
}

std::vector<trainer_array> start_trainers(run_inputs& inputs, trainer_start how) {
  const auto& config = inputs.config;
  trainer_options options;
  options.command = std::move(how.command);
  options.attach = config.attach;
  options.restarts = config.trainer_restarts;
  options.workers = static_cast<std::uint32_t>(config.workers);
  for (const auto id : how.here)
    options.here.push_back(static_cast<std::uint32_t>(id));
  options.seed = config.seed;
  options.data = config.data.path.string();
  options.partition = config.partition;
  options.logs = std::move(how.logs);
  options.append = how.append;
  options.interrupted = how.interrupted;
  auto trainers = std::make_shared<trainer_group>(std::move(options));
  if (how.interrupted && how.interrupted())
    return {};
  auto arrays = trainers->arrays();
  use_learners(inputs, std::move(trainers));
  return arrays;
}

void load_inputs(run_inputs& inputs, const std::function<bool(worker_id)>& lives_here) {
  const auto& config = inputs.config;
  inputs.initial.assign(config.workers, {});
  if (config.model == "none") {
    inputs.model = make_model("none", {1, 1});
    return;
  }
  if (!inputs.data.train)
    inputs.data = load_data(config.data);
  inputs.model = make_model(config.model, inputs.data.train->shape());
  inputs.rows = partition_rows(*inputs.data.train, config.workers, config.partition, config.seed);
  const auto same = config.start == start_rule::same;
  const auto first = make_starting_point(config, *inputs.model, worker_id{0});
  for (std::size_t i = 0; i < config.workers; ++i) {
    const auto here = lives_here(worker_at(i));
    if (!here)
      std::vector<std::uint32_t>{}.swap(inputs.rows[i]);
    if (same || here)
      inputs.initial[i] = same ? first : make_starting_point(config, *inputs.model, worker_at(i));
  }
}

run_inputs prepare_run(const run_config& config) {
  auto inputs = plan_run(config);
  load_inputs(inputs, [](worker_id) { return true; });
  return inputs;
}

machine_options machine_options_for(const run_inputs& inputs, std::size_t policy) {
  const auto& config = inputs.config;
  machine_options x;
  x.graph = inputs.graph;
  x.connect = inputs.connect;
  x.planned_connecting = inputs.connecting;
  x.policy = inputs.policies[policy];
  x.weights = config.weights;
  x.on_miss = config.on_miss;
  x.seed = config.seed;
  x.corrects = config.correction > 0;
  if (config.rounds)
    x.last_round = *config.rounds;
  if (config.round_timeout_s)
    x.round_timeout = from_seconds(*config.round_timeout_s);
  return x;
}

stride_rule strides_of(const run_config& config) {
  return {config.local_steps, from_seconds(config.local_time_s.value_or(0))};
}

std::shared_ptr<const training_setup> training_setup_for(const run_inputs& inputs,
                                                         std::span<const worker_id> here) {
  const auto& config = inputs.config;
  if (inputs.learners) {
    training_setup setup;
    setup.model = inputs.model;
    setup.projection = std::make_shared<const sign_projection>(config.seed, inputs.model->parameter_count());
    setup.batch = config.batch;
    setup.outer = config.outer;
    setup.correction = config.correction;
    setup.learners = [learners = inputs.learners](worker_id id) { return learners->learner_of(id); };
    return std::make_shared<const training_setup>(std::move(setup));
  }
  return std::make_shared<const training_setup>(training_setup{
      inputs.model,
      inputs.data.train,
      std::make_shared<const sign_projection>(config.seed, inputs.model->parameter_count()),
      config.sgd,
      std::min(config.batch, largest_shard(inputs, here)),
      rounds_per_pass(inputs.data.train->size(), config.workers, config.batch * config.local_steps),
      config.data.mirror,
      config.outer,
      {},
      config.correction});
}

test_bench make_bench(const run_inputs& inputs, work_crew* crew) {
  const auto seed = inputs.config.seed;
  if (const auto learners = inputs.learners)
    return {inputs.model->parameter_count(),
            [learners](std::span<const float> parameters, std::optional<std::size_t> worker) {
              return learners->scores_of(parameters, worker);
            },
            seed, crew};
  return {std::dynamic_pointer_cast<const classifier>(inputs.model), inputs.data.test, seed, crew};
}

parameter_block starting_point(const run_inputs& inputs, worker_id id) {
  const auto& known = inputs.initial[index_of(id)];
  return known ? known : make_starting_point(inputs.config, *inputs.model, id);
}

} // namespace dybw
