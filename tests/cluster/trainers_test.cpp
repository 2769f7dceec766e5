#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include <signal.h>

// Runs whose trainers the nodes start.

namespace dybw::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// A name of its own for the trainer, by which its processes are found.
class own_trainer {
public:
  own_trainer() { fs::create_symlink(DYBW_PLAIN_TRAINER, path()); }
  std::string path() const { return (place_.path() / "trainer").string(); }
  /// For a node.
  std::vector<std::string> offered(const std::string& how = "", const std::string& name = "plane") const {
    return {"--trainer", name + '=' + path() + how};
  }
  std::vector<pid_t> processes() const {
    std::vector<pid_t> found;
    for (const auto& entry : fs::directory_iterator{"/proc"}) {
      std::ifstream command(entry.path() / "cmdline");
      std::string first;
      if (std::getline(command, first, '\0') && first == path())
        found.push_back(std::stoi(entry.path().filename()));
    }
    return found;
  }

  /// Nodes end them after the run.
  bool come_to_be_none() const {
    for (auto left = 100; left > 0 && !processes().empty(); --left)
      std::this_thread::sleep_for(milliseconds{100});
    return processes().empty();
  }

private:
  temporary_directory place_;
};

std::vector<std::string> quick(const std::string& trainer, const std::string& policy = "full") {
  return {"--trainer", trainer,    "--workers", "4",        "--rounds", "60",          "--seed",   "3",
          "--quiet",   "--format", "json",      "--policy", policy,     "--step-time", "exp:0.002"};
}

} // namespace

TEST_CASE("dybw node --trainer: what they offer trains by its name, and learns what it learns on one host") {
  const own_trainer plane;
  cluster nodes{2, plane.offered()};
  const auto here = dybw(std::vector<std::string>{"run"} + quick(plane.path()));
  REQUIRE(here.code == 0);
  const auto there = nodes.launch(quick("plane"))->wait(patience);
  CAPTURE(there.err);
  CAPTURE(nodes.errors());
  REQUIRE(there.code == 0);
  const auto run = json::parse(there.out)["runs"][0];
  // `full` waits for everybody: the same bits, if all began where worker 0 did.
  CHECK(run["test_loss"] == json::parse(here.out)["runs"][0]["test_loss"]);
  CHECK(run["test_accuracy"] > 0.9);
  CHECK(run["trainer"] == "plane");
  CHECK(run["scores"]["accuracy"] == run["test_accuracy"]);
  CHECK(run["mixing"]["one_sided_edges"] == 0);
  REQUIRE(nodes.wait_until(1, is_idle, patience));
  const auto written = nodes.result(0);
  CHECK(written["runs"][0]["scores"]["accuracy"] == run["test_accuracy"]);
  CHECK(written["runs"][0]["model_layout"].size() == 2);
  CHECK(plane.come_to_be_none());
  // A second one, with a policy that goes by who comes when.
  const auto again = nodes.launch(quick("plane", "adaptive"))->wait(patience);
  CAPTURE(again.err);
  REQUIRE(again.code == 0);
  CHECK(json::parse(again.out)["runs"][0]["test_accuracy"] > 0.9);
}

TEST_CASE(
    "dybw node --trainer: what a node does not offer, and models that differ, are refused in one line") {
  const own_trainer plane;
  cluster first{1, plane.offered()};
  cluster wide{1, plane.offered(" --wide")};
  cluster other{1, plane.offered("", "other")};
  const auto refused = [&](const cluster& second, const std::string& trainer) {
    const auto end =
        dybw(std::vector<std::string>{"run", "--nodes", first.address(0) + ',' + second.address(0)} +
             quick(trainer));
    CAPTURE(end.err);
    CHECK(end.code == 2);
    CHECK(std::ranges::count(end.err, '\n') == 1);
    CHECK(end.took < seconds{20});
    return end.err;
  };
  CHECK(contains(refused(wide, "plane"), " there: w is float32 [8] here and float32 ["));
  CHECK(contains(refused(other, "plane"), "it offers no trainer \"plane\", it offers: other; start it with"));
  CHECK(contains(refused(other, "python3 train.py"), "is no name, and nodes start what they offer only"));
  for (auto* each : {&first, &wide, &other})
    REQUIRE(each->wait_until(0, is_idle, patience));
  CHECK(plane.come_to_be_none());
}

TEST_CASE("dybw node --trainer: a killed node's workers come back with new trainers, a hung one is no harm") {
  const own_trainer plane;
  cluster nodes{3, plane.offered()};
  auto run =
      nodes.launch(until_told + std::vector<std::string>{"--trainer", "plane", "--workers", "6", "--quiet",
                                                         "--policy", "dtur", "--step-time", "exp:0.01",
                                                         "--suspect-after", "1.5", "--format", "json"});
  REQUIRE(nodes.wait_until(0, is_running));
  nodes.go_on(seconds{2});
  REQUIRE(plane.processes().size() == 6);
  nodes.kill(2);
  nodes.go_on(seconds{2});
  const auto others = plane.processes();
  REQUIRE(others.size() == 4); // those of a node that is killed end by themselves
  nodes.start(2, {"--join", nodes.address(0)});
  ::kill(others.front(), SIGSTOP);
  nodes.go_on(seconds{3});
  ::kill(others.front(), SIGCONT);
  REQUIRE(nodes.wait_until(2, [](const json& s) { return is_running(s) && s["workers_in_touch"] == 6; }));
  nodes.go_on(seconds{2});
  const auto end = tell_to_end(*run);
  CAPTURE(end.err);
  CAPTURE(nodes.errors());
  REQUIRE(end.code == 130);
  const auto result = json::parse(end.out)["runs"][0];
  CHECK(result["test_accuracy"] > 0.9);
  CHECK(result["mixing"]["one_sided_edges"] == 0);
  CHECK(result["workers_lost"].empty());
}

TEST_CASE("dybw node --join-state: the trainers of who joins begin where a neighbour's is, else afresh") {
  const own_trainer plane;
  for (const auto with : {true, false}) {
    cluster nodes{2, plane.offered()};
    auto run = nodes.launch(std::vector<std::string>{"--trainer", "plane", "--workers", "4", "--quiet",
                                                     "--step-time", "exp:0.01", "--suspect-after", "1"} +
                            until_told);
    REQUIRE(nodes.wait_until(0, is_running));
    nodes.kill(1);
    nodes.go_on(milliseconds{1500});
    std::vector<std::string> joins{"--join", nodes.address(0)};
    if (with)
      joins.emplace_back("--join-state");
    nodes.start(1, joins);
    REQUIRE(nodes.wait_until(1, is_running));
    CHECK(tell_to_end(*run).code == 130);
    REQUIRE(nodes.wait_until(1, is_idle, patience));
    std::size_t going_on = 0;
    for (const auto& file : fs::recursive_directory_iterator{nodes.out(1)})
      if (std::ifstream in{file.path()}; file.path().extension() == ".out")
        for (std::string line; std::getline(in, line);)
          going_on += line == "goes on from a state" ? 1 : 0;
    CHECK(going_on == (with ? 2 : 0));
  }
}

TEST_CASE("dybw node --trainer: a run goes on from its checkpoints, trainers and all") {
  const own_trainer plane;
  cluster nodes{2, plane.offered()};
  const std::vector<std::string> often{"--trainer", "plane", "--workers",          "4",  "--quiet",
                                       "--format",  "json",  "--checkpoint-every", "0.2"};
  auto run = nodes.launch(often + until_told);
  REQUIRE(nodes.wait_until(0, is_running));
  nodes.go_on(seconds{1});
  const auto name = nodes.status(0)["run"].get<std::string>();
  CHECK(tell_to_end(*run).code == 130);
  for (std::size_t i = 0; i < 2; ++i)
    REQUIRE(nodes.wait_until(i, is_idle, patience));
  const auto end =
      nodes.launch({"--resume", name, "--time-limit", "1", "--quiet", "--format", "json"})->wait(patience);
  CAPTURE(end.err);
  CAPTURE(nodes.errors());
  REQUIRE(end.code == 0);
  const auto result = json::parse(end.out)["runs"][0];
  CHECK(result["resumed"]["round"] > 0);
  CHECK(result["test_accuracy"] > 0.9);
}

TEST_CASE("dybw node --trainer: a launch that is given up leaves no trainer behind") {
  cluster nodes{2, {"--trainer", "slow=sleep 600"}};
  auto run = nodes.launch({"--trainer", "slow", "--workers", "4", "--quiet"});
  const auto begun = [](const json& s) { return s["state"] == "preparing"; };
  REQUIRE(nodes.wait_until(0, begun));
  nodes.go_on(milliseconds{500});
  run->send(SIGINT);
  CHECK(run->wait(patience).code == 130);
  for (std::size_t i = 0; i < nodes.size(); ++i)
    CHECK(nodes.wait_until(i, is_idle, patience));
  CHECK(nodes.leave(0) == 0);
}

TEST_CASE("dybw node --trainer: trainers that hang before they are ready are in nobody's way for long") {
  const own_trainer plane;
  cluster nodes{2, plane.offered() + plane.offered(" --hang-at-start", "stuck")};
  auto run = nodes.launch({"--trainer", "stuck", "--workers", "4", "--quiet"});
  for (auto left = 100; left > 0 && plane.processes().size() < 4; --left)
    nodes.go_on(milliseconds{100});
  REQUIRE(plane.processes().size() == 4);
  nodes.go_on(milliseconds{500});
  run->send(SIGINT);
  CHECK(run->wait(patience).code == 130);
  for (std::size_t i = 0; i < 2; ++i)
    REQUIRE(nodes.wait_until(i, is_idle, patience));
  const auto end = nodes.launch(quick("plane"))->wait(patience);
  CAPTURE(end.err);
  CAPTURE(nodes.errors());
  CHECK(end.code == 0);
  CHECK(plane.come_to_be_none());
  run = nodes.launch({"--trainer", "stuck", "--workers", "4", "--quiet"});
  for (auto left = 100; left > 0 && plane.processes().size() < 4; --left)
    nodes.go_on(milliseconds{100});
  REQUIRE(plane.processes().size() == 4);
  CHECK(nodes.leave(0) == 0); // with its trainers
  CHECK(run->wait(patience).code == 4);
  CHECK(nodes.wait_until(1, is_idle, patience));
  CHECK(plane.come_to_be_none());
}

} // namespace dybw::test
