#include "tests/program/child_process.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <thread>

#include <csignal>

namespace dybw::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::seconds;

/// `dybw run` with four of the trainers in C, which may misbehave as `how` says.
std::vector<std::string> run_with(const std::string& how, std::vector<std::string> more) {
  std::vector<std::string> arguments{"run",      "--trainer", std::string{DYBW_PLAIN_TRAINER} + ' ' + how,
                                     "--quiet",  "--workers", "4",
                                     "--format", "json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Of a process that may end meanwhile, which only `getline` takes for an end of the file.
std::string command_line(const fs::path& process) {
  std::ifstream in(process / "cmdline");
  std::string all;
  for (std::string word; std::getline(in, word, '\0');)
    all += word + ' ';
  return all;
}

/// Processes whose command line holds this text.
std::vector<int> processes_with(const std::string& text) {
  std::vector<int> found;
  for (const auto& entry : fs::directory_iterator{"/proc"}) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos &&
        command_line(entry.path()).find(text) != std::string::npos)
      found.push_back(std::stoi(name));
  }
  return found;
}

bool none_is_left(const std::string& text) {
  for (auto i = 0; i < 300; ++i) {
    if (processes_with(text).empty())
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  return false;
}

/// The failures of the workers, by number.
std::map<std::size_t, std::string> failures_of(const json& run) {
  std::map<std::size_t, std::string> all;
  for (const auto& w : run["per_worker"])
    if (w.contains("failure"))
      all[w["worker"]] = w["failure"];
  return all;
}

} // namespace

TEST_CASE("dybw run --trainer: processes learn together, by every policy, each from the same start") {
  const temporary_directory place;
  const auto good = dybw(run_with("", {"--rounds", "60", "--policy", "full,dtur,adaptive,adpsgd",
                                       "--step-time", "exp:0.002", "--out", "out"}),
                         place.path());
  CAPTURE(good.err);
  REQUIRE(good.code == 0);
  const auto document = json::parse(good.out);
  CHECK(document["config"]["trainer"].get<std::string>().starts_with(DYBW_PLAIN_TRAINER));
  CHECK(document["config"]["step-size"].is_null()); // nobody here knows
  const auto& runs = document["runs"];
  REQUIRE(runs.size() == 4);
  for (const auto& run : runs) {
    CAPTURE(run["policy"]);
    CHECK(run["model"] == "trainer");
    CHECK(run["parameters"] == 9);
    CHECK(run["model_layout"].size() == 2);
    CHECK(run["test_accuracy"] > 0.9);
    CHECK(run["scores"]["accuracy"] == run["test_accuracy"]);
    CHECK(run["scores"]["loss"] == run["test_loss"]);
    CHECK(run["per_worker"][3]["test_accuracy"] > 0.8);
    CHECK(run["scored_workers"] == 4);
    CHECK(run["mixing"]["one_sided_edges"] == 0);
    CHECK(run["samples"] == 32 * run["local_steps"].get<int>());
    CHECK(failures_of(run).empty());
  }
  CHECK(fs::exists(place.path() / "out" / "full" / "model.npz"));
  CHECK(fs::exists(place.path() / "out" / "trainers" / "worker-3.err"));
}

TEST_CASE("dybw run --trainer: takes local steps one after the other, with an outer step over them") {
  const temporary_directory place;
  for (const std::string policy : {"full", "adaptive"}) {
    CAPTURE(policy);
    const auto end = dybw(run_with("", {"--rounds", "40", "--policy", policy, "--local-steps", "5",
                                        "--outer-momentum", "0.25", "--step-time", "exp:0.001"}),
                          place.path());
    CAPTURE(end.err);
    REQUIRE(end.code == 0);
    const auto run = json::parse(end.out)["runs"][0];
    CHECK(run["local_steps"] == 4 * 40 * 5);
    CHECK(run["samples"] == 32 * 4 * 40 * 5);
    CHECK(run["test_accuracy"] > 0.9);
    CHECK(run["mixing"]["one_sided_edges"] == 0);
  }
}

TEST_CASE("dybw run --trainer --clock virtual: the same bytes each time") {
  const temporary_directory place;
  for (const auto* name : {"a", "b"}) {
    const auto end = dybw(run_with("", {"--clock", "virtual", "--step-time", "exp:1", "--policy", "dtur",
                                        "--rounds", "40", "--out", name}),
                          place.path());
    CAPTURE(end.err);
    REQUIRE(end.code == 0);
  }
  for (const auto* file : {"rounds.jsonl", "model.npy"}) {
    const auto first = content(place.path() / "a" / "dtur" / file);
    CHECK_FALSE(first.empty());
    CHECK(first == content(place.path() / "b" / "dtur" / file));
  }
}

TEST_CASE("dybw run --trainer: one that fails ends its worker, the others go on") {
  const temporary_directory place;
  struct fault {
    std::string how;
    std::string says;
  };
  for (const auto& f :
       {fault{"--raise-at 20", "AskedFor: step 20"}, fault{"--die-at 20", "was ended by signal 9"},
        fault{"--infinite-from 20", "not finite 3 times in a row"}}) {
    for (const std::string policy : {"full", "dtur", "adaptive"}) {
      CAPTURE(f.how);
      CAPTURE(policy);
      const auto end = dybw(run_with(f.how + " --only-worker 2",
                                     {"--rounds", "100", "--policy", policy, "--topology", "complete"}));
      CAPTURE(end.err);
      REQUIRE(end.code == 0);
      const auto run = json::parse(end.out)["runs"][0];
      const auto failures = failures_of(run);
      REQUIRE(failures.size() == 1);
      CHECK(failures.at(2).find(f.says) != std::string::npos);
      CHECK(end.err.find("worker 2 ends: ") != std::string::npos);
      CHECK(run["per_worker"][2]["rounds"] < 30);
      for (const auto w : {0, 1, 3}) { // dtur has rounds that one may miss
        const auto rounds = run["per_worker"][w]["rounds"].get<int>();
        CHECK((policy == "dtur" ? rounds > 50 : rounds == 100));
      }
      CHECK(run["mixing"]["one_sided_edges"] == 0);
      CHECK(run["workers_lost"].empty());
      CHECK(run["scored_workers"] == 3); // what it had when it ended is in no result
    }
  }
  const auto once = dybw(run_with("--infinite-at 20 --only-worker 1", {"--rounds", "50"}));
  CHECK(once.code == 0);
  CHECK(once.err.find("worker 1: step 20 of its trainer is not finite in b and does not count") !=
        std::string::npos);
  CHECK(failures_of(json::parse(once.out)["runs"][0]).empty());
}

TEST_CASE("dybw run --trainer: when all fail the run does, soon, and says why") {
  for (const auto* clock : {"real", "virtual"}) {
    CAPTURE(clock);
    std::vector<std::string> more{"--rounds", "1000", "--clock", clock, "--step-time", "const:0.001"};
    const auto end = dybw(run_with("--raise-at 20", more));
    CAPTURE(end.err);
    CHECK(end.code == 1);
    CHECK(end.took < seconds{10});
    CHECK(end.err.find("AskedFor: step 20 was to fail") != std::string::npos);
  }
  const auto early = dybw(run_with("--exit-at-start --only-worker 1", {"--rounds", "10"}));
  CHECK(early.code == 1);
  CHECK(early.err.starts_with("dybw: error: worker 1: its trainer ended with code 1: "));
  CHECK(std::ranges::count(early.err, '\n') == 1);
}

TEST_CASE("dybw run --trainer: those that do not fit each other are refused before anything starts") {
  struct misfit {
    std::string how;
    std::string says;
  };
  for (const auto& m :
       {misfit{"--name v", "array 0 is w here and v there"}, misfit{"--wide", "w is float32 [8] here and"},
        misfit{"--type bfloat16", "and bfloat16 [8] there"},
        misfit{"--frozen text", "frozen is missing here"}}) {
    CAPTURE(m.how);
    const auto end = dybw(run_with(m.how + " --only-worker 2", {"--rounds", "10"}));
    CAPTURE(end.err);
    CHECK(end.code == 2);
    CHECK(end.err.find(m.says) != std::string::npos);
    CHECK(end.err.find("worker 2") != std::string::npos);
    CHECK(std::ranges::count(end.err, '\n') == 1);
  }
  const auto old = dybw(run_with("--protocol 7", {"--rounds", "10"}));
  CHECK(old.code == 2);
  CHECK(old.err.find("plain_trainer 1 speaks version 7 of the trainers' protocol, dybw") !=
        std::string::npos);
}

TEST_CASE("dybw run --trainer: samples are dealt by --partition, from the trainer's labels") {
  const temporary_directory place;
  const auto end = dybw(
      run_with("--rows", {"--rounds", "5", "--partition", "shards:1", "--out", "out", "--policy", "full"}),
      place.path());
  CAPTURE(end.err);
  REQUIRE(end.code == 0);
  std::size_t rows = 0;
  for (auto i = 0; i < 4; ++i) {
    std::istringstream said{
        content(place.path() / "out" / "trainers" / ("worker-" + std::to_string(i) + ".out"))};
    std::string word;
    std::size_t mine = 0;
    said >> word >> mine; // "rows 25 sum .."
    CHECK(mine == 25);
    rows += mine;
  }
  CHECK(rows == 100); // each sample is somebody's
}

TEST_CASE("dybw run --trainer: nothing is left of the trainers, however dybw ends") {
  const temporary_directory place;
  for (const auto signal : {SIGKILL, SIGINT}) {
    CAPTURE(signal);
    const auto mark = "--only-worker " + std::to_string(77'310'000 + signal);
    std::vector<std::string> command{DYBW_PROGRAM_FILE};
    for (auto& word : run_with(mark, {"--time-limit", "60"}))
      command.push_back(word);
    child_process run{command, place.path()};
    for (auto i = 0; i < 500 && processes_with(mark.substr(0, 13)).size() < 4; ++i)
      run.go_on(std::chrono::milliseconds{10});
    run.go_on(std::chrono::milliseconds{300});
    run.send(signal);
    run.wait();
    CHECK(none_is_left(std::to_string(77'310'000 + signal)));
  }
}

TEST_CASE("dybw run --trainer: one that is silent is named, the others go on, and it counts again") {
  for (const std::string policy : {"full", "dtur", "barrier", "adaptive"}) {
    const auto end = dybw(run_with(
        "--hang-at 20 --hang-for 3 --only-worker 2",
        {"--time-limit", "5", "--policy", policy, "--topology", "complete", "--step-time", "const:0.01"}));
    CAPTURE(policy);
    CAPTURE(end.err);
    REQUIRE(end.code == 0);
    CHECK(end.err.find("worker 2: trainer ") != std::string::npos);
    CHECK(end.err.find(" (cpu) is silent in a step that usually takes ") != std::string::npos);
    CHECK(end.err.find(" (cpu) has ended its step") != std::string::npos);
    const auto run = json::parse(end.out)["runs"][0];
    CHECK(run["mixing"]["one_sided_edges"] == 0);
    CHECK(run["per_worker"][2]["local_steps"] > 30);
    const double others = run["per_worker"][0]["local_steps"];
    CHECK(others > 1.4 * run["per_worker"][2]["local_steps"].get<double>());
    CHECK(run["timeouts"] == 0);
  }
}

TEST_CASE("dybw run --trainer: a score ends the run, be more better or less") {
  for (const auto* target : {"loss=0.3", "accuracy=0.9"}) {
    CAPTURE(target);
    const auto end = dybw(run_with("", {"--clock", "virtual", "--step-time", "const:1", "--eval-every", "5",
                                        "--policy", "full", "--rounds", "5000", "--target", target}));
    CAPTURE(end.err);
    REQUIRE(end.code == 0);
    const auto run = json::parse(end.out)["runs"][0];
    CHECK(run["rounds"] > 5);
    CHECK(run["rounds"] < 1000);
    CHECK(run["time_to_target_s"].is_number());
  }
}

TEST_CASE("dybw run --trainer: options that are the trainer's affair are refused") {
  for (const std::vector<std::string>& more : {std::vector<std::string>{"--model", "softmax"},
                                               {"--batch", "3"},
                                               {"--dataset", "digits"},
                                               {"--target", "loss"},
                                               {"--straggler", "computed:slow:1:2"},
                                               {"--workers", "257"}}) {
    CAPTURE(more.front());
    auto arguments = std::vector<std::string>{"run", "--trainer", "true"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto end = dybw(arguments);
    CHECK(end.code == 2);
    CHECK(end.err.find(more.front()) != std::string::npos);
    CHECK(std::ranges::count(end.err, '\n') == 1);
  }
}

} // namespace dybw::test
