#include "actors/reporting/reporter.hpp"
#include "actors/training/shard.hpp"
#include "actors/training/trainer.hpp"
#include "actors/training/worker.hpp"
#include "tests/actors/support/small_training.hpp"
#include "tests/actors/support/test_system.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

namespace {

struct team_options {
  std::string policy = "full";
  std::string topology = "ring";
  std::size_t workers = 4;
  round_number last_round = 30;
  miss_rule on_miss = miss_rule::carry;
  std::optional<weight_rule> weights = {};
};

/// A whole run of real actors on the test scheduler.
class team {
public:
  explicit team(const team_options& how)
      : graph(std::make_shared<const topology>(make_topology(how.topology, how.workers, 1))) {
    handle = actors.spawn(reporter, reporter_options{graph, {}});
    const auto trainers = actors.spawn(trainer_pool, setup, std::size_t{2}, false);
    for (std::size_t i = 0; i < how.workers; ++i) {
      worker_options options;
      options.machine.self = worker_at(i);
      options.machine.graph = graph;
      options.machine.policy = parse_policy(how.policy, graph->smallest_degree(), worker_id{0});
      options.machine.weights = how.weights;
      options.machine.on_miss = how.on_miss;
      options.machine.last_round = how.last_round;
      options.training = setup;
      options.initial = filled_block(*setup->model, static_cast<float>(i));
      options.clock = std::make_shared<step_clock>("", "none", how.workers, worker_at(i), 1);
      options.trainers = trainers;
      options.shard =
          actors.spawn(shard, mini_batch_sampler{rows_from(static_cast<std::uint32_t>(10 * i), 10), 4,
                                                 make_generator(1, random_stream::mini_batches, i)});
      options.reporter = handle;
      workers.push_back(actors.spawn(worker, std::move(options)));
    }
    const auto origin = actors.now();
    caf::anon_send(handle, watch_workers{workers, origin});
    for (std::size_t i = 0; i < how.workers; ++i) {
      meet_neighbours m{{}, origin, {}};
      for (auto id : graph->neighbours(worker_at(i)))
        m.neighbours.push_back(workers[index_of(id)]);
      caf::anon_send(workers[i], std::move(m));
    }
    for (const auto& w : workers)
      caf::anon_send(w, begin_work{});
  }

  run_progress progress() { return actors.ask<run_progress>(handle, progress_wanted{}); }
  run_outcome_ptr outcome() { return actors.ask<run_outcome_ptr>(handle, outcome_wanted{}); }

  std::shared_ptr<const topology> graph;
  std::shared_ptr<const training_setup> setup = small_setup();
  reporter_actor handle;
  std::vector<worker_actor> workers;
  test_system actors;
};

void check_consistent(const run_result& result) {
  CHECK(result.mixing.clean());
  CHECK(result.timeouts == 0);
  std::uint64_t steps = 0;
  for (const auto& w : result.per_worker)
    steps += w.local_steps;
  CHECK(result.local_steps == steps);
}

} // namespace

TEST_CASE("workers: two on an edge do every round together and end as one") {
  team run{{.topology = "path", .workers = 2, .last_round = 50}};
  run.actors.run();
  CHECK(run.progress().workers_done == 2);
  const auto outcome = run.outcome();
  const auto& result = outcome->result;
  check_consistent(result);
  CHECK(result.mixing.rounds_audited == 50);
  CHECK(result.mixing.rounds_unaudited == 0);
  CHECK(result.mixing.edges_lost == 0);
  CHECK(result.mixing.connect_rounds_max == 1);
  CHECK(result.rounds == 50);
  CHECK(result.local_steps == 100);
  CHECK(result.estimates_sent == 100);
  CHECK(result.estimates_late == 0);
  CHECK(result.mean_active_share == 1);
  CHECK(result.bytes_sent == 100 * 4 * run.setup->model->parameter_count());
  REQUIRE(outcome->finals.size() == 2);
  REQUIRE(outcome->finals[0]);
  CHECK(
      std::ranges::equal(outcome->finals[0].values(), outcome->finals[1].values())); // each the mean of both
}

TEST_CASE("workers: every policy, weight and miss rule ends after the rounds asked for, with a clean audit") {
  for (const std::string policy : {"full", "static:1", "dtur"})
    for (const auto weights : {weight_rule::active, weight_rule::graph})
      for (const auto on_miss : {miss_rule::carry, miss_rule::discard})
        for (const std::string topology : {"ring", "complete", "random:3"}) {
          CAPTURE(policy);
          CAPTURE(topology);
          CAPTURE(weights == weight_rule::active);
          CAPTURE(on_miss == miss_rule::carry);
          team run{{policy, topology, 6, 40, on_miss, weights}};
          run.actors.run();
          CHECK(run.progress().workers_done == 6);
          const auto outcome = run.outcome();
          check_consistent(outcome->result);
          CHECK(outcome->result.rounds == 40);
          CHECK(outcome->result.workers_lost.empty());
          CHECK(outcome->result.mixing.edges_lost == 0);
          if (policy != "static:1") // which covers nothing: it may leave parts of the graph apart
            CHECK(outcome->result.mixing.connect_rounds_max < 40);
          for (const auto& x : outcome->finals)
            CHECK(x);
        }
}

TEST_CASE("workers: the rest goes on when one is killed, whenever that is") {
  for (const std::string policy : {"full", "static:1", "dtur"})
    for (const std::size_t turns : {0, 30, 90, 200, 333, 500}) {
      CAPTURE(policy);
      CAPTURE(turns);
      team run{{.policy = policy, .topology = "complete", .last_round = 40}};
      run.actors.run(turns);
      run.actors.kill(run.workers[2]);
      CHECK(run.progress().workers_done == 4);
      CHECK_FALSE(run.progress().failure);
      const auto outcome = run.outcome();
      check_consistent(outcome->result);
      if (outcome->result.workers_lost.empty()) // it had done its last round by then
        continue;
      CHECK(outcome->result.workers_lost == std::vector<std::uint32_t>{2});
      CHECK(outcome->result.rounds == 40);
      CHECK_FALSE(outcome->finals[2]);
      CHECK(outcome->finals[0]);
      const auto s = run.actors.ask<worker_status>(run.workers[0], status_wanted{});
      CHECK(s.machine.phase == phase::left);
      CHECK(s.machine.completed == 40);
    }
}

TEST_CASE("workers: a graph that falls apart leaves parts that go on by themselves") {
  for (const std::string policy : {"full", "dtur"}) {
    CAPTURE(policy);
    team run{{.policy = policy, .topology = "path", .workers = 5}};
    run.actors.run(40);
    run.actors.kill(run.workers[2]);
    CHECK(run.progress().workers_done == 5);
    const auto outcome = run.outcome();
    check_consistent(outcome->result);
    for (const std::size_t i : {0, 1, 3, 4})
      CHECK(run.actors.ask<worker_status>(run.workers[i], status_wanted{}).machine.completed == 30);
  }
}

TEST_CASE("workers: a stop at any moment ends everybody, with a clean audit") {
  for (const std::string policy : {"full", "static:1", "dtur"})
    for (const std::size_t turns : {0, 25, 70, 123, 250, 400}) {
      CAPTURE(policy);
      CAPTURE(turns);
      team run{{.policy = policy, .last_round = 100'000}};
      run.actors.run(turns);
      for (const auto& w : run.workers)
        caf::anon_send<caf::message_priority::high>(w, stop_work{});
      run.actors.run();
      CHECK(run.progress().workers_done == 4);
      const auto outcome = run.outcome();
      check_consistent(outcome->result);
      CHECK(outcome->result.mixing.edges_lost == 0);
      CHECK(outcome->result.rounds < 100'000);
    }
}

} // namespace dybw::test
