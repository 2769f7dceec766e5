#include "actors/node/run_lead.hpp"

#include "actors/cluster/run_client.hpp"
#include "actors/node/remote_worker.hpp"
#include "actors/system/spare_threads.hpp"
#include "actors/training/evaluator.hpp"

namespace dybw {

run_lead::run_lead(caf::actor_system& system, run_lead_options options)
    : system_(system), options_(std::move(options)) {
  require_threads(1);
  reporter_options reports;
  reports.graph = options_.graph;
  reports.late = options_.late;
  reports.evals_file = options_.evals_file;
  reports.append = true; // it may have led before
  reports.in_pairs = options_.inputs->policies.front().averages_in_pairs();
  reports_ = adopt(system.spawn<caf::detached>(reporter, reports));
  run_client_options follows;
  follows.gateway = options_.gateway;
  follows.reporter = reports_;
  follows.spec = options_.spec;
  follows.here = options_.spec.self;
  follows.parameters = options_.inputs->model->parameter_count();
  client_ = adopt(system.spawn(run_client, std::move(follows)));
}

run_lead::~run_lead() {
  for (const auto& a : actors_)
    caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
}

void run_lead::begin(run_origin origin) {
  caf::anon_send(reports_, watch_workers{{}, origin});
  const auto& inputs = *options_.inputs;
  if (!has_model(inputs))
    return;
  evaluator_options options;
  options.bench = std::make_shared<test_bench>(make_bench(inputs));
  options.initial = inputs.initial;
  options.sinks = {reports_, options_.on_evaluation};
  options.origin = origin;
  options.every = from_seconds(inputs.config.eval_every_s);
  options.target_accuracy = inputs.config.target_accuracy;
  options.target = inputs.config.target;
  options.on_target = options_.on_target;
  for (std::size_t i = 0; i < options_.here.size(); ++i) {
    if (options_.here[i])
      options.workers.push_back(options_.here[i]);
    else
      options.workers.push_back(adopt(system_.spawn(remote_worker, client_, worker_at(i))));
  }
  require_threads(1);
  evaluator_ = adopt(system_.spawn<caf::detached>(dybw::evaluator, std::move(options)));
}

void run_lead::stop_evaluating() {
  if (evaluator_)
    caf::anon_send_exit(evaluator_, caf::exit_reason::user_shutdown);
  evaluator_ = nullptr;
}

void run_lead::take(const local_reports& x) {
  for (const auto& r : x.rounds)
    caf::anon_send(reports_, r);
  for (const auto& end : x.finished)
    caf::anon_send(reports_, to_last_word(end));
  if (x.lost.size() > lost_) {
    lost_ = x.lost.size();
    caf::anon_send(reports_, workers_gone{x.lost, "it ended on this node"});
  }
}

} // namespace dybw
