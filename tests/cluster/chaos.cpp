#include "tests/cluster/cluster.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <random>

#include <signal.h>

// Random schedules of kill -9, SIGSTOP and SIGCONT, and restart with --join against real node processes.
// After each the run must have ended in time, with a clean audit, with every surviving worker's rounds on
// disk, and with nothing left running.
//
//   chaos SCHEDULES [SEED]

namespace {

namespace fs = std::filesystem;
using namespace dybw::test;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t node_count = 4;
constexpr auto run_s = 5.0;

struct tally {
  std::size_t kills = 0;
  std::size_t stops = 0;
  std::size_t joins = 0;
  std::size_t refused = 0; ///< of the joins: whom they asked was gone
};

/// What became of one schedule: empty if all is well.
using verdict = std::string;

class schedule {
public:
  schedule(std::uint64_t seed, tally& counts) : generator_(seed), counts_(counts) {}

  verdict run() {
    static const std::vector<std::string> policies{"full", "static:1", "dtur"};
    static const std::vector<std::string> graphs{"ring", "complete", "circulant:1,2"};
    const auto out = nodes_.directory() / "launcher";
    auto launcher = nodes_.launch({"--workers",
                                   "8",
                                   "--topology",
                                   graphs[draw(3)],
                                   "--policy",
                                   policies[draw(3)],
                                   "--time-limit",
                                   std::to_string(run_s),
                                   "--step-time",
                                   "exp:0.01",
                                   "--suspect-after",
                                   "1",
                                   "--eval-every",
                                   "0.5",
                                   "--checkpoint-every",
                                   "0.5",
                                   "--quiet",
                                   "--log-level",
                                   "off",
                                   "--out",
                                   out.string()});
    if (!nodes_.wait_until(0, [](const json& s) { return s.is_object() && s["newest_round"] > 5; }))
      return "the run did not begin: " + nodes_.errors();
    const auto end_of_trouble = std::chrono::steady_clock::now() + milliseconds{3500};
    while (std::chrono::steady_clock::now() < end_of_trouble) {
      nodes_.go_on(milliseconds{100 + static_cast<int>(draw(700))});
      act();
    }
    for (std::size_t i = 0; i < node_count; ++i)
      if (stopped_[i])
        wake(i);
    const auto end = launcher->wait(seconds{60});
    if (end.killed)
      return "the launcher hangs";
    const auto alive = static_cast<std::size_t>(std::count(killed_.begin(), killed_.end(), false));
    if (alive == 0)
      return end.code == 4 ? "" : "all nodes are gone, but the exit code is " + std::to_string(end.code);
    if (end.code != 0)
      return "exit code " + std::to_string(end.code) + ": " + end.err;
    return check(out);
  }

  const std::string& story() const { return story_; }

private:
  std::size_t draw(std::size_t below) { return generator_() % below; }

  void note(const std::string& what, std::size_t node) { story_ += " " + what + std::to_string(node); }

  void act() {
    const auto i = draw(node_count);
    if (killed_[i]) {
      const auto helper = std::find(killed_.begin(), killed_.end(), false) - killed_.begin();
      if (helper < static_cast<std::ptrdiff_t>(node_count) && !stopped_[static_cast<std::size_t>(helper)]) {
        nodes_.start(i, {"--join", nodes_.address(static_cast<std::size_t>(helper))});
        killed_[i] = false;
        joined_[i] = true;
        ++counts_.joins;
        note("join", i);
      }
    } else if (stopped_[i]) {
      wake(i);
    } else if (draw(2) == 0) {
      nodes_.node(i).send(SIGSTOP);
      stopped_[i] = true;
      ++counts_.stops;
      note("stop", i);
    } else if (std::count(killed_.begin(), killed_.end(), true) < 2) {
      nodes_.kill(i);
      killed_[i] = true;
      ++counts_.kills;
      note("kill", i);
    }
  }

  void wake(std::size_t i) {
    nodes_.node(i).send(SIGCONT);
    stopped_[i] = false;
    note("cont", i);
  }

  verdict check(const fs::path& out) {
    std::ifstream in(out / "run.json");
    const auto document = json::parse(in, nullptr, false);
    if (document.is_discarded())
      return "the launcher wrote no run.json";
    const auto& run = document["runs"][0];
    const auto& mixing = run["mixing"];
    if (mixing["one_sided_edges"] != 0 || mixing["max_row_error"] > 1e-9 || mixing["max_column_error"] > 1e-9)
      return "the audit is not clean: " + mixing.dump();
    for (std::size_t i = 0; i < node_count; ++i) {
      if (killed_[i])
        continue;
      if (joined_[i] && !nodes_.node(i).go_on(milliseconds{1}) &&
          nodes_.node(i).errors().find("dybw: error: ") != std::string::npos) {
        ++counts_.refused; // whom it asked went away in the meantime; it says so and ends
        continue;
      }
      if (!nodes_.wait_until(i, [](const json& s) { return s.is_object() && s["state"] == "idle"; }))
        return "node " + std::to_string(i) + " is not idle: " + nodes_.status(i).dump();
      if (nodes_.rounds(i).empty())
        return "node " + std::to_string(i) + " lost its rounds";
    }
    return "";
  }

  std::mt19937_64 generator_;
  tally& counts_;
  cluster nodes_{node_count};
  std::vector<bool> killed_ = std::vector<bool>(node_count);
  std::vector<bool> joined_ = std::vector<bool>(node_count);
  std::vector<bool> stopped_ = std::vector<bool>(node_count);
  std::string story_;
};

} // namespace

int main(int argc, char** argv) {
  const auto count = argc > 1 ? std::stoul(argv[1]) : 100;
  const auto seed = argc > 2 ? std::stoull(argv[2]) : std::random_device{}();
  std::printf("%lu schedules, seed %llu\n", count, static_cast<unsigned long long>(seed));
  tally counts;
  std::size_t failed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    schedule one{seed + i, counts};
    const auto problem = one.run();
    std::printf("%3zu:%s%s\n", i, one.story().c_str(),
                problem.empty() ? "" : ("\n     FAILED: " + problem).c_str());
    std::fflush(stdout);
    failed += problem.empty() ? 0 : 1;
  }
  std::printf("%lu schedules, seed %llu: %zu kills, %zu stops, %zu joins (%zu refused); %zu failed\n", count,
              static_cast<unsigned long long>(seed), counts.kills, counts.stops, counts.joins, counts.refused,
              failed);
  return failed == 0 ? 0 : 1;
}
