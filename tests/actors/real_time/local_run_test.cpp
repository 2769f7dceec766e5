#include "actors/run/local_run.hpp"
#include "actors/transport/system_config.hpp"
#include "learning/base/error.hpp"
#include "learning/model/test_bench.hpp"
#include "tests/actors/support/small_table.hpp"
#include "tests/actors/support/throwing_model.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <fstream>

/// Whole runs in real time, on CAF's own threads: a few hundred milliseconds each.
namespace dybw::test {

namespace {

struct real_system {
  real_system() { spdlog::set_level(spdlog::level::off); }
  system_config config;
  caf::actor_system system{config};
};

finished_run run_of(const run_config& config, const run_controls& controls = {}) {
  real_system actors;
  return run_policy(actors.system, prepare_run(config), 0, controls);
}

void check_sane(const run_result& result) {
  CHECK(result.mixing.clean());
  CHECK_FALSE(result.failed);
  CHECK(result.failure.empty());
  CHECK_FALSE(result.interrupted);
  CHECK(result.timeouts == 0);
  CHECK(result.workers_lost.empty());
  CHECK(result.mixing.edges_lost == 0);
  std::uint64_t steps = 0;
  for (const auto& w : result.per_worker)
    steps += w.local_steps;
  CHECK(result.local_steps == steps);
  CHECK(result.duration_s > 0);
  CHECK(result.compute_share >= 0);
  CHECK(result.compute_share <= 1);
  CHECK(result.host_cpu_s > 0);
  CHECK(result.peak_rss_bytes > 1'000'000);
}

} // namespace

TEST_CASE("local_run: every policy, miss rule and weight does the rounds asked for, with a clean audit") {
  const temporary_directory place;
  struct kind {
    const char* policy;
    miss_rule on_miss;
  };
  for (const auto& [policy, on_miss] : {kind{"full", miss_rule::carry}, kind{"static:1", miss_rule::carry},
                                        kind{"dtur", miss_rule::carry}, kind{"dtur", miss_rule::discard}})
    for (const auto weights : {weight_rule::active, weight_rule::graph}) {
      CAPTURE(policy);
      CAPTURE(on_miss == miss_rule::carry);
      CAPTURE(weights == weight_rule::active);
      auto config = table_config(place);
      config.policies = {policy};
      config.on_miss = on_miss;
      config.weights = weights;
      config.step_time = "exp:0.001";
      const auto run = run_of(config);
      const auto& result = run.result;
      check_sane(result);
      CHECK(result.policy == policy);
      CHECK(result.rounds == 25);
      CHECK(result.mixing.rounds_audited == 25);
      CHECK(result.mixing.rounds_unaudited == 0);
      CHECK(result.edges == 4);
      CHECK(result.parameters == 10);
      CHECK(result.bytes_sent <= result.estimates_sent * 40);
      REQUIRE(result.test_accuracy);
      CHECK(*result.test_accuracy >= *result.worst_worker_accuracy);
      CHECK(*result.test_accuracy > 0.5);
      CHECK(run.average.values().size() == 10);
      CHECK(result.consensus_distance < 1);
      CHECK_FALSE(result.mixing.mean_drift);
    }
}

TEST_CASE("local_run: pairwise policies keep the mean in real time, with every half of an exchange audited") {
  const temporary_directory place;
  for (const auto* policy : {"adpsgd", "adaptive"}) {
    CAPTURE(policy);
    auto config = table_config(place);
    config.policies = {policy};
    config.topology = "complete";
    config.step_time = "exp:0.001";
    config.straggler = "slow:1:4";
    const auto run = run_of(config);
    const auto& result = run.result;
    check_sane(result);
    CHECK(result.rounds == 25);
    CHECK(result.mixing.rounds_audited > 25);
    CHECK(result.mixing.rounds_unaudited == 0);
    CHECK(result.mixing.connect_rounds_max > 0);
    CHECK(result.bytes_sent == result.estimates_sent * 40);
    CHECK(*result.test_accuracy > 0.5);

    config.sgd.step_size = 0;
    config.start = start_rule::random;
    config.rounds = 60;
    const auto averaging = run_of(config).result;
    check_sane(averaging);
    CHECK(*averaging.mixing.mean_drift < 1e-5);
    CHECK(averaging.consensus_distance < 1e-3);
  }
}

TEST_CASE("local_run: without a model there is nothing to learn, and the exchange alone is measured") {
  for (const std::string policy : {"full", "static:1", "dtur", "adpsgd", "adaptive"}) {
    CAPTURE(policy);
    run_config config;
    config.model = "none";
    config.workers = 6;
    config.rounds = 40;
    config.policies = {policy};
    const auto run = run_of(config);
    check_sane(run.result);
    CHECK(run.result.rounds == 40);
    CHECK(run.result.dataset == "none");
    CHECK(run.result.parameters == 0);
    CHECK(run.result.bytes_sent == 0);
    CHECK(run.result.estimates_sent > 0);
    CHECK_FALSE(run.result.test_accuracy);
    CHECK(run.result.evaluations.empty());
    CHECK_FALSE(run.average);
  }
}

TEST_CASE("local_run: with the exchange off nothing is sent, and everybody does its rounds alone") {
  const temporary_directory place;
  for (const std::string policy : {"full", "dtur"}) {
    auto config = table_config(place);
    config.policies = {policy};
    config.exchange = false;
    const auto run = run_of(config);
    check_sane(run.result);
    CHECK(run.result.estimates_sent == 0);
    CHECK(run.result.bytes_sent == 0);
    CHECK(run.result.rounds == 25);
    CHECK(run.result.local_steps == 4 * 25);
    CHECK(run.result.edges == 4); // of the graph that was asked for
    CHECK(run.result.consensus_distance > 0);
  }
}

TEST_CASE("local_run: one worker alone trains too") {
  const temporary_directory place;
  auto config = table_config(place);
  config.workers = 1;
  config.topology = "complete";
  for (const std::string policy : {"full", "dtur"}) {
    config.policies = {policy};
    const auto run = run_of(config);
    check_sane(run.result);
    CHECK(run.result.rounds == 25);
    CHECK(run.result.consensus_distance == 0);
  }
}

TEST_CASE("local_run: averaging alone brings random starts together and does not move their mean") {
  const temporary_directory place;
  for (const std::string policy : {"full", "dtur"}) {
    CAPTURE(policy);
    auto config = table_config(place);
    config.workers = 6;
    config.sgd.step_size = 0;
    config.start = start_rule::random;
    config.rounds = 1000;
    config.policies = {policy};
    real_system actors;
    const auto inputs = prepare_run(config);
    const auto before = make_bench(inputs).average_of(inputs.initial).consensus_distance;
    const auto run = run_policy(actors.system, inputs, 0, {});
    check_sane(run.result);
    CHECK(run.result.mixing.rounds_audited == 1000);
    REQUIRE(run.result.mixing.mean_drift);
    CHECK(*run.result.mixing.mean_drift < 1e-5);
    CHECK(before > 1);
    CHECK(run.result.consensus_distance < 1e-9 * before);
  }
}

TEST_CASE("local_run: the same start is the same for everybody, random starts differ and follow the seed") {
  const temporary_directory place;
  auto config = table_config(place);
  const auto values = [](const parameter_block& x) {
    return std::vector<float>{x.values().begin(), x.values().end()};
  };
  const auto same = prepare_run(config);
  CHECK(values(same.initial[0]) == values(same.initial[3]));
  config.start = start_rule::random;
  const auto random = prepare_run(config);
  CHECK(values(random.initial[0]) != values(random.initial[3]));
  CHECK(values(prepare_run(config).initial[3]) == values(random.initial[3]));
  config.seed = 2;
  CHECK(values(prepare_run(config).initial[3]) != values(random.initial[3]));
}

TEST_CASE("local_run: a target ends the run and its time is told") {
  const temporary_directory place;
  auto config = table_config(place);
  config.rounds.reset();
  config.time_limit_s = 60;
  config.target_accuracy = 0.6;
  config.sgd.step_size = 1;
  config.step_time = "const:0.002";
  const auto run = run_of(config);
  check_sane(run.result);
  REQUIRE(run.result.time_to_target_s);
  CHECK(*run.result.time_to_target_s <= run.result.duration_s);
  CHECK(run.result.duration_s < 60);
  // The last one, of what the workers did until they heard of it, may be a little worse again.
  const auto& all = run.result.evaluations;
  CHECK(std::any_of(all.begin(), all.end(), [](const evaluation& e) { return e.test_accuracy >= 0.6; }));
}

TEST_CASE("local_run: the time limit ends the run, also when a step takes far longer") {
  const temporary_directory place;
  auto config = table_config(place);
  config.rounds.reset();
  config.time_limit_s = 0.2;
  config.step_time = "const:1000";
  const auto run = run_of(config);
  CHECK_FALSE(run.result.failed);
  CHECK(run.result.local_steps == 0);
  CHECK(run.result.rounds == 0);
  CHECK(run.result.duration_s >= 0.2);
  CHECK(run.result.duration_s < 100);
  CHECK(run.result.test_accuracy);
}

TEST_CASE("local_run: who watches can stop the run, at its first look as well as later") {
  const temporary_directory place;
  auto config = table_config(place);
  config.workers = 24;
  config.rounds.reset();
  config.time_limit_s = 600;
  config.step_time = "const:0.001";
  for (const std::string policy : {"full", "static:1", "dtur"})
    for (const int looks : {1, 3}) {
      CAPTURE(policy);
      CAPTURE(looks);
      config.policies = {policy};
      run_controls controls;
      int seen = 0;
      controls.watch = [&](const run_progress&) { return ++seen >= looks; };
      const auto run = run_of(config, controls);
      CHECK(run.result.interrupted);
      CHECK_FALSE(run.result.failed);
      CHECK(run.result.mixing.clean());
      CHECK(run.result.workers_lost.empty());
      CHECK(run.result.test_accuracy); // every worker gave its last word
      CHECK(run.result.duration_s < 300);
    }
}

TEST_CASE("local_run: a step size that makes the loss no number fails the run and says what to do") {
  const temporary_directory place;
  auto config = table_config(place);
  config.sgd.step_size = 1e30;
  config.sgd.weight_decay = 1; // multiplies the parameters by -1e30 in every step
  config.rounds.reset();
  config.time_limit_s = 60;
  const auto run = run_of(config);
  CHECK(run.result.failed);
  CHECK(run.result.failure.find("no longer a number") != std::string::npos);
  CHECK(run.result.failure.find('\n') == std::string::npos);
}

TEST_CASE(
    "local_run: a failure in the last rounds counts, though the workers are done before anybody looks") {
  const temporary_directory place;
  auto config = table_config(place);
  config.sgd.step_size = 1e30;
  config.sgd.weight_decay = 1;
  config.rounds = 4;
  auto run = run_of(config);
  CHECK(run.result.failed);
  CHECK(run.result.failure.find("no longer a number") != std::string::npos);

  run_controls controls;
  controls.rounds_file = "/dev/full";
  run = run_of(table_config(place), controls);
  CHECK_FALSE(run.result.failed); // only a file is missing
  CHECK(run.result.rounds == 25);
  CHECK(run.result.not_written ==
        std::vector<std::string>{"cannot write /dev/full: No space left on device"});
}

TEST_CASE("local_run: a model that fails in training fails the run") {
  const temporary_directory place;
  const auto config = table_config(place);
  real_system actors;
  auto inputs = prepare_run(config);
  inputs.model = throwing_setup()->model;
  inputs.initial.assign(config.workers, filled_block(*inputs.model, 0));
  const auto run = run_policy(actors.system, inputs, 0, {});
  CHECK(run.result.failed);
  CHECK(run.result.failure.find("training failed") != std::string::npos);
}

TEST_CASE("local_run: an evaluator that fails fails the run, which ends") {
  const temporary_directory place;
  auto config = table_config(place);
  config.rounds.reset();
  config.time_limit_s = 60;
  config.step_time = "const:0.002";
  real_system actors;
  auto inputs = prepare_run(config);
  inputs.model = std::make_shared<unscored_model>(std::dynamic_pointer_cast<const classifier>(inputs.model));
  const auto run = run_policy(actors.system, inputs, 0, {});
  CHECK(run.result.failed);
  CHECK(run.result.failure == "the evaluator failed: out of memory");
  CHECK(run.result.duration_s < 60);
}

TEST_CASE("local_run: rounds.jsonl holds one line for each round that a worker joined") {
  const temporary_directory place;
  for (const std::string policy : {"full", "dtur"}) {
    auto config = table_config(place);
    config.policies = {policy};
    run_controls controls;
    controls.rounds_file = place.path() / "rounds.jsonl";
    const auto run = run_of(config, controls);
    std::ifstream in(controls.rounds_file);
    std::uint64_t lines = 0;
    std::vector<std::uint64_t> last(4);
    for (std::string line; std::getline(in, line); ++lines) {
      const auto json = nlohmann::json::parse(line);
      auto& newest = last.at(json["worker"]);
      CHECK(json["round"] > newest); // each worker's rounds in order
      newest = json["round"];
      CHECK(json["start_s"] >= 0);
      CHECK(json["compute_s"] >= 0);
      CHECK(json["wait_s"] >= 0);
      CHECK(json["committed"].size() + json["backup_workers"].get<std::size_t>() == 2);
      CHECK(json["accepted"] >= json["committed"].size());
    }
    CHECK(lines == run.result.local_steps);
  }
}

TEST_CASE("local_run: several policies run one after the other on the same inputs") {
  const temporary_directory place;
  auto config = table_config(place);
  config.policies = {"full", "dtur"};
  real_system actors;
  const auto inputs = prepare_run(config);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto run = run_policy(actors.system, inputs, i, {});
    check_sane(run.result);
    CHECK(run.result.policy == config.policies[i]);
    CHECK(run.result.rounds == 25);
  }
}

TEST_CASE("local_run: wrong input is found before anything starts") {
  const temporary_directory place;
  const auto fault_of = [&](auto change) {
    auto config = table_config(place);
    change(config);
    try {
      prepare_run(config);
    } catch (const input_error& error) {
      return error.exit_code();
    }
    return 0;
  };
  CHECK(fault_of([](run_config&) {}) == 0);
  CHECK(fault_of([](run_config& c) { c.topology = "ball"; }) == 2);
  CHECK(fault_of([](run_config& c) { c.policies = {"static:2"}; }) == 2);
  CHECK(fault_of([](run_config& c) { c.connect = "file:/nowhere"; }) == 3);
  CHECK(fault_of([](run_config& c) { c.model = "forest"; }) == 2);
  CHECK(fault_of([](run_config& c) { c.data.path = "/nowhere"; }) == 3);
  CHECK(fault_of([](run_config& c) {
          c.partition = {.how = partition_spec::kind::shards, .shards_per_worker = 1000};
        }) == 2);
}

} // namespace dybw::test
