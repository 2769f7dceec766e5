#include "apps/text/results_table.hpp"
#include "tests/apps/results/sample_result.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <sstream>

namespace dybw {

namespace {

std::size_t longest_line(const std::string& text) {
  std::istringstream in(text);
  std::string line;
  std::size_t longest = 0;
  while (std::getline(in, line))
    longest = std::max(longest, line.size());
  return longest;
}

} // namespace

TEST_CASE("results_table: several runs stand side by side") {
  auto dtur = sample_result("dtur");
  dtur.rounds = 900;
  dtur.mean_round_s = 0.0078;
  dtur.time_to_target_s = 7;
  dtur.useful_gradient_rate = 350.4;
  dtur.compute_share = 0.97;
  dtur.mean_backup_workers = 0.9;
  const std::vector runs = {sample_result("full"), dtur};
  CHECK(results_table(runs) ==
        R"(digits (iid), softmax (7,850 parameters), 2 workers on ring (1 edge), seed 1

policy  time to  accuracy   worst  rounds     mean   useful  compute   backup  speed-up  audit
         target            worker            round  grad./s    share  workers   on full
full     24.5 s    88.1 %  87.2 %     300  80.0 ms       25   40.0 %     0.25      1.00     ok
dtur     7.00 s    88.1 %  87.2 %     900  7.80 ms      350   97.0 %     0.90      3.50     ok
)");
}

TEST_CASE("results_table: without times to target the speed-up is that of the useful gradients, marked") {
  auto full = sample_result("full");
  auto dtur = sample_result("dtur");
  full.time_to_target_s.reset();
  dtur.useful_gradient_rate = 50;
  const auto text = results_table(std::vector{full, dtur});
  CHECK(text.find("2.00*") != std::string::npos);
  CHECK(text.find("* by useful gradients per second") != std::string::npos);
}

TEST_CASE("results_table: without a run of full there is no speed-up") {
  const auto text = results_table(std::vector{sample_result("static:1"), sample_result("dtur")});
  CHECK(text.find("        -     ok\n") != std::string::npos);
}

TEST_CASE("results_table: violations, failures and losses are spelled out") {
  auto bad = sample_result("dtur");
  bad.mixing.one_sided_edges = 2;
  bad.mixing.max_row_error = 0.5;
  bad.workers_lost = {3, 5};
  bad.failed = true;
  bad.failure = "worker 3 stopped";
  bad.timeouts = 1;
  bad.interrupted = true;
  for (const auto& runs : {std::vector{bad}, std::vector{sample_result("full"), bad}}) {
    const auto text = results_table(runs);
    CHECK(text.find("audit WRONG: 2 one-sided edges, errors of row 0.5") != std::string::npos);
    CHECK(text.find("failed: worker 3 stopped\n") != std::string::npos);
    CHECK(text.find("lost 2 workers: 3 5\n") != std::string::npos);
    CHECK(text.find("1 wait for a neighbour timed out\n") != std::string::npos);
    CHECK(text.find("interrupted") != std::string::npos);
  }
}

TEST_CASE("results_table: an audit of what is not finite is wrong, and says so") {
  auto bad = sample_result("dtur");
  bad.mixing.max_projection_error = std::numeric_limits<double>::infinity();
  CHECK(results_table(std::vector{bad}).find("column 0, projection not finite\n") != std::string::npos);
}

TEST_CASE("results_table: a run on nodes says what crossed between them, and which one was lost") {
  auto run = sample_result("dtur");
  CHECK(results_table(std::vector{run}).find("between") == std::string::npos);
  run.nodes = {{"a:7400", {0}, false}, {"b:7400", {1}, true}};
  run.link_bytes_sent = 12'340'000;
  run.eval_bytes_sent = 56'000;
  const auto text = results_table(std::vector{run});
  CHECK(text.find("between 2 nodes           12.3 MB to neighbours, 0.1 MB for testing\n") !=
        std::string::npos);
  CHECK(text.find("node b:7400 was out of reach at the end\n") != std::string::npos);
  CHECK(text.find("node a:7400") == std::string::npos);
  run.nodes[1].left = "the disk is full";
  run.not_written = {"cannot write evals.jsonl: no space"};
  const auto why = results_table(std::vector{run});
  CHECK(why.find("node b:7400 left the run: the disk is full\n") != std::string::npos);
  CHECK(why.find("out of reach") == std::string::npos);
  CHECK(why.find("results are missing: cannot write evals.jsonl: no space\n") != std::string::npos);
}

TEST_CASE("results_table: one run is shown in full, with its workers") {
  CHECK(results_table(std::vector{sample_result("dtur")}) ==
        R"(dtur: digits (iid), softmax (7,850 parameters), 2 workers on ring (1 edge), seed 1

duration                  24.0 s
time to target            24.5 s
test accuracy             88.1 % (of the average model), loss 0.412
worst worker's accuracy   87.2 %
rounds                    300, mean 80.0 ms
gradient steps            600, 25.0 per second (40.0 % of 62.5 if nobody ever waited)
time spent computing      40.0 %
backup workers            0.25 per worker and round on average
edges used per round      90.0 %
processor time            3.00 s, of it testing 100 ms
audit of the averaging    ok (299 rounds audited, 1 not)

worker  rounds  steps  computing  waiting  mean step  backup workers  accuracy   loss
0          300    300     6.00 s   18.0 s    20.0 ms            0.25    88.0 %  0.410
1          300    300     24.0 s   500 ms    80.0 ms            0.25    87.2 %  0.430
)");
}

TEST_CASE("results_table: the time of trainers is not among the program's own") {
  auto run = sample_result("dtur");
  run.trainer = "python3 train.py";
  CHECK(results_table(std::vector{run})
            .find("processor time            3.00 s without the trainers', whose scores took 100 ms\n") !=
        std::string::npos);
}

TEST_CASE("results_table: workers are listed one by one up to 32 of them") {
  auto run = sample_result("dtur");
  run.per_worker.resize(32);
  CHECK(results_table(std::vector{run}).find("\nworker ") != std::string::npos);
  run.per_worker.resize(33);
  CHECK(results_table(std::vector{run}).find("\nworker ") == std::string::npos);
}

TEST_CASE("results_table: large numbers still fit 100 columns") {
  auto large = sample_result("static:12");
  large.rounds = 1'234'567;
  large.local_steps = 123'456'789;
  large.time_to_target_s = 123'456;
  large.mean_round_s = 1234;
  large.useful_gradient_rate = 1'234'567;
  large.no_wait_rate = 1'234'567;
  large.mean_backup_workers = 123.45;
  large.test_accuracy = 1;
  large.worst_worker_accuracy = 1;
  large.compute_share = 1;
  CHECK(longest_line(results_table(std::vector{sample_result("full"), large})) <= 100);
  CHECK(longest_line(results_table(std::vector{large})) <= 100);
}

} // namespace dybw
