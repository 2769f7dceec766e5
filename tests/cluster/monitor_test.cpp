#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include <signal.h>

// A run on three nodes, watched from a fourth process.

namespace dybw::test {

namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

const std::vector<std::string> watched_run = {"--workers",    "6",       "--policy",    "full",
                                              "--time-limit", "300",     "--step-time", "exp:0.01",
                                              "--quiet",      "--detach"};

/// Three nodes on which that run goes on.
struct live_run {
  live_run() {
    const auto end = nodes.launch(watched_run)->wait(patience);
    CAPTURE(end.err);
    REQUIRE(end.code == 0);
    REQUIRE(nodes.wait_until(0, is_running));
  }
  std::vector<std::string> monitor(std::size_t node, const std::vector<std::string>& more) const {
    std::vector<std::string> command{"monitor", nodes.address(node)};
    command.insert(command.end(), more.begin(), more.end());
    return dybw_command(command);
  }

  cluster nodes{3};
};

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line) && !in.eof();)
    lines.push_back(json::parse(line));
  return lines;
}

/// The monitor's newest picture that satisfies `condition`; null, and what the monitor said, if none comes in
/// time.
template <class Condition>
json wait_for_view(child_process& monitor, Condition condition) {
  for (auto left = patience.count() * 10; left > 0; --left) {
    if (const auto lines = lines_of(monitor.output()); !lines.empty() && condition(lines.back()))
      return lines.back();
    if (!monitor.go_on(milliseconds{100}))
      break;
  }
  MESSAGE("no such picture; the monitor said: " << monitor.errors());
  return {};
}

bool all_work(const json& view) {
  return view["workers"].size() == 6 &&
         std::ranges::all_of(view["workers"], [](const json& w) { return w["standing"] == "working"; });
}

} // namespace

TEST_CASE("dybw monitor: attaches late to any node, shows all workers, and may leave and come again") {
  live_run run;
  const std::vector<std::string> as_json{"--format", "json", "--interval", "0.2"};
  child_process first{run.monitor(1, as_json)};
  const auto view = wait_for_view(first, [](const json& v) { return all_work(v) && v["steps_per_s"] > 10; });
  CAPTURE(first.errors());
  REQUIRE(view.is_object());
  CHECK(view["state"] == "running");
  CHECK(view["policy"] == "full");
  CHECK(view["nodes"].size() == 3);
  CHECK(view["edges"]["committed"].size() == 6);
  CHECK(view["no_wait_per_s"] >= view["steps_per_s"]);
  CHECK(view["loss"].is_number());
  CHECK(view["consensus_distance"].is_number());
  CHECK(view["nodes"][0]["leads"] == true);
  first.send(SIGKILL);
  first.wait();
  child_process second{run.monitor(2, as_json)};
  CHECK(wait_for_view(second, all_work).is_object());
  second.send(SIGINT);
  CHECK(second.wait(patience).code == 130);
  child_process third{run.monitor(0, as_json)};
  REQUIRE(wait_for_view(third, all_work).is_object());
  CHECK(dybw({"stop", run.nodes.address(0)}).code == 0);
  const auto end = third.wait(patience);
  CHECK(end.code == 0);
  CHECK(lines_of(end.out).back()["state"] == "over");
}

TEST_CASE("dybw monitor: when it is stopped for a while nothing queues up, and the run does not notice") {
  live_run run;
  child_process monitor{run.monitor(0, {"--format", "json", "--interval", "0.2"})};
  REQUIRE(wait_for_view(monitor, all_work).is_object());
  const auto memory = peak_memory(run.nodes.node(0).id());
  const auto round = run.nodes.status(0)["newest_round"].get<std::uint64_t>();
  monitor.send(SIGSTOP);
  run.nodes.go_on(seconds{10});
  CHECK(run.nodes.wait_until(
      0, [round](const json& s) { return s["newest_round"] > round + 20 && s["workers_in_touch"] == 6; }));
  if (!is_slow_build) // the sanitizer keeps what is freed
    CHECK(peak_memory(run.nodes.node(0).id()) < memory + (std::uint64_t{16} << 20));
  const auto seen = run.nodes.status(0)["newest_round"].get<std::uint64_t>();
  monitor.send(SIGCONT);
  const auto view =
      wait_for_view(monitor, [&](const json& v) { return v["newest_round"] > seen && all_work(v); });
  CHECK(view.is_object());
}

TEST_CASE("dybw monitor: a stopped node is named within two seconds, and shown again when it wakes") {
  live_run run;
  child_process monitor{run.monitor(0, {"--format", "json", "--interval", "0.1"})};
  REQUIRE(wait_for_view(monitor, all_work).is_object());
  run.nodes.node(2).send(SIGSTOP);
  const auto since = std::chrono::steady_clock::now();
  const auto named = [&](const json& v) {
    return v["nodes"][2]["silent_s"] > 0 || v["nodes"][2]["reachable"] == false;
  };
  REQUIRE(wait_for_view(monitor, named).is_object());
  if (!is_slow_build)
    CHECK(std::chrono::steady_clock::now() - since < seconds{2});
  const auto asked = dybw({"monitor", run.nodes.address(0), "--waiting"});
  CAPTURE(asked.out);
  CHECK(asked.code == 0);
  CHECK(asked.out.find("node " + run.nodes.address(2) + " (workers 2, 5)") != std::string::npos);
  if (!is_slow_build)
    CHECK(asked.took < seconds{2});
  run.nodes.node(2).send(SIGCONT);
  CHECK(wait_for_view(monitor, all_work).is_object());
  monitor.send(SIGINT);
  monitor.wait(patience);
}

TEST_CASE("dybw monitor: a node that does not answer at once is waited for, which is said") {
  live_run run;
  run.nodes.node(1).send(SIGSTOP);
  child_process monitor{run.monitor(1, {"--format", "json", "--interval", "0.2"})};
  monitor.go_on(seconds{8}); // longer than one call of the node is tried
  CHECK(monitor.errors().find("node " + run.nodes.address(1) + " does not answer yet") != std::string::npos);
  run.nodes.node(1).send(SIGCONT);
  CHECK(wait_for_view(monitor, [](const json& v) { return v["workers"].size() == 6; }).is_object());
}

TEST_CASE("dybw monitor: survives the node that it was given") {
  live_run run;
  child_process monitor{run.monitor(2, {"--format", "json", "--interval", "0.2"})};
  REQUIRE(wait_for_view(monitor, all_work).is_object());
  run.nodes.kill(2);
  const auto view =
      wait_for_view(monitor, [](const json& v) { return v["workers"][2]["standing"] == "lost"; });
  REQUIRE(view.is_object());
  CHECK(view["workers"][0]["standing"] == "working");
  const auto round = view["newest_round"].get<std::uint64_t>();
  CHECK(wait_for_view(monitor, [&](const json& v) { return v["newest_round"] > round + 10; }).is_object());
}

TEST_CASE("dybw monitor: without a run, a node or a sensible option it says so in one line") {
  cluster nodes{1};
  auto end = dybw({"monitor", nodes.address(0)});
  CHECK(end.code == 4);
  CHECK(end.err.starts_with("dybw: error: no run is going on at " + nodes.address(0) + "; start one"));
  const auto closed = "127.0.0.1:" + std::to_string(free_port());
  end = dybw({"monitor", closed});
  CHECK(end.code == 4);
  CHECK(end.err.find(closed) != std::string::npos);
  CHECK(end.took < seconds{10});
  for (const auto& wrong : {std::vector<std::string>{"monitor"},
                            {"monitor", nodes.address(0), "--interval", "0"},
                            {"monitor", nodes.address(0), "--waiting", "--format", "json"}}) {
    end = dybw(wrong);
    CHECK(end.code == 2);
    CHECK(std::ranges::count(end.err, '\n') == 1);
  }
}

TEST_CASE("dybw monitor: prints a line per second, and what happens, where there is no terminal") {
  live_run run;
  child_process monitor{run.monitor(0, {})};
  for (auto left = 100; left > 0 && std::ranges::count(monitor.output(), '\n') < 3; --left)
    monitor.go_on(milliseconds{100});
  CHECK(monitor.output().find("  running  ") != std::string::npos);
  CHECK(monitor.output().find(" grad./s") != std::string::npos);
  run.nodes.kill(2);
  for (auto left = 300; left > 0 && monitor.output().find("cannot be reached") == std::string::npos; --left)
    monitor.go_on(milliseconds{100});
  CHECK(monitor.output().find("error: node " + run.nodes.address(2) + " cannot be reached") !=
        std::string::npos);
}

} // namespace dybw::test
