#include "actors/node/run_measurer.hpp"
#include "actors/run/run_inputs.hpp"
#include "tests/actors/support/fakes.hpp"
#include "tests/actors/support/small_table.hpp"
#include "tests/actors/support/test_system.hpp"
#include "tests/actors/support/throwing_model.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <vector>

namespace dybw::test {

namespace {

run_measurer_client_actor::behavior_type hearing_ends(run_measurer_client_actor::pointer,
                                                      std::vector<run_measured>* all) {
  return {[all](const run_measured& x) { all->push_back(x); }};
}

run_inputs inputs_of_two(const temporary_directory& place) {
  auto config = table_config(place);
  config.workers = 2;
  config.topology = "path";
  config.policies = {"full"};
  config.threads = 1;
  return prepare_run(config);
}

/// A measurer with the reporter and the two workers of the runs that it is to measure.
class measured_runs {
public:
  explicit measured_runs(const temporary_directory& place) : inputs_(inputs_of_two(place)) {
    in_->outcome = std::make_shared<run_outcome>();
    in_->outcome->result.rounds = 7;
    in_->outcome->result.per_worker.resize(2);
    in_->outcome->finals.resize(2);
    reports_ = system_.spawn(fake_reporter, in_);
    for (std::size_t i = 0; i < 2; ++i) {
      auto inbox = std::make_shared<letters>();
      inbox->answer = {worker_at(i), inputs_.initial[i], 0};
      workers_.push_back(system_.spawn(fake_worker, inbox));
    }
    node_writer files;
    files.write = [this](const run_spec&, const finished_run& run) { written_.push_back(run.result); };
    const auto node = system_.spawn(hearing_ends, &ends_);
    measurer_ = system_.spawn(run_measurer, node, files);
  }

  /// What the node hears; `other`: learned in place of the built-in model.
  run_measured measure(run_id run, std::shared_ptr<const dybw::model> other = nullptr) {
    auto inputs = std::make_shared<run_inputs>(inputs_);
    if (other)
      inputs->model = std::move(other);
    measurement what;
    what.spec.run = run;
    what.spec.name = "evening";
    what.inputs = std::move(inputs);
    what.here = workers_;
    what.reports = reports_;
    what.known.nodes = {{"here:1", {0, 1}, false}};
    const auto before = ends_.size();
    system_.tell(measurer_, std::make_shared<const measurement>(std::move(what)));
    REQUIRE(ends_.size() == before + 1);
    CHECK(ends_.back().run == run);
    return ends_.back();
  }
  std::shared_ptr<const classifier> built_in() const {
    return std::dynamic_pointer_cast<const classifier>(inputs_.model);
  }
  void kill_reporter() { system_.kill(reports_); }
  const std::vector<run_result>& written() const { return written_; }

private:
  run_inputs inputs_;
  std::vector<run_result> written_;
  std::vector<run_measured> ends_;
  reports_ptr in_ = std::make_shared<reports>();
  test_system system_;
  reporter_actor reports_;
  std::vector<worker_actor> workers_;
  run_measurer_actor measurer_;
};

} // namespace

TEST_CASE("run_measurer: what is thrown while it measures fails that run, and the next one is measured") {
  const temporary_directory place;
  measured_runs runs{place};
  const auto failed = runs.measure(1, std::make_shared<unscored_model>(runs.built_in()));
  CHECK(failed.failure == "its end cannot be measured: out of memory");
  REQUIRE(failed.result);
  CHECK(failed.result->ready);
  CHECK(failed.result->result.failed);
  CHECK(failed.result->result.failure == failed.failure);
  CHECK(failed.result->result.rounds == 7); // what is known all the same
  CHECK(failed.result->result.workers == 2);
  CHECK(failed.result->result.nodes.size() == 1);
  REQUIRE(runs.written().size() == 1);
  CHECK(runs.written()[0].failure == failed.failure);

  const auto good = runs.measure(2);
  CHECK(good.failure.empty());
  REQUIRE(good.result);
  CHECK_FALSE(good.result->result.failed);
  CHECK(good.result->result.test_accuracy);
  CHECK(runs.written().size() == 2);
}

TEST_CASE("run_measurer: a run whose reporter is gone has failed by that") {
  const temporary_directory place;
  measured_runs runs{place};
  runs.kill_reporter();
  const auto failed = runs.measure(1);
  CHECK(failed.failure.starts_with("the reporter failed: "));
  REQUIRE(failed.result);
  CHECK(failed.result->result.failure == failed.failure);
}

} // namespace dybw::test
