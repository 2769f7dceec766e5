#include "actors/run/simulated_run.hpp"
#include "actors/training/shard.hpp"
#include "actors/training/worker.hpp"
#include "tests/actors/support/fakes.hpp"
#include "tests/actors/support/small_table.hpp"
#include "tests/actors/support/test_system.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <tuple>

/// The simulator and the worker actors are two shells round the same machines. Here both play the same run,
/// the actors on the test scheduler with links that take as long as the simulated ones; they must do the same
/// at the same moment, to the nanosecond and to the bit.
namespace dybw::test {

namespace {

/// What a worker did in one round.
struct deed {
  round_number round = 0;
  std::vector<nanoseconds> moments;
  std::vector<std::pair<worker_id, double>> committed;
  std::uint32_t accepted = 0;
  bool timed_out = false;
  std::vector<double> figures;

  explicit deed(const round_report& r)
      : round(r.mixed.round), moments{r.started, r.joined, r.closed, r.done}, accepted(r.accepted),
        timed_out(r.timed_out), figures{r.loss, static_cast<double>(r.samples), r.mixed.projection_before,
                                        r.mixed.projection_after, r.mixed.norm_before} {
    for (const auto& t : r.mixed.committed)
      committed.emplace_back(t.neighbour, t.weight);
  }
  friend bool operator==(const deed&, const deed&) = default;
};

struct story {
  std::map<worker_id, std::vector<deed>> deeds;
  std::map<worker_id, std::vector<std::uint64_t>> totals;
  std::vector<parameter_block> finals;

  void add(const round_report& r) { deeds[r.mixed.worker].emplace_back(r); }
};

story of_simulator(const run_inputs& inputs) {
  story told;
  lone_crew crew;
  virtual_run run{virtual_options_for(inputs, 0), crew, [&](const round_report& r) { told.add(r); }};
  REQUIRE(run.run_until(std::chrono::hours{1000}, {}));
  run_result result;
  run.statistics().fill(result, run.ended());
  for (std::size_t i = 0; i < result.per_worker.size(); ++i) {
    const auto& w = result.per_worker[i];
    told.totals[worker_at(i)] = {w.local_steps};
  }
  told.totals[worker_at(inputs.config.workers)] = {result.estimates_sent, result.estimates_late,
                                                   result.timeouts, result.bytes_sent,
                                                   result.steps_discarded};
  told.finals = run.estimates();
  return told;
}

/// A link into a worker that takes as long as the simulated one. Signs of life do not count as messages there
/// either, unless silence is watched for.
struct link_state {
  std::map<worker_id, nanoseconds> last_arrival;
};

worker_actor::behavior_type slow_link(worker_actor::stateful_pointer<link_state> self, worker_id to,
                                      worker_actor target, std::shared_ptr<virtual_network> network,
                                      run_origin origin) {
  const auto pass = [=](worker_id from, bool parameters, const auto& body, round_number base = 0) {
    const auto now = std::chrono::duration_cast<nanoseconds>(self->clock().now() - origin);
    auto& arrival = self->state.last_arrival[from];
    arrival = std::max(arrival, now + network->travel(link_use{from, to, parameters, base != 0}, now));
    self->delayed_send(target, arrival - now, from, body);
  };
  return {
      [](const meet_neighbours&) {},
      [](const begin_work&) {},
      [=](worker_id from, const estimate_message& m) { pass(from, m.body.has_parameters, m, m.base); },
      [=](worker_id from, const accept& m) { pass(from, false, m); },
      [=](worker_id from, const closed& m) { pass(from, false, m); },
      [=](worker_id from, const threshold_message& m) { pass(from, false, m); },
      [=](worker_id from, const leaving& m) { pass(from, false, m); },
      [=](worker_id from, const membership_news& m) { pass(from, false, m); },
      [=](worker_id from, const received& m) { pass(from, false, m); },
      [](worker_id, const heartbeat&) {},
      [=](worker_id from, const offer_message& m) { pass(from, true, m, m.label.base); },
      [=](worker_id from, const answer_message& m) { pass(from, m.body.taken, m, m.label.base); },
      [](const peer_mail&) {},
      [](const link_broken&) {},
      [](const mini_batch&) {},
      [](const training_done&) {},
      [](const delay_over&) {},
      [](const gather_timeout_due&) {},
      [](const heartbeat_due&) {},
      [](const checkpoint_due&) {},
      [](const checkpoint_handled&) {},
      [](const stop_work&) {},
      [](const snapshot_wanted&) { return snapshot{}; },
      [](const status_wanted&) { return worker_status{}; },
      [](const welcome_wanted&) { return welcome_reply{}; },
  };
}

/// Computes on the spot and in no time: a step lasts as long as --step-time says.
trainer_pool_actor::behavior_type instant_trainer(trainer_pool_actor::pointer self,
                                                  std::shared_ptr<const training_setup> setup) {
  auto workspace = std::make_shared<training_workspace>(*setup);
  return {
      [=](const training_job_ptr& job) {
        if (job->wants_mix)
          job->mixed = job->local->mix(job->neighbours, *workspace, job->generation);
        job->neighbours.clear();
        if (job->wants_step && !job->step_dropped) {
          job->stepped = job->from ? job->local->step_from(job->from, job->rows, job->completed, *workspace)
                                   : job->local->step(job->rows, job->completed, *workspace);
          job->coded.clear();
          for (const auto& base : job->bases)
            job->coded.push_back(job->coder->encode(job->stepped.estimate, base));
        }
        job->took = nanoseconds{0};
        self->send(job->client, training_done{job});
      },
      [](const trainer_idle&) {},
  };
}

story of_actors(const run_inputs& inputs) {
  const auto& config = inputs.config;
  test_system actors;
  const auto reported = std::make_shared<reports>();
  const auto reporter = actors.spawn(fake_reporter, reported);
  const auto network =
      std::make_shared<virtual_network>(virtual_options_for(inputs, 0).times, inputs.graph, config.seed);
  const auto everybody = [&] {
    std::vector<worker_id> ids;
    for (std::size_t i = 0; i < config.workers; ++i)
      ids.push_back(worker_at(i));
    return ids;
  }();
  std::shared_ptr<const training_setup> setup;
  trainer_pool_actor trainers;
  if (has_model(inputs)) {
    setup = training_setup_for(inputs, everybody);
    trainers = actors.spawn(instant_trainer, setup);
  }
  const auto origin = actors.now();
  std::vector<worker_actor> workers;
  std::vector<worker_actor> links;
  for (const auto id : everybody) {
    worker_options options;
    options.machine = machine_options_for(inputs, 0);
    options.machine.self = id;
    options.training = setup;
    options.initial = inputs.initial[index_of(id)];
    options.clock = std::make_shared<step_clock>(config.step_time, config.straggler, config.workers, id,
                                                 config.seed, strides_of(config));
    options.suspect_after = std::chrono::hours{100'000}; // the simulation does not watch for silence
    if (config.time_limit_s)
      options.time_limit = from_seconds(*config.time_limit_s);
    options.trainers = trainers;
    options.send = config.send;
    options.codes_all = true; // as the simulation does
    if (setup)
      options.shard = actors.spawn(
          shard, mini_batch_sampler{inputs.rows[index_of(id)], config.batch,
                                    make_generator(config.seed, random_stream::mini_batches, index_of(id))});
    options.reporter = reporter;
    workers.push_back(actors.spawn(worker, std::move(options)));
    links.push_back(actors.spawn(slow_link, id, workers.back(), network, origin));
  }
  for (const auto id : everybody) {
    meet_neighbours m{{}, origin, {}};
    for (const auto neighbour : inputs.graph->neighbours(id))
      m.neighbours.push_back(links[index_of(neighbour)]);
    caf::anon_send(workers[index_of(id)], std::move(m));
    caf::anon_send(workers[index_of(id)], begin_work{});
  }
  actors.run();
  for (int i = 0; reported->last_words.size() < workers.size(); ++i) {
    REQUIRE(i < 1'000'000);
    REQUIRE(actors.has_timer());
    actors.advance_to_next();
  }
  story told;
  for (const auto& r : reported->rounds)
    told.add(r);
  told.finals.resize(workers.size());
  auto& sum = told.totals[worker_at(config.workers)];
  sum.resize(5);
  for (const auto& last : reported->last_words) {
    const auto& t = last.totals;
    told.totals[t.worker] = {t.steps_used};
    const std::array mine{t.estimates_sent, t.estimates_late, t.timeouts, t.bytes_sent, t.steps_discarded};
    std::ranges::transform(sum, mine, sum.begin(), std::plus{});
    told.finals[index_of(t.worker)] = last.parameters;
  }
  return told;
}

void check_same(const run_config& config) {
  CAPTURE(config.policies[0]);
  CAPTURE(config.topology);
  CAPTURE(config.model);
  CAPTURE(config.seed);
  const auto inputs = prepare_run(config);
  const auto virtually = of_simulator(inputs);
  const auto really = of_actors(inputs);
  REQUIRE(virtually.deeds.size() == config.workers);
  for (const auto& [id, deeds] : virtually.deeds) {
    CAPTURE(to_string(id));
    const auto& other = really.deeds.at(id);
    const auto differ = std::ranges::mismatch(deeds, other);
    const auto same = static_cast<std::size_t>(differ.in1 - deeds.begin());
    CHECK(same == deeds.size()); // the first round that differs
    CHECK(deeds.size() == other.size());
    if (same < deeds.size() && same < other.size()) {
      CHECK(deeds[same].round == other[same].round);
      CHECK((deeds[same].committed == other[same].committed));
      CHECK((deeds[same].moments == other[same].moments));
      CHECK((deeds[same].figures == other[same].figures));
    }
  }
  CHECK(virtually.totals == really.totals);
  if (!has_model(inputs))
    return;
  REQUIRE(virtually.finals.size() == really.finals.size());
  for (std::size_t i = 0; i < virtually.finals.size(); ++i)
    CHECK(std::ranges::equal(virtually.finals[i].values(), really.finals[i].values()));
}

run_config base(const temporary_directory& place, const std::string& policy, const std::string& topology,
                std::size_t workers) {
  auto config = table_config(place);
  config.clock = clock_kind::virtual_;
  config.policies = {policy};
  config.topology = topology;
  config.workers = workers;
  config.rounds = 40;
  config.step_time = "uniform:0.9,1.1";
  config.straggler = "random:0.2:5";
  config.link_latency = "exp:0.1";
  return config;
}

const std::vector<std::string> every_policy{"full",    "static:1", "dtur",    "hop:1:3",
                                            "barrier", "adpsgd",   "adaptive"};

} // namespace

TEST_CASE("conformance: actors and simulator commit the same edges at the same moments") {
  const temporary_directory place;
  for (const auto& policy : every_policy)
    for (const auto& [topology, workers] :
         {std::pair{"ring", 5}, std::pair{"complete", 4}, std::pair{"random:3", 9}})
      for (const std::uint64_t seed : {1, 2, 3}) {
        auto config = base(place, policy, topology, static_cast<std::size_t>(workers));
        config.model = "none";
        config.seed = seed;
        check_same(config);
      }
}

TEST_CASE("conformance: with gradients, to the bit") {
  const temporary_directory place;
  for (const auto& policy : every_policy) {
    auto config = base(place, policy, "random:3", 6);
    config.sgd.momentum = 0.5;
    check_same(config);
  }
}

TEST_CASE("conformance: with several gradients a step and an outer step, dropped ones too") {
  const temporary_directory place;
  for (const auto& policy : every_policy) {
    auto config = base(place, policy, "random:3", 6);
    config.sgd.momentum = 0.5;
    config.on_miss = miss_rule::discard;
    config.local_steps = 3;
    config.outer = outer_standard;
    check_same(config);
  }
}

TEST_CASE("conformance: with a correction, coded estimates and what else goes with it") {
  const temporary_directory place;
  for (const auto& policy : every_policy)
    for (const auto send : {block_format::float32, block_format::int8}) {
      CAPTURE(to_string(send));
      auto config = base(place, policy, "random:3", 6);
      config.correction = 0.1;
      config.sgd.step_decay = 0.9;
      config.send = send;
      if (send != block_format::float32) {
        config.local_steps = 3;
        config.outer = outer_standard;
        config.on_miss = miss_rule::discard;
      }
      check_same(config);
    }
}

TEST_CASE("conformance: with estimates that travel coded, over links where that matters") {
  const temporary_directory place;
  for (const auto& policy : every_policy)
    for (const auto send : {block_format::float16, block_format::bfloat16, block_format::int8}) {
      CAPTURE(to_string(send));
      auto config = base(place, policy, "random:3", 6);
      config.send = send;
      config.link_bandwidth = 100;
      config.on_miss = miss_rule::discard;
      check_same(config);
    }
}

TEST_CASE("conformance: with links that carry one block after the other, and long delays") {
  const temporary_directory place;
  for (const auto& policy : every_policy) {
    auto config = base(place, policy, "complete", 5);
    config.link_latency = "exp:1.5";
    config.link_bandwidth = 30; // a block of 40 bytes takes longer than a step
    config.straggler = "bursts:5,3:4";
    check_same(config);
  }
}

TEST_CASE("conformance: steps that are dropped, and a stop in the middle") {
  const temporary_directory place;
  for (const auto& policy : every_policy) {
    auto config = base(place, policy, "circulant:1,2", 7);
    config.on_miss = miss_rule::discard;
    config.rounds.reset();
    config.time_limit_s = 33.3;
    check_same(config);
  }
}

} // namespace dybw::test
