#include "actors/run/run_host.hpp"

#include "actors/run/checkpoints.hpp"
#include "actors/run/shared_parts.hpp"
#include "actors/system/spare_threads.hpp"
#include "actors/training/checkpointer.hpp"
#include "actors/training/shard.hpp"
#include "actors/training/trainer.hpp"

#include <algorithm>
#include <thread>

namespace dybw {

namespace {

/// In pairs a worker averages as messages come, a pass or two over its parameters each. With more bytes than
/// this it does so on a thread of its own: the scheduler's few are for actors that are done at once.
constexpr std::size_t pass_bytes_max = 1U << 18U;
/// .. unless there are more workers here than this.
constexpr std::size_t workers_with_threads_max = 64;

/// The worker's mini-batches, from the one on that it needs next.
mini_batch_sampler sampler_of(worker_id id, const run_inputs& inputs, const run_host_options& options) {
  const auto& config = inputs.config;
  mini_batch_sampler sampler{inputs.rows[index_of(id)], config.batch,
                             make_generator(config.seed, random_stream::mini_batches, index_of(id)),
                             config.data.mirror};
  if (const auto found = options.starts.find(id); found != options.starts.end() && found->second.resumed)
    sampler.skip(found->second.resumed->local_steps);
  return sampler;
}

} // namespace

std::map<worker_id, worker_start> starts_from(std::map<worker_id, checkpoint> checkpoints) {
  std::map<worker_id, worker_start> starts;
  for (auto& [id, x] : checkpoints)
    starts[id].resumed = std::move(x);
  return starts;
}

run_host::run_host(caf::actor_system& system, const run_inputs& inputs, run_host_options options)
    : run_host() { // so that what was spawned ends if the rest throws
  here_ = options.here;
  const auto& config = inputs.config;
  // Without exchange every worker is alone in its graph; all else is the same.
  graph_ = config.exchange
               ? inputs.graph
               : std::make_shared<const topology>(config.workers, std::vector<edge>{}, inputs.graph->name());
  auto machine = machine_options_for(inputs, options.policy);
  machine.graph = graph_;
  parts_ = std::make_shared<shared_parts>(parts_for(machine));
  clocks_.emplace(config.step_time, config.straggler, config.workers, config.seed, strides_of(config));
  const auto threads =
      config.threads > 0 ? config.threads : std::max(1U, std::thread::hardware_concurrency());
  // Threads that wait for processes are one for each.
  waits_for_processes_ = inputs.learners && inputs.learners->waits();
  const auto trainers = waits_for_processes_ ? here_.size()
                        : has_model(inputs)  ? std::min<std::size_t>(threads, here_.size())
                                             : 0;
  const auto checkpoints = has_model(inputs) && config.checkpoint_every_s && !options.checkpoints.empty();
  if (has_model(inputs))
    setup_ = training_setup_for(inputs, here_);
  const auto own_threads = setup_ && inputs.policies[options.policy].averages_in_pairs() &&
                           setup_->model->parameter_count() * sizeof(float) > pass_bytes_max &&
                           here_.size() <= workers_with_threads_max;
  require_threads(trainers + 1 + (checkpoints ? 1 : 0) + (own_threads ? here_.size() : 0));
  if (setup_) {
    trainers_ = adopt(system.spawn(trainer_pool, setup_, trainers, true));
    // One of the scheduler's threads stays free for who only passes messages on.
    if (!waits_for_processes_)
      workspaces_ = std::make_shared<spare_workspaces>(
          setup_, std::min(trainers, std::max<std::size_t>(2, system.scheduler().num_workers()) - 1));
  }
  options.reports.graph = graph_;
  options.reports.seed = config.seed;
  options.reports.log_bytes_max = config.log_bytes_max;
  options.reports.in_pairs = inputs.policies[options.policy].averages_in_pairs();
  reports_ = adopt(system.spawn<caf::detached>(reporter, options.reports));
  if (checkpoints) {
    checkpointer_ = adopt(system.spawn<caf::detached>(checkpointer, options.checkpoints));
    run_hash_ = run_hash(inputs, options.policy);
  }
  workers_.resize(config.workers);
  for (auto id : here_) {
    auto worker_opts = options_of(id, inputs, options);
    const auto i = index_of(id);
    if (setup_ && setup_->data)
      worker_opts.shard = adopt(system.spawn(shard, sampler_of(id, inputs, options)));
    workers_[i] = adopt(own_threads ? system.spawn<caf::detached>(worker, std::move(worker_opts))
                                    : system.spawn(worker, std::move(worker_opts)));
  }
}

worker_options run_host::options_of(worker_id id, const run_inputs& inputs,
                                    const run_host_options& options) const {
  const auto& config = inputs.config;
  worker_options x;
  x.machine = machine_options_for(inputs, options.policy);
  x.machine.self = id;
  x.machine.graph = graph_;
  x.machine.parts = parts_;
  if (!config.exchange)
    x.machine.planned_connecting = std::make_shared<const std::vector<edge>>();
  x.training = setup_;
  x.initial = inputs.initial[index_of(id)];
  if (const auto found = options.starts.find(id); found != options.starts.end()) {
    x.machine.completed = found->second.completed;
    x.machine.facts = found->second.facts;
    if (setup_)
      x.initial = found->second.parameters;
    x.resumed = found->second.resumed;
  }
  x.clock = std::make_shared<step_clock>(clocks_->make(id));
  if (x.resumed) {
    x.machine.completed = x.resumed->round;
    x.clock->skip(x.resumed->delays);
  }
  if (checkpointer_) {
    x.checkpointer = checkpointer_;
    x.checkpoint_every = from_seconds(*config.checkpoint_every_s);
    x.run_hash = run_hash_;
  }
  x.records = !options.reports.events_file.empty();
  x.send = config.send;
  x.suspect_after = from_seconds(config.suspect_after_s);
  x.time_limit = options.time_limit;
  x.trainers = trainers_;
  x.workspaces = workspaces_;
  x.reporter = reports_;
  return x;
}

void run_host::meet(const link_actor& links) {
  for (auto id : here_) {
    meet_neighbours meet{{}, {}, links};
    for (auto neighbour : graph_->neighbours(id))
      meet.neighbours.push_back(workers_[index_of(neighbour)]);
    caf::anon_send(workers_[index_of(id)], std::move(meet));
  }
}

/// Everybody here has met before anybody here begins; who begins elsewhere first is heard, not answered.
void run_host::begin(run_origin origin) {
  origin_ = origin;
  caf::anon_send(reports_, watch_workers{workers_, origin});
  for (auto id : here_)
    caf::anon_send(workers_[index_of(id)], begin_work{origin});
}

void run_host::stop() {
  for (auto id : here_)
    caf::anon_send<caf::message_priority::high>(workers_[index_of(id)], stop_work{});
}

void run_host::take_down() {
  for (const auto& a : actors_)
    if (a != checkpointer_)
      caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
  if (checkpointer_) // an exit would overtake what is still to be written
    caf::anon_send(checkpointer_, end_of_checkpoints{});
  actors_.clear();
  checkpointer_ = nullptr;
}

} // namespace dybw
