#include "actors/virtual_session.hpp"
#include "tests/actors/small_table.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

namespace dybw::test {

namespace {

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>{in}, {}};
}

run_config virtual_table(const temporary_directory& place, const std::string& policy) {
  auto config = table_config(place);
  config.clock = clock_kind::virtual_;
  config.step_time = "exp:1";
  config.straggler = "slow:1:3";
  config.link_latency = "uniform:0,0.2";
  config.eval_every_s = 5;
  config.policies = {policy};
  return config;
}

} // namespace

TEST_CASE("virtual_session: two runs with one seed write the same bytes, with one thread and with two") {
  const temporary_directory place;
  for (const std::string policy : {"full", "static:1", "dtur", "adpsgd", "adaptive"}) {
    CAPTURE(policy);
    auto config = virtual_table(place, policy);
    std::vector<std::string> written;
    std::vector<finished_run> runs;
    for (const std::size_t threads : {1, 2, 2}) {
      config.threads = threads;
      run_controls controls;
      controls.rounds_file = place.path() / ("rounds-" + std::to_string(written.size()));
      runs.push_back(run_policy_virtually(prepare_run(config), 0, controls));
      written.push_back(content_of(controls.rounds_file));
    }
    CHECK(written[0].size() > 1000);
    CHECK((written[0] == written[1] && written[1] == written[2]));
    CHECK_FALSE(runs[0].result.failed);
    CHECK(runs[0].result.clock == "virtual");
    CHECK(runs[0].result.rounds == 25);
    CHECK(runs[0].result.mixing.rounds_audited > 0);
    for (const auto& run : runs) {
      CHECK(run.result.duration_s == runs[0].result.duration_s);
      CHECK(run.result.test_loss == runs[0].result.test_loss);
      CHECK(run.result.mixing.max_projection_error == runs[0].result.mixing.max_projection_error);
      CHECK(run.result.evaluations.size() == runs[0].result.evaluations.size());
    }
    config.seed = 2;
    run_controls other;
    other.rounds_file = place.path() / "other";
    run_policy_virtually(prepare_run(config), 0, other);
    CHECK(content_of(other.rounds_file) != written[0]);
  }
}

TEST_CASE("virtual_session: the target accuracy ends the run, and a diverging loss fails it") {
  const temporary_directory place;
  auto config = virtual_table(place, "full");
  config.rounds.reset();
  config.target_accuracy = 0.6;
  config.time_limit_s = 1000;
  const auto run = run_policy_virtually(prepare_run(config), 0, {});
  REQUIRE(run.result.time_to_target_s);
  CHECK(run.result.duration_s < 1000);
  CHECK(run.result.evaluations.back().test_accuracy >= 0.6);

  config.target_accuracy.reset();
  config.time_limit_s = 100'000;
  config.sgd.step_size = 1e30;
  config.sgd.weight_decay = 1;
  const auto wrong = run_policy_virtually(prepare_run(config), 0, {});
  CHECK(wrong.result.failed);
  CHECK(wrong.result.failure.find("the loss is no longer a number") == 0);
  CHECK(wrong.result.duration_s < 10'000);
}

TEST_CASE("virtual_session: whoever watches can stop it, and what was measured is kept") {
  const temporary_directory place;
  auto config = virtual_table(place, "dtur");
  config.rounds.reset();
  config.time_limit_s = 1e7;
  run_controls controls;
  controls.watch = [](const run_progress& now) { return now.local_steps > 100; };
  const auto run = run_policy_virtually(prepare_run(config), 0, controls);
  CHECK(run.result.interrupted);
  CHECK(run.result.local_steps > 100);
  CHECK(run.result.duration_s < 1e7);
}

} // namespace dybw::test
