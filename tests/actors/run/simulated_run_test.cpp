#include "actors/run/checkpoints.hpp"
#include "actors/run/simulated_run.hpp"
#include "actors/trainers/own_learners.hpp"
#include "learning/base/error.hpp"
#include "tests/actors/support/small_table.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>

namespace dybw::test {

namespace {

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// "adaptive, weighing": where averaging takes time, so that what it brings decides how often it is done.
run_config virtual_table(const temporary_directory& place, std::string policy) {
  auto config = table_config(place);
  if (policy == "adaptive, weighing") {
    policy = "adaptive";
    config.mix_time_s = 0.3;
  }
  config.clock = clock_kind::virtual_;
  config.step_time = "exp:1";
  config.straggler = "slow:1:3";
  config.link_latency = "uniform:0,0.2";
  config.eval_every_s = 5;
  config.policies = {policy};
  return config;
}

} // namespace

TEST_CASE("simulated_run: two runs with one seed write the same bytes, with one thread and with two") {
  const temporary_directory place;
  for (const std::string policy : {"full", "static:1", "dtur", "adpsgd", "adaptive", "adaptive, weighing"}) {
    CAPTURE(policy);
    auto config = virtual_table(place, policy);
    std::vector<std::string> written;
    std::vector<finished_run> runs;
    for (const std::size_t threads : {1, 2, 2}) {
      config.threads = threads;
      run_controls controls;
      controls.rounds_file = place.path() / ("rounds-" + std::to_string(written.size()));
      controls.events_file = place.path() / ("events-" + std::to_string(written.size()));
      runs.push_back(run_policy_virtually(prepare_run(config), 0, controls));
      written.push_back(content_of(controls.rounds_file) + content_of(controls.events_file));
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
    CHECK_FALSE(written[0].starts_with(content_of(other.rounds_file)));
  }
}

TEST_CASE("simulated_run: the target accuracy ends the run, and a diverging loss fails it") {
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

TEST_CASE("simulated_run: one worker alone is at every moment as good as the average") {
  const temporary_directory place;
  auto config = virtual_table(place, "full");
  config.workers = 1;
  config.topology = "path";
  config.rounds = 60;
  config.eval_every_s = 1;
  const auto run = run_policy_virtually(prepare_run(config), 0, {});
  REQUIRE(run.result.evaluations.size() > 20);
  for (const auto& e : run.result.evaluations) {
    CHECK(e.worst_worker_accuracy == e.test_accuracy);
    CHECK(e.consensus_distance == 0);
    CHECK(e.scored_workers == 1);
  }
  CHECK(run.result.worst_worker_accuracy == run.result.test_accuracy);
}

TEST_CASE("simulated_run: the end is measured as the moments before it, and marked") {
  const temporary_directory place;
  auto config = virtual_table(place, "full");
  const auto run = run_policy_virtually(prepare_run(config), 0, {});
  const auto& all = run.result.evaluations;
  REQUIRE(all.size() > 3);
  for (std::size_t i = 0; i < all.size(); ++i) {
    CHECK(all[i].at_end == (i + 1 == all.size()));
    CHECK(all[i].scored_workers == 4);
    CHECK(all[i].scored_samples == all[0].scored_samples);
    CHECK((i == 0 || all[i].time_s > all[i - 1].time_s));
  }
  CHECK(all.back().time_s == run.result.duration_s);
  CHECK(run.result.scored_workers == 4);
}

TEST_CASE("simulated_run: the time to the target is that of an event, and not after the end") {
  const temporary_directory place;
  for (const std::string policy : {"full", "dtur", "adpsgd"})
    for (const double every : {0.3, 2.0, 7.0}) {
      CAPTURE(policy);
      CAPTURE(every);
      auto config = virtual_table(place, policy);
      config.rounds.reset();
      config.time_limit_s = 1000;
      config.target_accuracy = 0.6;
      config.eval_every_s = every;
      const auto run = run_policy_virtually(prepare_run(config), 0, {});
      REQUIRE(run.result.time_to_target_s);
      CHECK(*run.result.time_to_target_s <= run.result.duration_s);
      CHECK(std::remainder(*run.result.time_to_target_s, every) != 0);
    }
}

TEST_CASE("simulated_run: nothing is measured while nothing changes, however long the steps are") {
  const temporary_directory place;
  auto config = virtual_table(place, "full");
  config.straggler = "none";
  config.link_latency = "";
  config.step_time = "const:3600";
  config.rounds = 5;
  config.eval_every_s = 0.02;
  const auto run = run_policy_virtually(prepare_run(config), 0, {});
  CHECK(run.result.duration_s == 5 * 3600);
  REQUIRE(run.result.evaluations.size() == 5); // after the first four rounds, and at the end
  CHECK(run.result.evaluations[0].time_s == 3600);
  CHECK(run.result.evaluations[3].time_s == 4 * 3600);
}

TEST_CASE("simulated_run: a run goes to the end of what moments can hold, and says so") {
  const temporary_directory place;
  for (const std::string policy : {"full", "dtur", "adaptive"}) {
    CAPTURE(policy);
    auto config = virtual_table(place, policy);
    config.straggler = "none";
    config.step_time = "const:1e9";
    config.rounds = 5;
    const auto fits = run_policy_virtually(prepare_run(config), 0, {});
    CHECK_FALSE(fits.result.failed);
    CHECK(fits.result.duration_s >= 1e9);
    config.rounds = 50;
    const auto beyond = run_policy_virtually(prepare_run(config), 0, {});
    CHECK(beyond.result.failed);
    CHECK(beyond.result.failure.starts_with("virtual time ends after 9e9 s, some 285 years, while a step"));
    CHECK(beyond.result.duration_s > 7e9);
    CHECK(beyond.result.rounds > 0);
    config.straggler = "slow:1:1e9";
    CHECK(run_policy_virtually(prepare_run(config), 0, {}).result.failed);
    config.step_time = "const:1";
    config.straggler = "none";
    config.link_bandwidth = 1e-9;
    const auto slow = run_policy_virtually(prepare_run(config), 0, {});
    CHECK(slow.result.failure.find("while a message is under way") != std::string::npos);
  }
}

TEST_CASE("simulated_run: the bound on the rate of steps is that of the step times, whatever the policy") {
  const temporary_directory place;
  for (const std::string policy : {"full", "static:1", "dtur", "adpsgd"}) {
    CAPTURE(policy);
    auto config = virtual_table(place, policy);
    config.step_time = "exp:0.5";
    config.straggler = "slow:1:4";
    CHECK(run_policy_virtually(prepare_run(config), 0, {}).result.no_wait_rate ==
          doctest::Approx(3 / 0.5 + 1 / 2.0));
    config.on_miss = miss_rule::discard;
    CHECK(run_policy_virtually(prepare_run(config), 0, {}).result.no_wait_rate ==
          doctest::Approx(3 / 0.5 + 1 / 2.0));
  }
}

TEST_CASE("simulated_run: of many workers some are scored, the same ones to the end") {
  const temporary_directory place;
  auto config = virtual_table(place, "full");
  config.workers = 100;
  config.topology = "random:4";
  config.rounds = 10;
  config.eval_every_s = 0.5;
  const auto run = run_policy_virtually(prepare_run(config), 0, {});
  CHECK(run.result.scored_workers == 32);
  std::size_t scored = 0;
  auto worst = 1.0;
  for (const auto& w : run.result.per_worker)
    if (w.test_accuracy) {
      ++scored;
      worst = std::min(worst, *w.test_accuracy);
    }
  CHECK(scored == 32);
  CHECK(run.result.worst_worker_accuracy == worst);
  CHECK(run.result.evaluations.back().scored_workers == 32);
  CHECK(run.result.evaluations.front().scored_workers == 32); // the first time all is measured
}

TEST_CASE("simulated_run: whoever watches can stop it, and what was measured is kept") {
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

TEST_CASE("simulated_run: who is told of every evaluation can end it as a target does") {
  const temporary_directory place;
  auto config = virtual_table(place, "dtur");
  config.rounds.reset();
  config.time_limit_s = 1e7;
  run_controls controls;
  controls.on_evaluation = [left = 5](const evaluation&) mutable { return --left == 0; };
  const auto run = run_policy_virtually(prepare_run(config), 0, controls);
  CHECK_FALSE(run.result.interrupted);
  CHECK(run.result.evaluations.size() == 6); // and the end
}

TEST_CASE("simulated_run: single workers are scored as it goes, unless that is switched off") {
  const temporary_directory place;
  const auto inputs = prepare_run(virtual_table(place, "dtur"));
  std::vector<finished_run> runs;
  for (const auto scores : {true, false}) {
    run_controls controls;
    controls.scores_workers = scores;
    runs.push_back(run_policy_virtually(inputs, 0, controls));
    for (const auto& e : runs.back().result.evaluations)
      CHECK(e.worst_worker_accuracy.has_value() == (scores || e.at_end));
  }
  const auto& with = runs[0].result;
  const auto& without = runs[1].result;
  REQUIRE(with.evaluations.size() > 3);
  REQUIRE(without.evaluations.size() >= with.evaluations.size());
  CHECK(without.local_steps == with.local_steps);
  CHECK(without.test_loss == with.test_loss);
}

namespace {

bool same_but_for_the_host(const run_result& a, const run_result& b) {
  const auto same_evaluation = [](const evaluation& x, const evaluation& y) {
    return x.time_s == y.time_s && x.local_steps == y.local_steps && x.test_accuracy == y.test_accuracy &&
           x.test_loss == y.test_loss && x.worst_worker_accuracy == y.worst_worker_accuracy &&
           x.consensus_distance == y.consensus_distance && x.scores == y.scores;
  };
  return a.duration_s == b.duration_s && a.rounds == b.rounds && a.local_steps == b.local_steps &&
         a.samples == b.samples && a.test_loss == b.test_loss &&
         a.worst_worker_accuracy == b.worst_worker_accuracy && a.consensus_distance == b.consensus_distance &&
         a.estimates_sent == b.estimates_sent && a.mixing.rounds_audited == b.mixing.rounds_audited &&
         a.mixing.max_projection_error == b.mixing.max_projection_error &&
         std::ranges::equal(a.evaluations, b.evaluations, same_evaluation);
}

run_config long_virtual_table(const temporary_directory& place, const std::string& policy) {
  auto config = virtual_table(place, policy);
  config.rounds = 60;
  config.topology = "complete";
  config.link_latency = "exp:0.4"; // with blocks on their way
  config.checkpoint_every_s = 7;
  config.eval_every_s = 3;
  return config;
}

/// `inputs` makes them anew for each process that there would be.
void check_goes_on(const temporary_directory& place, const std::string& policy,
                   const std::function<run_inputs()>& inputs) {
  run_controls controls;
  controls.rounds_file = place.path() / "whole";
  controls.events_file = place.path() / "whole-events";
  const auto whole = run_policy_virtually(inputs(), 0, controls); // it makes no checkpoints
  const auto written = content_of(controls.rounds_file);
  const auto happened = content_of(controls.events_file);

  for (const std::uint64_t steps : {1, 20, 57, 100, 150, 230}) {
    CAPTURE(steps);
    controls.checkpoints = place.path() / (policy + std::to_string(steps));
    controls.rounds_file = place.path() / "rounds";
    controls.events_file = place.path() / "events";
    controls.resumed_virtually = {};
    // Interrupted (this makes a checkpoint just there), or killed some time after one that was due.
    const auto killed = steps % 2 == 0;
    auto first = inputs();
    controls.watch = [&](const run_progress& now) { return !killed && now.local_steps >= steps; };
    if (killed)
      first.config.time_limit_s = static_cast<double>(steps) / 4 + 8; // leaves the last one behind
    run_policy_virtually(first, 0, controls);
    auto second = inputs();
    const auto state =
        std::make_shared<virtual_checkpoint>(read_virtual_checkpoint(controls.checkpoints, second, 0));
    CHECK(state->events > 0);
    controls.resumed_virtually = state;
    controls.watch = {};
    second.config.threads = 2;
    const auto resumed = run_policy_virtually(second, 0, controls);
    CHECK_FALSE(resumed.result.failed);
    CHECK(content_of(controls.rounds_file) == written);
    CHECK((content_of(controls.events_file) == happened)); // with all that machines were told
    CHECK(same_but_for_the_host(whole.result, resumed.result));
    CHECK(std::ranges::equal(whole.average.values(), resumed.average.values()));
  }
}

/// Goes towards its worker's number, the quicker the longer, on more samples each time.
class seeker final : public learner {
public:
  explicit seeker(const dybw::place& at) : goal_(static_cast<float>(at.worker)) {}

  dybw::layout layout() const override { return {{"w", {3}}, {"pace", {}, state_class::local}}; }
  void initialise(std::uint64_t, std::span<float> w) override { std::ranges::fill(w, 1.0F); }
  step_result step(const step_context&, std::span<const float> w, std::span<float> next) override {
    for (std::size_t i = 0; i < 3; ++i)
      next[i] = w[i] + w[3] * (goal_ - w[i]) / 100;
    next[3] = w[3] * 1.001F;
    return {std::abs(w[0] - goal_), 5 + ++steps_ % 3};
  }
  std::optional<score> evaluate(std::span<const float> w) override {
    return score{{"first", w[0], better::smaller}};
  }
  void save(writer& out) const override { out.write(steps_); }
  void load(reader& in) override { steps_ = in.read<std::uint64_t>(); }

private:
  float goal_;
  std::uint64_t steps_ = 0;
};

} // namespace

TEST_CASE("simulated_run: a run that was interrupted anywhere goes on to the same end, bit for bit") {
  const temporary_directory place;
  for (const std::string policy :
       {"full", "static:1", "dtur", "hop:1:2", "barrier", "adpsgd", "adaptive", "adaptive, weighing"}) {
    CAPTURE(policy);
    auto config = long_virtual_table(place, policy);
    config.sgd.momentum = 0.5;
    check_goes_on(place, policy, [prepared = prepare_run(config)] { return prepared; });
  }
}

TEST_CASE("simulated_run: so does one of several gradients a step, with an outer step and a correction") {
  const temporary_directory place;
  for (const std::string policy : {"full", "dtur", "adaptive, weighing"}) {
    CAPTURE(policy);
    auto config = long_virtual_table(place, policy);
    config.sgd.momentum = 0.5;
    config.outer = outer_standard;
    config.correction = 0.1;
    if (policy == "full")
      config.local_steps = 3;
    else
      config.local_time_s = 4;
    check_goes_on(place, policy, [prepared = prepare_run(config)] { return prepared; });
  }
}

TEST_CASE(
    "simulated_run: local steps are counted one by one, and a slow worker makes fewer of them in a time") {
  const temporary_directory place;
  auto config = virtual_table(place, "full");
  config.step_time = "const:1";
  config.rounds = 20;
  config.local_steps = 6;
  const auto counted = run_policy_virtually(prepare_run(config), 0, {}).result;
  CHECK(counted.local_steps == 20 * 6 * config.workers);
  CHECK(counted.no_wait_rate == doctest::Approx(static_cast<double>(config.workers) - 2.0 / 3));
  for (const auto& w : counted.per_worker) {
    CHECK(w.local_steps == 120);
    CHECK((w.mean_step_s == doctest::Approx(1) || w.mean_step_s == doctest::Approx(3)));
  }

  config.local_steps = 1;
  config.local_time_s = 6;
  const auto timed = run_policy_virtually(prepare_run(config), 0, {}).result;
  std::uint64_t most = 0;
  std::uint64_t least = 1000;
  for (const auto& w : timed.per_worker) {
    CHECK(w.rounds == 20);
    most = std::max(most, w.local_steps);
    least = std::min(least, w.local_steps);
  }
  CHECK(most == 120);
  CHECK(least == 40); // it takes three times as long
  CHECK(timed.duration_s < counted.duration_s / 2);
}

TEST_CASE("simulated_run: so does one whose learners are the user's, with what these know") {
  const temporary_directory place;
  for (const std::string policy : {"full", "dtur", "adpsgd", "adaptive, weighing"}) {
    CAPTURE(policy);
    auto config = long_virtual_table(place, policy);
    config.data = {};
    config.model = "learner";
    config.own_learner = true;
    check_goes_on(place, policy, [&config] {
      auto inputs = plan_run(config);
      use_learners(inputs, std::make_shared<own_learners>(
                               [](const dybw::place& at) { return std::make_unique<seeker>(at); },
                               own_learner_options{static_cast<std::uint32_t>(config.workers), config.seed,
                                                   "", config.partition}));
      return inputs;
    });
  }
}

TEST_CASE("simulated_run: a checkpoint does not grow with the run, and adds to its figures") {
  const temporary_directory place;
  auto config = virtual_table(place, "full");
  config.step_time = "const:1";
  config.straggler = "none";
  config.link_latency = "";
  config.checkpoint_every_s = 50;
  config.eval_every_s = 1e6;
  config.time_limit_s = 130;
  config.rounds = 10'000;
  auto inputs = prepare_run(config);
  run_controls controls;
  controls.checkpoints = place.path() / "c";
  const auto sizes = [&] {
    return std::pair{std::filesystem::file_size(virtual_checkpoint_file(controls.checkpoints)),
                     std::filesystem::file_size(figure_file(controls.checkpoints))};
  };
  run_policy_virtually(inputs, 0, controls);
  const auto [state, figures] = sizes();
  const auto before = content_of(figure_file(controls.checkpoints));
  CHECK(figures == 100 * 4 * 4 * sizeof(double)); // rounds, workers, figures of each
  controls.resumed_virtually =
      std::make_shared<virtual_checkpoint>(read_virtual_checkpoint(controls.checkpoints, inputs, 0));
  inputs.config.time_limit_s = 1010;
  run_policy_virtually(inputs, 0, controls);
  const auto [later_state, later_figures] = sizes();
  CHECK(later_state == state);
  CHECK(later_figures == 10 * figures);
  CHECK(content_of(figure_file(controls.checkpoints)).starts_with(before));
}

TEST_CASE("simulated_run: a checkpoint is refused by a run that goes otherwise") {
  const temporary_directory place;
  auto config = virtual_table(place, "full");
  config.rounds = 60;
  config.checkpoint_every_s = 20;
  config.eval_every_s = 3;
  const auto inputs = prepare_run(config);
  run_controls controls;
  controls.checkpoints = place.path() / "c";
  run_policy_virtually(inputs, 0, controls);
  controls.resumed_virtually =
      std::make_shared<virtual_checkpoint>(read_virtual_checkpoint(controls.checkpoints, inputs, 0));

  auto shorter = inputs; // ends before it gets there
  shorter.config.rounds = 5;
  CHECK_THROWS_AS(run_policy_virtually(shorter, 0, controls), input_error);
  auto seldom = inputs;
  seldom.config.eval_every_s = 4;
  CHECK_THROWS_AS(run_policy_virtually(seldom, 0, controls), input_error);
  auto longer = inputs; // goes on beyond what was the end
  longer.config.rounds = 90;
  const auto run = run_policy_virtually(longer, 0, controls);
  CHECK(run.result.rounds == 90);

  config.seed = 2;
  CHECK_THROWS_AS(read_virtual_checkpoint(controls.checkpoints, prepare_run(config), 0), input_error);
}

} // namespace dybw::test
