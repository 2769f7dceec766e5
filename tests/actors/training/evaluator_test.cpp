#include "actors/training/evaluator.hpp"
#include "tests/actors/support/fakes.hpp"
#include "tests/actors/support/small_training.hpp"
#include "tests/actors/support/test_system.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

namespace {

constexpr auto every = std::chrono::milliseconds{200};
constexpr auto patience = std::chrono::seconds{1};

target_listener_actor::behavior_type fake_target_listener(target_listener_actor::pointer,
                                                          std::shared_ptr<int> times) {
  return {[times](const target_reached&) { ++*times; }};
}

/// An evaluator over two fake workers, whose estimates the test sets.
struct measured_pair {
  explicit measured_pair(std::optional<double> target = std::nullopt, bool tells_others = false) {
    evaluator_options options;
    learner = make_model("softmax", {4, 2});
    options.bench = std::make_shared<test_bench>(learner, small_data(50));
    for (std::size_t i = 0; i < 2; ++i) {
      inboxes.push_back(std::make_shared<letters>());
      inboxes[i]->answer = {worker_at(i), filled_block(*learner, 0), 0};
      workers.push_back(actors.spawn(fake_worker, inboxes[i]));
    }
    options.workers.assign(workers.begin(), workers.end());
    options.initial.assign(2, filled_block(*learner, 0));
    options.sinks.push_back(actors.spawn(fake_reporter, in));
    options.origin = std::chrono::steady_clock::now();
    options.every = every;
    options.target_accuracy = target;
    if (tells_others)
      options.on_target = actors.spawn(fake_target_listener, targets);
    handle = actors.spawn(evaluator, std::move(options));
    actors.run();
  }
  void answer(std::size_t worker, float value, std::uint64_t steps) {
    inboxes[worker]->answer = {worker_at(worker), filled_block(*learner, value), steps};
  }
  const std::vector<evaluation>& evaluations() const { return in->evaluations; }

  test_system actors;
  std::vector<letters_ptr> inboxes;
  std::vector<worker_actor> workers;
  std::shared_ptr<const classifier> learner;
  reports_ptr in = std::make_shared<reports>();
  std::shared_ptr<int> targets = std::make_shared<int>(0);
  evaluator_actor handle;
};

} // namespace

TEST_CASE("evaluator: measures the average of what the workers answer, at its interval") {
  measured_pair run;
  CHECK(run.evaluations().empty());
  run.answer(0, 1, 10);
  run.answer(1, 3, 20);
  run.actors.advance(every);
  REQUIRE(run.evaluations().size() == 1);
  const auto& e = run.evaluations()[0];
  CHECK(e.local_steps == 30);
  CHECK(e.consensus_distance == doctest::Approx(static_cast<double>(run.learner->parameter_count())));
  CHECK(e.test_loss == doctest::Approx(std::log(2))); // equal entries cannot decide between two classes
  CHECK(e.worst_worker_accuracy > 0);
  CHECK(e.time_s > 0);
  for (int i = 0; i < 3; ++i) {
    run.answer(0, static_cast<float>(i), 20);
    run.actors.advance(std::chrono::seconds{5}); // whatever this evaluation cost
  }
  CHECK(run.evaluations().size() == 4);
  CHECK(run.inboxes[0]->snapshots == 4);
}

TEST_CASE("evaluator: what has not changed is not measured again") {
  measured_pair run;
  run.answer(0, 1, 10);
  run.answer(1, 3, 20);
  run.actors.advance(every);
  for (int i = 0; i < 3; ++i)
    run.actors.advance(std::chrono::seconds{5});
  CHECK(run.evaluations().size() == 1);
  CHECK(run.inboxes[0]->snapshots == 4); // it looks
  run.answer(1, 4, 21);
  run.actors.advance(std::chrono::seconds{5});
  CHECK(run.evaluations().size() == 2);
}

TEST_CASE("evaluator: a worker that does not answer counts with its last estimate, after a second") {
  measured_pair run;
  run.answer(0, 1, 10);
  run.answer(1, 3, 20);
  run.actors.advance(every);
  REQUIRE(run.evaluations().size() == 1);
  run.inboxes[1]->is_silent = true;
  run.answer(0, 7, 50);
  run.actors.advance(std::chrono::seconds{5});
  CHECK(run.evaluations().size() == 1); // still waits for worker 1
  run.actors.advance(patience);
  REQUIRE(run.evaluations().size() == 2);
  CHECK(run.evaluations()[1].local_steps == 70);
  CHECK(run.evaluations()[1].consensus_distance ==
        doctest::Approx(4 * static_cast<double>(run.learner->parameter_count()))); // of 7 and 3
}

TEST_CASE("evaluator: a lost worker is left out, and not waited for") {
  measured_pair run;
  run.answer(0, 1, 10);
  run.answer(1, 3, 20);
  run.actors.advance(every);
  REQUIRE(run.evaluations().size() == 1);
  run.actors.kill(run.workers[1]);
  run.answer(0, 7, 50);
  run.actors.advance(std::chrono::seconds{5});
  REQUIRE(run.evaluations().size() == 2); // at once
  CHECK(run.evaluations()[1].consensus_distance == 0);
  CHECK(run.evaluations()[1].local_steps == 70);
  run.inboxes[0]->is_silent = true;
  run.actors.advance(std::chrono::seconds{5});
  CHECK(run.evaluations().size() == 2);
  run.actors.kill(run.workers[0]); // while it is waited for: nobody is there to be measured
  run.actors.advance(std::chrono::seconds{60});
  CHECK(run.evaluations().size() == 2);
}

TEST_CASE("evaluator: a worker that is lost while it is waited for holds nobody up") {
  measured_pair run;
  run.answer(0, 1, 10);
  run.inboxes[1]->is_silent = true;
  run.actors.advance(every);
  CHECK(run.evaluations().empty());
  run.actors.kill(run.workers[1]);
  REQUIRE(run.evaluations().size() == 1);
  CHECK(run.evaluations()[0].consensus_distance == 0);
}

TEST_CASE("evaluator: who answers twice does not answer for another") {
  measured_pair run;
  run.inboxes[1]->is_silent = true;
  run.answer(0, 1, 10);
  run.actors.advance(every);
  run.actors.tell(run.handle, snapshot{worker_at(0), filled_block(*run.learner, 5), 11});
  CHECK(run.evaluations().empty());
  run.actors.tell(run.handle, snapshot{worker_at(1), filled_block(*run.learner, 5), 20});
  REQUIRE(run.evaluations().size() == 1);
  CHECK(run.evaluations()[0].local_steps == 31);
}

TEST_CASE("evaluator: who never answered counts with where it started") {
  measured_pair run;
  run.inboxes[1]->is_silent = true;
  run.answer(0, 2, 10);
  run.actors.advance(every);
  run.actors.advance(patience);
  REQUIRE(run.evaluations().size() == 1);
  CHECK(run.evaluations()[0].local_steps == 10);
  CHECK(run.evaluations()[0].consensus_distance ==
        doctest::Approx(static_cast<double>(run.learner->parameter_count()))); // of 2 and 0
}

TEST_CASE("evaluator: the end of patience with an earlier question changes nothing") {
  measured_pair run;
  run.actors.advance(every);
  REQUIRE(run.evaluations().size() == 1);
  run.actors.tell(run.handle, answers_due{1});
  run.actors.tell(run.handle, answers_due{99});
  CHECK(run.evaluations().size() == 1);
}

TEST_CASE("evaluator: once the target is reached the workers are told to stop, and nothing is measured after "
          "that") {
  measured_pair run{0.01};
  CHECK(run.inboxes[0]->stops == 0);
  run.actors.advance(every);
  REQUIRE(run.evaluations().size() == 1);
  CHECK(run.inboxes[0]->stops == 1);
  CHECK(run.inboxes[1]->stops == 1);
  for (int i = 0; i < 3; ++i)
    run.actors.advance(std::chrono::seconds{60});
  CHECK(run.evaluations().size() == 1);
}

TEST_CASE("evaluator: below the target nobody is told to stop") {
  measured_pair run{1.0};
  run.actors.advance(every);
  REQUIRE(run.evaluations().size() == 1);
  CHECK(run.inboxes[0]->stops == 0);
}

TEST_CASE("evaluator: whoever is to be told of the target is, and then ends the run itself") {
  measured_pair run{0.01, true};
  run.actors.advance(every);
  CHECK(*run.targets == 1);
  CHECK(run.inboxes[0]->stops == 0);
}

TEST_CASE("evaluator: a worker that cannot be reached does not count") {
  measured_pair run;
  run.answer(0, 1, 10);
  run.answer(1, 3, 20);
  run.actors.advance(every);
  run.inboxes[1]->answer = {worker_at(1), {}, 0}; // what the remote_worker in its place says
  run.actors.advance(std::chrono::seconds{5});
  REQUIRE(run.evaluations().size() == 2);
  CHECK(run.evaluations()[0].consensus_distance > 0);
  CHECK(run.evaluations()[1].consensus_distance == 0);
  run.inboxes[0]->answer = {worker_at(0), {}, 0};
  run.actors.advance(std::chrono::seconds{5});
  CHECK(run.evaluations().size() == 2); // nobody is there to be measured
  run.answer(0, 1, 30);
  run.actors.advance(std::chrono::seconds{5});
  CHECK(run.evaluations().size() == 3);
}

} // namespace dybw::test
