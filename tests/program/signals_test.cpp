#include "tests/program/child_process.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>

#include <signal.h>

namespace dybw::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::milliseconds;

/// The contract's two seconds from Ctrl-C to the end; sanitizers make everything many times slower.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr auto ends_within = std::chrono::seconds{30};
#else
constexpr auto ends_within = std::chrono::seconds{2};
#endif

/// Generous: for what comes before the signal, on a busy machine.
constexpr auto patience = std::chrono::seconds{30};

std::vector<std::string> long_run(const fs::path& out, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments{
      "run",   "--workers",  "6",       "--time-limit", "50",       "--step-time",  "exp:0.005",
      "--out", out.string(), "--quiet", "--straggler",  "slow:1:4", "--eval-every", "0.1"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return dybw_command(arguments);
}

/// Lets the run go on until the file is there.
bool until_exists(child_process& process, const fs::path& file) {
  for (auto left = patience / milliseconds{5}; left > 0 && !fs::exists(file); --left)
    if (!process.go_on(milliseconds{5}))
      break;
  return fs::exists(file);
}

void check_interrupted(const process_end& end, const fs::path& out) {
  CAPTURE(end.err);
  CAPTURE(end.took.count());
  CHECK_FALSE(end.killed);
  CHECK(end.code == 130);
  CHECK(end.took < ends_within);
  std::ifstream in(out / "run.json");
  REQUIRE(in.good());
  const auto document = json::parse(in);
  REQUIRE_FALSE(document["runs"].empty());
  const auto& run = document["runs"].back();
  CHECK(run["interrupted"] == true);
  CHECK(run["failed"] == false);
  CHECK(run["mixing"]["one_sided_edges"] == 0);
  CHECK(run["mixing"]["max_column_error"] <= 1e-9);
  CHECK(run["duration_s"] < 50);
  CHECK(fs::exists(out / "report.html"));
}

} // namespace

TEST_CASE("dybw run: Ctrl-C ends a running run cleanly: exit code 130, and what was measured is written") {
  for (const std::string policy : {"full", "static:1", "dtur"}) {
    CAPTURE(policy);
    const temporary_directory place;
    const auto out = place.path() / "out";
    child_process run{long_run(out, {"--policy", policy})};
    auto directory = policy;
    std::ranges::replace(directory, ':', '-');
    REQUIRE(until_exists(run, out / directory / "rounds.jsonl"));
    run.go_on(milliseconds{300});
    run.send(SIGINT);
    const auto end = run.wait(patience);
    check_interrupted(end, out);
    CHECK(end.out.find(policy) != std::string::npos); // the table
    CHECK(end.err.empty());
  }
}

TEST_CASE("dybw run: SIGTERM does the same") {
  const temporary_directory place;
  child_process run{long_run(place.path() / "out")};
  REQUIRE(until_exists(run, place.path() / "out" / "dtur" / "rounds.jsonl"));
  run.send(SIGTERM);
  check_interrupted(run.wait(patience), place.path() / "out");
}

TEST_CASE("dybw run: a terminal that goes ends it as SIGTERM does, however often it says so") {
  const temporary_directory place;
  child_process run{long_run(place.path() / "out")};
  REQUIRE(until_exists(run, place.path() / "out" / "dtur" / "rounds.jsonl"));
  for (int i = 0; i < 3; ++i)
    run.send(SIGHUP);
  check_interrupted(run.wait(patience), place.path() / "out");
}

TEST_CASE("dybw run --seeds: Ctrl-C in the last run ends them with 130, and what was measured is shown") {
  const temporary_directory place;
  const auto out = place.path() / "out";
  child_process run{long_run(out, {"--seeds", "7"})};
  REQUIRE(until_exists(run, out / "seed-7" / "dtur" / "rounds.jsonl"));
  run.go_on(milliseconds{300});
  run.send(SIGINT);
  const auto end = run.wait(patience);
  check_interrupted(end, out / "seed-7");
  CHECK(end.out.find("dtur") != std::string::npos);
}

TEST_CASE("dybw node: a terminal that goes ends it in good order") {
  child_process node{dybw_command({"node", "--listen", "127.0.0.1:0"})};
  REQUIRE(node.go_on_until("ready at", patience));
  node.send(SIGHUP);
  const auto end = node.wait(patience);
  CHECK_FALSE(end.killed);
  CHECK(end.shell_code() == 0);
}

TEST_CASE("dybw run: files that may not grow are a run that says so, with what was measured") {
  const temporary_directory place;
  const auto out = (place.path() / "out").string();
  auto command = dybw_command(
      {"run", "--workers", "4", "--step-time", "const:0.01", "--rounds", "200", "--quiet", "--out", out});
  std::string line = "ulimit -f 8; exec";
  for (const auto& word : command)
    line += " '" + word + "'";
  child_process run{{"/bin/bash", "-c", line}};
  const auto end = run.wait(patience);
  CAPTURE(end.err);
  CHECK(end.code == 1);
  CHECK(end.err.find("dybw: error: ") != std::string::npos);
  CHECK(end.out.find("dtur") != std::string::npos);
}

TEST_CASE("dybw run: killed, it leaves what it had measured, which can be reported and gone on with") {
  const temporary_directory place;
  const auto out = place.path() / "out";
  const auto content = [](const fs::path& file) {
    std::ifstream in(file);
    return std::string{std::istreambuf_iterator<char>{in}, {}};
  };
  child_process run{long_run(out, {"--checkpoint-every", "0.2"})};
  REQUIRE(until_exists(run, out / "dtur" / "rounds.jsonl"));
  CHECK(json::parse(content(out / "run.json"))["state"] == "running"); // from the first moment on
  const auto evaluations = [&] { return std::ranges::count(content(out / "dtur" / "evals.jsonl"), '\n'); };
  for (auto left = patience / milliseconds{50}; left > 0 && evaluations() < 12; --left)
    run.go_on(milliseconds{50});
  REQUIRE(evaluations() >= 12);
  run.send(SIGKILL);
  run.wait();
  const auto document = json::parse(content(out / "run.json"));
  CHECK(document["state"] == "running");
  CHECK(document["runs"][0]["policy"] == "dtur");
  CHECK(document["config"]["workers"] == 6);

  const auto report = dybw({"report", out.string(), "--out", (place.path() / "page.html").string()});
  CAPTURE(report.err);
  REQUIRE(report.code == 0);
  CHECK(report.out.find("dtur: not at its end") != std::string::npos);
  const auto told = dybw({"report", out.string(), "--format", "json"});
  REQUIRE(told.code == 0);
  const auto reported = json::parse(told.out)["runs"][0];
  CHECK(reported["test_accuracy"] > 0.2);
  CHECK(reported["rounds"] > 50);
  CHECK(reported["evaluations"].size() >= 12);
  CHECK(reported["useful_gradient_rate"] > 10);

  const auto again = dybw({"run", "--quiet", "--rounds", "5", "--out", out.string()});
  CHECK(again.code == 2);
  CHECK(again.err.find("has not come to its end") != std::string::npos);
  const auto resumed = dybw({"run", "--resume", out.string(), "--time-limit", "1", "--quiet"});
  CAPTURE(resumed.err);
  CHECK(resumed.code == 0);
  CHECK(json::parse(content(out / "run.json"))["state"] == "done");
  CHECK(evaluations() >= 6);
  std::istringstream lines(content(out / "dtur" / "evals.jsonl"));
  for (std::string each; std::getline(lines, each);)
    CHECK(json::parse(each, nullptr, false).is_object());
}

TEST_CASE("dybw run: nobody reads what it prints, its results are in their files") {
  const temporary_directory place;
  const auto out = (place.path() / "out").string();
  std::string line;
  for (const auto& word : dybw_command({"run", "--clock", "virtual", "--step-time", "const:0.1", "--rounds",
                                        "20", "--workers", "4", "--out", out}))
    line += " '" + word + "'";
  // The shell waits for all of a pipeline; nobody reads it by the time that something is printed.
  child_process run{{"/bin/bash", "-c", "(sleep 0.3;" + line + " 2>&1; echo $? >" + out + ".code) | true"}};
  run.wait(patience);
  std::ifstream code(out + ".code");
  int exit_code = -1;
  code >> exit_code;
  CHECK(exit_code == 1); // said as what it is, and no signal
  CHECK(fs::exists(fs::path{out} / "run.json"));
  CHECK(fs::exists(fs::path{out} / "report.html"));
}

TEST_CASE(
    "dybw run: Ctrl-C at the very first moment of a run, and during steps far longer than anybody waits") {
  const temporary_directory place;
  for (const std::string step_time : {"const:0.0001", "const:1000"}) {
    CAPTURE(step_time);
    const auto out = place.path() / step_time;
    child_process run{dybw_command({"run", "--workers", "12", "--time-limit", "50", "--step-time", step_time,
                                    "--out", out.string(), "--quiet"})};
    REQUIRE(until_exists(run, out / "dtur" / "rounds.jsonl"));
    run.send(SIGINT);
    check_interrupted(run.wait(patience), out);
  }
}

TEST_CASE("dybw run: Ctrl-C at random moments ends within two seconds with 130, never with half a file") {
  std::mt19937 generator{1};
  for (int trial = 0; trial < 12; ++trial) {
    const auto delay =
        milliseconds{generator() % 60 * static_cast<unsigned>(trial)}; // early ones and later ones
    CAPTURE(trial);
    CAPTURE(delay.count());
    const temporary_directory place;
    const auto out = place.path() / "out";
    child_process run{long_run(out, {"--policy", "full,dtur"})};
    run.go_on(delay);
    run.send(SIGINT);
    const auto end = run.wait(patience);
    CAPTURE(end.err);
    CHECK_FALSE(end.killed);
    CHECK(end.shell_code() == 130); // before `main` it is the signal itself that ends the process
    CHECK(end.took < ends_within);
    CHECK(end.err.empty());
    if (fs::exists(out / "run.json"))
      check_interrupted(end, out);
    else
      CHECK(end.out.empty()); // nothing had been measured
  }
}

TEST_CASE("dybw run: a second Ctrl-C changes nothing for a run that is ending") {
  const temporary_directory place;
  child_process run{long_run(place.path() / "out")};
  REQUIRE(until_exists(run, place.path() / "out" / "dtur" / "rounds.jsonl"));
  run.go_on(milliseconds{100});
  run.send(SIGINT);
  run.send(SIGINT);
  const auto end = run.wait(patience);
  CHECK_FALSE(end.killed);
  CHECK(end.code == 130);
  CHECK(end.took < ends_within);
}

TEST_CASE(
    "dybw run: a process that was stopped for longer than others are trusted goes on, with a clean audit") {
  const temporary_directory place;
  for (const std::string policy : {"full", "dtur"}) {
    CAPTURE(policy);
    const auto out = place.path() / policy;
    child_process run{dybw_command({"run", "--workers", "5", "--policy", policy, "--time-limit", "2.5",
                                    "--step-time", "exp:0.005", "--suspect-after", "0.5", "--out",
                                    out.string(), "--quiet", "--log-level", "off"})};
    REQUIRE(until_exists(run, out / policy / "rounds.jsonl"));
    run.go_on(milliseconds{400});
    run.send(SIGSTOP);
    run.go_on(milliseconds{1000});
    run.send(SIGCONT);
    const auto end = run.wait(patience);
    CAPTURE(end.err);
    CHECK(end.code == 0);
    std::ifstream in(out / "run.json");
    const auto document = json::parse(in);
    const auto& result = document["runs"][0];
    CHECK(result["mixing"]["one_sided_edges"] == 0);
    CHECK(result["mixing"]["max_column_error"] <= 1e-9);
    CHECK(result["workers_lost"].empty());
    // It worked after the pause too: some round began in the run's last half second.
    double last_start_s = 0;
    std::ifstream lines(out / policy / "rounds.jsonl");
    for (std::string line; std::getline(lines, line);)
      last_start_s = std::max(last_start_s, json::parse(line)["start_s"].get<double>());
    CHECK(last_start_s > result["duration_s"].get<double>() - 0.5);
  }
}

} // namespace dybw::test
