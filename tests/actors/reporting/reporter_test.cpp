#include "actors/reporting/evals_file.hpp"
#include "actors/reporting/reporter.hpp"
#include "tests/actors/support/fakes.hpp"
#include "tests/actors/support/test_system.hpp"
#include "tests/support/file_lines.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <limits>

namespace dybw::test {

namespace {

constexpr auto one = worker_id{1};
constexpr auto zero = worker_id{0};

round_report report_of(worker_id worker, round_number round, worker_id partner) {
  round_report r;
  r.mixed.worker = worker;
  r.mixed.round = round;
  r.mixed.own_weight = 0.5;
  r.mixed.committed = {{partner, 0.5}};
  r.started = nanoseconds{1'500'000'000};
  r.joined = nanoseconds{1'750'000'000};
  r.compute = nanoseconds{125'000'000}; // the rest of the time before joining it queued for a thread
  r.done = nanoseconds{2'000'000'000};
  r.degree = 1;
  r.accepted = 1;
  r.loss = 0.625;
  r.samples = 8;
  return r;
}

worker_finished last_word_of(worker_id worker, round_number completed) {
  worker_finished x;
  x.totals.worker = worker;
  x.totals.completed = completed;
  x.threshold_delays = std::make_shared<const duration_histogram>();
  return x;
}

/// A reporter that watches two fake workers on an edge.
struct watched_pair {
  explicit watched_pair(const std::filesystem::path& rounds_file = {})
      : watched_pair(reporter_options{nullptr, rounds_file}) {}
  explicit watched_pair(reporter_options options, bool has_sink = false) {
    options.graph = std::make_shared<const topology>(make_topology("path", 2, 1));
    if (has_sink)
      options.sink = actors.spawn(fake_sink, sink);
    handle = actors.spawn(reporter, options);
    for (int i = 0; i < 2; ++i)
      workers.push_back(actors.spawn(fake_worker, std::make_shared<letters>()));
    actors.tell(handle, watch_workers{workers, std::chrono::steady_clock::now()});
  }
  run_progress progress() { return actors.ask<run_progress>(handle, progress_wanted{}); }
  run_outcome_ptr outcome() { return actors.ask<run_outcome_ptr>(handle, outcome_wanted{}); }

  test_system actors;
  reporter_actor handle;
  std::vector<worker_actor> workers;
  passed_on_ptr sink = std::make_shared<passed_on>();
};

} // namespace

TEST_CASE("reporter: progress starts at nothing and follows the reports") {
  watched_pair run;
  auto p = run.progress();
  CHECK(p.newest_round == 0);
  CHECK(p.local_steps == 0);
  CHECK(p.workers_done == 0);
  CHECK_FALSE(p.accuracy);
  CHECK_FALSE(p.failure);
  run.actors.tell(run.handle, report_of(zero, 4, one));
  evaluation e;
  e.test_accuracy = 0.75;
  run.actors.tell(run.handle, e);
  p = run.progress();
  CHECK(p.newest_round == 4);
  CHECK(p.local_steps == 1);
  CHECK(p.loss == 0.625);
  CHECK(p.accuracy == 0.75);
}

TEST_CASE("reporter: a clean run is audited, and its outcome adds up") {
  watched_pair run;
  for (round_number round = 1; round <= 3; ++round) {
    run.actors.tell(run.handle, report_of(zero, round, one));
    run.actors.tell(run.handle, report_of(one, round, zero));
  }
  run.actors.tell(run.handle, last_word_of(zero, 3));
  CHECK(run.progress().workers_done == 1);
  auto delays = std::make_shared<duration_histogram>();
  delays->add(nanoseconds{5'000'000});
  auto last = last_word_of(one, 3);
  last.threshold_delays = delays;
  run.actors.tell(run.handle, last);
  CHECK(run.progress().workers_done == 2);
  const auto outcome = run.outcome();
  const auto& result = outcome->result;
  CHECK(result.mixing.clean());
  CHECK(result.mixing.rounds_audited == 3);
  CHECK(result.mixing.rounds_unaudited == 0);
  CHECK(result.rounds == 3);
  CHECK(result.local_steps == 6);
  CHECK(result.samples == 48);
  CHECK(result.mean_active_share == 1);
  REQUIRE(result.per_edge.size() == 1);
  CHECK(result.per_edge[0].active_share == 1);
  CHECK(result.threshold_delay_max_s == doctest::Approx(0.005));
  CHECK(result.workers_lost.empty());
  CHECK(outcome->violations.empty());
  CHECK(outcome->series.size() == 2);
  CHECK(result.duration_s > 0);
}

TEST_CASE("reporter: an edge that only one end mixed over is a violation with a sentence") {
  watched_pair run;
  auto alone = report_of(one, 1, zero);
  alone.mixed.committed.clear();
  alone.mixed.own_weight = 1;
  run.actors.tell(run.handle, report_of(zero, 1, one));
  run.actors.tell(run.handle, alone);
  run.actors.tell(run.handle, last_word_of(zero, 1));
  run.actors.tell(run.handle, last_word_of(one, 1));
  const auto outcome = run.outcome();
  CHECK_FALSE(outcome->result.mixing.clean());
  CHECK(outcome->result.mixing.one_sided_edges == 1);
  REQUIRE_FALSE(outcome->violations.empty());
  CHECK(outcome->violations.front().find("round 1: worker 0 mixed with worker 1") != std::string::npos);
}

TEST_CASE(
    "reporter: a loss that is no number is the run's failure, said once with worker, round and what to do") {
  for (const auto loss :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    watched_pair run;
    auto report = report_of(one, 7, zero);
    report.loss = loss;
    run.actors.tell(run.handle, report);
    report.mixed.round = 8;
    run.actors.tell(run.handle, report);
    const auto failure = run.progress().failure;
    REQUIRE(failure);
    CHECK(failure->find("worker 1 in round 7") != std::string::npos);
    CHECK(failure->find("--step-size") != std::string::npos);
  }
}

TEST_CASE("reporter: rounds.jsonl has one JSON object per worker and round, with the contract's fields") {
  const temporary_directory place;
  const auto file = place.path() / "rounds.jsonl";
  watched_pair run{file};
  run.actors.tell(run.handle, report_of(one, 7, zero));
  auto second = report_of(zero, 12345678901, one);
  second.mixed.committed.clear();
  second.loss = std::numeric_limits<double>::quiet_NaN();
  second.timed_out = true;
  run.actors.tell(run.handle, second);
  run.outcome(); // writes what is buffered
  const auto lines = lines_of(file);
  REQUIRE(lines.size() == 2);
  const auto first = nlohmann::json::parse(lines[0]);
  CHECK(first == nlohmann::json{{"worker", 1},
                                {"round", 7},
                                {"start_s", 1.5},
                                {"compute_s", 0.125},
                                {"wait_s", 0.25},
                                {"accepted", 1},
                                {"committed", {{0, 0.5}}},
                                {"backup_workers", 0},
                                {"gradients", 1},
                                {"loss", 0.625},
                                {"timeout", false}});
  const auto other = nlohmann::json::parse(lines[1]);
  CHECK(other["round"] == 12345678901);
  CHECK(other["committed"] == nlohmann::json::array());
  CHECK(other["backup_workers"] == 1);
  CHECK(other["loss"].is_null());
  CHECK(other["timeout"] == true);
}

TEST_CASE("reporter: several neighbours stand in one list, with weights of full precision") {
  const temporary_directory place;
  const auto file = place.path() / "rounds.jsonl";
  watched_pair run{file};
  auto report = report_of(zero, 1, one);
  report.mixed.committed = {{one, 1.0 / 3}, {worker_id{2}, 1e-7}, {worker_id{3}, 1}};
  report.degree = 3;
  run.actors.tell(run.handle, report);
  run.outcome();
  const auto line = nlohmann::json::parse(lines_of(file).at(0));
  CHECK(line["committed"] == nlohmann::json{{1, 1.0 / 3}, {2, 1e-7}, {3, 1.0}});
}

TEST_CASE("reporter: buffered rounds are written out every second") {
  const temporary_directory place;
  const auto file = place.path() / "rounds.jsonl";
  watched_pair run{file};
  for (int second = 1; second <= 2; ++second) {
    run.actors.tell(run.handle, report_of(zero, static_cast<round_number>(second), one));
    run.actors.advance(std::chrono::seconds{1});
    CHECK(lines_of(file).size() == static_cast<std::size_t>(second));
  }
}

TEST_CASE(
    "reporter: a file that cannot be written does not stop the run, its result says why it is missing") {
  for (const std::string file : {"/dev/full", "/nowhere/rounds.jsonl"}) {
    CAPTURE(file);
    watched_pair run{file};
    run.actors.tell(run.handle, report_of(zero, 1, one));
    run.actors.advance(std::chrono::seconds{1});
    run.actors.tell(run.handle, report_of(zero, 2, one));
    run.actors.advance(std::chrono::seconds{1});
    const auto now = run.progress();
    CHECK_FALSE(now.failure);
    CHECK(now.not_written.starts_with("cannot write " + file + ": "));
    const auto outcome = run.outcome();
    CHECK_FALSE(outcome->failure);
    CHECK(outcome->result.not_written == std::vector{now.not_written}); // once
    CHECK(outcome->result.local_steps == 2);
  }
}

TEST_CASE("reporter: evaluations are in their file as soon as they are measured, and not all in memory") {
  const temporary_directory place;
  reporter_options options;
  options.evals_file = place.path() / "evals.jsonl";
  watched_pair run{options};
  evaluation e;
  constexpr std::size_t count = 3 * evaluation_history::kept_max;
  for (std::size_t i = 0; i < count; ++i) {
    e.time_s = static_cast<double>(i);
    e.cpu_s = 0.5;
    run.actors.tell(run.handle, e);
    if (i == 0)
      CHECK(lines_of(options.evals_file) == std::vector{evaluation_line(e)});
  }
  CHECK(lines_of(options.evals_file).size() == count);
  const auto result = run.outcome()->result;
  CHECK(result.evaluations.size() <= evaluation_history::kept_max);
  CHECK(result.evaluations.front().time_s == 0);
  CHECK(result.evaluations.back().time_s == count - 1);
  CHECK(result.eval_cpu_s == count / 2);
}

TEST_CASE("reporter: a worker that dies before its last word is lost, and done, the run goes on") {
  watched_pair run;
  run.actors.tell(run.handle, report_of(zero, 1, one));
  run.actors.kill(run.workers[1]);
  const auto p = run.progress();
  CHECK(p.workers_done == 1);
  CHECK_FALSE(p.failure);
  run.actors.tell(run.handle, last_word_of(zero, 1));
  const auto outcome = run.outcome();
  CHECK(outcome->result.workers_lost == std::vector<std::uint32_t>{1});
  CHECK(outcome->result.mixing.clean()); // its last report may be missing
  CHECK(outcome->result.mixing.edges_lost == 1);
  CHECK(outcome->finals.size() == 2);
}

TEST_CASE("reporter: workers of a node that is gone and back are audited again, and not lost at the end") {
  watched_pair run;
  run.actors.tell(run.handle, report_of(zero, 1, one));
  run.actors.tell(run.handle, report_of(one, 1, zero));
  run.actors.tell(run.handle, workers_gone{{one}, "the connection closed"});
  CHECK(run.progress().workers_done == 1);
  run.actors.tell(run.handle, report_of(zero, 2, one)); // perhaps; its report is missing
  CHECK(run.outcome()->result.mixing.edges_lost == 1);
  CHECK(run.outcome()->result.workers_lost == std::vector<std::uint32_t>{1});
  run.actors.tell(run.handle, workers_back{{one}});
  CHECK(run.progress().workers_done == 0);
  run.actors.tell(run.handle, report_of(zero, 7, one));
  CHECK(run.outcome()->result.mixing.rounds_unaudited == 1); // waits for it
  run.actors.tell(run.handle, report_of(one, 7, zero));
  run.actors.tell(run.handle, last_word_of(zero, 7));
  run.actors.tell(run.handle, last_word_of(one, 7));
  const auto outcome = run.outcome();
  CHECK(outcome->result.mixing.rounds_audited == 3);
  CHECK(outcome->result.mixing.rounds_unaudited == 0);
  CHECK(outcome->result.mixing.edges_lost == 1);
  CHECK(outcome->result.mixing.clean());
  CHECK(outcome->result.workers_lost.empty());
}

TEST_CASE("reporter: a worker that ends after its last word is not lost, and counts once") {
  watched_pair run;
  run.actors.tell(run.handle, last_word_of(one, 1));
  run.actors.kill(run.workers[1]);
  CHECK(run.progress().workers_done == 1);
  CHECK(run.outcome()->result.workers_lost.empty());
}

TEST_CASE("reporter: evaluations are kept in order and their cost is added up") {
  watched_pair run;
  for (int i = 1; i <= 3; ++i) {
    evaluation e;
    e.time_s = i;
    e.cpu_s = 0.5;
    run.actors.tell(run.handle, e);
  }
  const auto outcome = run.outcome();
  REQUIRE(outcome->result.evaluations.size() == 3);
  CHECK(outcome->result.evaluations[2].time_s == 3);
  CHECK(outcome->result.eval_cpu_s == doctest::Approx(1.5));
}

TEST_CASE("reporter: what workers say is passed on ten times a second, and silence too") {
  watched_pair run{reporter_options{}, true};
  const auto& batches = run.sink->batches;
  run.actors.tell(run.handle, report_of(zero, 1, one));
  run.actors.tell(run.handle, report_of(one, 1, zero));
  auto delays = std::make_shared<duration_histogram>();
  delays->add(nanoseconds{5'000'000});
  auto last = last_word_of(one, 1);
  last.threshold_delays = delays;
  run.actors.tell(run.handle, last);
  CHECK(batches.empty());
  run.actors.advance(std::chrono::milliseconds{100});
  REQUIRE(batches.size() == 1);
  CHECK(batches[0]->rounds.size() == 2);
  REQUIRE(batches[0]->finished.size() == 1);
  CHECK(batches[0]->finished[0].totals.worker == one);
  CHECK(batches[0]->finished[0].threshold_delay_max == nanoseconds{5'000'000});
  CHECK(batches[0]->progress.workers_done == 1);
  CHECK(batches[0]->progress.local_steps == 2);
  run.actors.advance(std::chrono::milliseconds{100});
  REQUIRE(batches.size() == 2);
  CHECK(batches[1]->rounds.empty());
  CHECK(batches[1]->finished.empty());
}

TEST_CASE("reporter: of too much at once the rest is not passed on, but counted") {
  watched_pair run{reporter_options{}, true};
  const auto most = reporter_state::passed_on_max;
  for (round_number round = 1; round <= most + 3; ++round)
    caf::anon_send(run.handle, report_of(zero, round, one));
  run.actors.run();
  run.actors.advance(std::chrono::milliseconds{100});
  REQUIRE(run.sink->batches.size() == 1);
  CHECK(run.sink->batches[0]->rounds.size() == most);
  CHECK(run.sink->batches[0]->rounds_dropped == 3);
  CHECK(run.progress().local_steps == most + 3);
  run.actors.tell(run.handle, report_of(zero, most + 4, one));
  run.actors.advance(std::chrono::milliseconds{100});
  CHECK(run.sink->batches[1]->rounds.size() == 1);
  CHECK(run.sink->batches[1]->rounds_dropped == 3);
}

TEST_CASE("reporter: the news of a worker's part of the network goes to the sink at once") {
  watched_pair run{reporter_options{}, true};
  run.actors.tell(run.handle, part_changed{one, 1, one});
  REQUIRE(run.sink->parts.size() == 1);
  CHECK(run.sink->parts[0].worker == one);
  CHECK(run.sink->parts[0].component == 1);
  CHECK(run.sink->parts[0].lowest == one);
}

TEST_CASE("reporter: that of a node expects its own workers only, and does not judge half a matrix") {
  reporter_options options;
  options.expected = {one};
  options.audit = false;
  watched_pair run{options};
  run.actors.tell(run.handle, report_of(one, 1, zero)); // worker 0 reports elsewhere
  run.actors.tell(run.handle, last_word_of(one, 1));
  CHECK(run.progress().workers_done == 1);
  const auto outcome = run.outcome();
  CHECK(outcome->result.mixing.rounds_audited == 0);
  CHECK(outcome->result.mixing.clean());
  CHECK(outcome->result.local_steps == 1);
}

TEST_CASE("reporter: workers whose node is gone are lost, and are not when it is back") {
  watched_pair run;
  run.actors.tell(run.handle, report_of(zero, 1, one));
  run.actors.tell(run.handle, report_of(one, 1, zero));
  run.actors.tell(run.handle, workers_gone{{one}, "no sign of life"});
  CHECK(run.progress().workers_done == 1);
  run.actors.tell(run.handle, report_of(zero, 2, one));
  CHECK(run.outcome()->result.workers_lost == std::vector<std::uint32_t>{1});
  run.actors.tell(run.handle, workers_back{{one}});
  CHECK(run.progress().workers_done == 0);
  for (round_number round = 5; round <= 6; ++round) {
    run.actors.tell(run.handle, report_of(one, round, zero));
    run.actors.tell(run.handle, report_of(zero, round, one));
  }
  run.actors.tell(run.handle, last_word_of(zero, 6));
  run.actors.tell(run.handle, last_word_of(one, 6));
  const auto outcome = run.outcome();
  CHECK(outcome->result.workers_lost.empty());
  CHECK(outcome->result.mixing.clean());
  CHECK(outcome->result.mixing.edges_lost == 1); // round 2
  CHECK(outcome->result.mixing.rounds_audited == 4);
}

TEST_CASE("reporter: a worker that left in good order and is back is audited again") {
  watched_pair run;
  for (const auto& [id, other] : {std::pair{zero, one}, std::pair{one, zero}})
    run.actors.tell(run.handle, report_of(id, 1, other));
  run.actors.tell(run.handle, last_word_of(one, 1));
  CHECK(run.progress().workers_done == 1);
  run.actors.tell(run.handle, workers_gone{{one}, "its node ended"});
  CHECK(run.outcome()->result.workers_lost.empty());
  run.actors.tell(run.handle, report_of(zero, 4, one)); // with the new process, before we hear of it
  run.actors.tell(run.handle, workers_back{{one}});
  CHECK(run.progress().workers_done == 0);
  run.actors.tell(run.handle, report_of(zero, 5, one));
  run.actors.tell(run.handle, report_of(one, 5, zero));
  run.actors.tell(run.handle, last_word_of(zero, 5));
  run.actors.tell(run.handle, last_word_of(one, 5));
  const auto outcome = run.outcome();
  CHECK(outcome->result.workers_lost.empty());
  CHECK(outcome->result.mixing.clean());
  CHECK(outcome->result.mixing.edges_lost == 1); // round 4
  CHECK(outcome->result.mixing.rounds_audited == 3);
  CHECK(outcome->result.rounds == 5);
}

TEST_CASE("reporter: in pairs a half that stays alone fails the audit, with its sentence") {
  reporter_options options;
  options.in_pairs = true;
  for (const auto given_up : {false, true}) {
    watched_pair run{options};
    auto report = report_of(zero, 1, one);
    report.exchanges.halves = {{zero, one, one, 1, 1, 0.5, 0, 0}};
    run.actors.tell(run.handle, report);
    auto other = report_of(one, 1, zero);
    if (given_up)
      other.exchanges.given_up = {zero};
    run.actors.tell(run.handle, other);
    run.actors.tell(run.handle, last_word_of(zero, 1));
    run.actors.tell(run.handle, last_word_of(one, 1));
    auto outcome = run.outcome();
    CHECK(outcome->result.mixing.clean() == given_up);
    CHECK(outcome->violations.empty() == given_up);
  }
}

TEST_CASE("reporter: from the middle of a run the audit does not hold against a worker what was before") {
  reporter_options options;
  options.late = true;
  watched_pair run{options};
  run.actors.tell(run.handle, report_of(zero, 41, one)); // worker 1 said it before anybody listened
  run.actors.tell(run.handle, report_of(zero, 42, one));
  run.actors.tell(run.handle, report_of(one, 42, zero));
  run.actors.tell(run.handle, last_word_of(zero, 42));
  run.actors.tell(run.handle, last_word_of(one, 42));
  const auto outcome = run.outcome();
  CHECK(outcome->result.mixing.clean());
  CHECK(outcome->result.mixing.one_sided_edges == 0);
  CHECK(outcome->result.mixing.edges_lost == 1);
}

TEST_CASE("reporter: a joined run's rounds follow those that the file holds already") {
  const temporary_directory place;
  const auto file = place.path() / "rounds.jsonl";
  {
    watched_pair before{file};
    before.actors.tell(before.handle, report_of(zero, 1, one));
    before.outcome();
  }
  reporter_options options;
  options.rounds_file = file;
  options.append = true;
  watched_pair after{options};
  after.actors.tell(after.handle, report_of(zero, 9, one));
  after.outcome();
  const auto lines = lines_of(file);
  REQUIRE(lines.size() == 2);
  CHECK(nlohmann::json::parse(lines[0])["round"] == 1);
  CHECK(nlohmann::json::parse(lines[1])["round"] == 9);
}

} // namespace dybw::test
