#include "tests/cluster/cluster.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <random>

#include <signal.h>
#include <zlib.h>

// Random schedules of kill -9, SIGTERM, SIGSTOP and SIGCONT, and restart with --join against real node
// processes, in some of them kill -9 of the launcher. After each the run must have ended in time, with a
// clean audit, and with nothing left running. No data may be lost: every worker of a node that lived to the
// end has rounds to the end and a checkpoint, all checkpoints are whole, also those of killed nodes, and only
// a killed node may have left half a line, its last one.
//
//   chaos SCHEDULES [SEED]

namespace {

namespace fs = std::filesystem;
using namespace dybw::test;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t node_count = 4;
constexpr std::size_t worker_count = 8;
constexpr auto run_s = 7.0;
/// Between the last rounds of a worker and the end, longer than a suspicion.
constexpr auto rest_s = 2.0;

struct tally {
  std::size_t kills = 0;
  std::size_t leaves = 0; ///< ended in good order
  std::size_t stops = 0;
  std::size_t joins = 0;
  std::size_t refused = 0;   ///< of the joins: whom they asked was gone
  std::size_t launchers = 0; ///< killed
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
                                   std::to_string(worker_count),
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
      if (!launcher_killed_ && draw(20) == 0) {
        launcher->send(SIGKILL);
        launcher_killed_ = true;
        ++counts_.launchers;
        story_ += " launcher";
      } else {
        act();
      }
    }
    for (std::size_t i = 0; i < node_count; ++i)
      if (stopped_[i])
        wake(i);
    const auto end = launcher->wait(seconds{60});
    if (end.killed)
      return "the launcher hangs";
    const auto alive = static_cast<std::size_t>(std::count(killed_.begin(), killed_.end(), false));
    if (!launcher_killed_) {
      if (alive == 0)
        return end.code == 4 ? "" : "all nodes are gone, but the exit code is " + std::to_string(end.code);
      if (end.code != 0)
        return "exit code " + std::to_string(end.code) + ": " + end.err;
      std::ifstream in(out / "run.json");
      if (auto problem = check_result(json::parse(in, nullptr, false), "the launcher"); !problem.empty())
        return problem;
    }
    try {
      return check_nodes();
    } catch (const std::exception& error) { // a file that cannot be read
      return error.what();
    }
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
        hindered_[i] = std::find(stopped_.begin(), stopped_.end(), true) != stopped_.end();
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
    } else if (std::count(killed_.begin(), killed_.end(), true) < 2 && draw(2) == 0 &&
               std::find(stopped_.begin(), stopped_.end(), true) ==
                   stopped_.end()) { // it might wait for those
      nodes_.leave(i);
      killed_[i] = true;
      ++counts_.leaves;
      note("leave", i);
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

  static verdict check_result(const json& document, const std::string& whose) {
    if (!document.is_object())
      return whose + " wrote no run.json";
    const auto& mixing = document["runs"][0]["mixing"];
    if (mixing["one_sided_edges"] != 0 || mixing["max_row_error"] > 1e-9 || mixing["max_column_error"] > 1e-9)
      return "the audit of " + whose + " is not clean: " + mixing.dump();
    return "";
  }

  /// Whether this node was restarted to join and could not.
  bool was_refused(std::size_t i) {
    return joined_[i] && !nodes_.node(i).go_on(milliseconds{1}) &&
           nodes_.node(i).errors().find("dybw: error: ") != std::string::npos;
  }

  verdict check_nodes() {
    std::size_t alive = 0;
    std::size_t results = 0;
    for (std::size_t i = 0; i < node_count; ++i) {
      const auto name = "node " + std::to_string(i);
      if (auto problem = check_checkpoints(i); !problem.empty())
        return name + ": " + problem;
      if (killed_[i])
        continue;
      if (was_refused(i)) {
        ++counts_.refused; // whom it asked went away in the meantime; it says so and ends
        continue;
      }
      if (!nodes_.wait_until(
              i, [](const json& s) { return s.is_object() && s["state"] == "idle"; }, seconds{45}))
        return name + " is not idle: " + nodes_.status(i).dump() + "\nThe nodes said:\n" + nodes_.errors();
      ++alive;
      if (auto problem = check_workers(i); !problem.empty())
        return name + " lost data: " + problem;
      // One that says "running" is of a process that was killed, or of a lead before the last.
      if (const auto result = nodes_.result(i); !result.is_null() && result["state"] != "running") {
        ++results;
        if (auto problem = check_result(result, name); !problem.empty())
          return problem;
      }
    }
    // Each part of the network has a lead; who was left alone is one too.
    return alive > 0 && results == 0 ? "no node has written a result" : "";
  }

  /// What a node that lived to the end must have of each of its workers. REQUIRES: the node is idle.
  verdict check_workers(std::size_t i) {
    std::map<std::size_t, double> newest_s;
    for (const auto& round : nodes_.rounds(i)) { // throws if there is half a line before others
      auto& newest = newest_s[round["worker"].get<std::size_t>()];
      newest = std::max(newest, round["start_s"].get<double>());
    }
    for (const auto& file : files(i, "rounds.jsonl")) {
      std::ifstream in(file, std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>{in}, {}};
      if (!text.empty() && text.back() != '\n')
        return "half a line at the end of " + file.string();
    }
    for (auto worker = i; worker < worker_count; worker += node_count) {
      const auto name = "worker " + std::to_string(worker);
      if (!newest_s.contains(worker))
        return "no rounds of " + name;
      if (newest_s[worker] < run_s - rest_s && !may_be_late(i))
        return "no rounds of " + name + " after " + std::to_string(newest_s[worker]) + " s";
      if (files(i, "worker-" + std::to_string(worker) + ".ckpt").empty())
        return "no checkpoint of " + name;
    }
    return "";
  }

  /// Who joins waits for links with all nodes, also with those that are stopped, and begins when a neighbour
  /// tells it where the others are; in every graph the nodes before and after it have one.
  bool may_be_late(std::size_t i) const {
    return joined_[i] &&
           (hindered_[i] || (killed_[(i + 1) % node_count] && killed_[(i + node_count - 1) % node_count]));
  }

  /// All that are there are whole: their last four bytes are the CRC-32 of all before them.
  verdict check_checkpoints(std::size_t i) const {
    for (const auto& file : files(i, ".ckpt")) {
      std::ifstream in(file, std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>{in}, {}};
      constexpr std::size_t sum_bytes = 4;
      if (text.size() <= sum_bytes)
        return file.string() + " is cut short";
      const auto size = text.size() - sum_bytes;
      const auto* data = reinterpret_cast<const Bytef*>(text.data());
      std::uint32_t stored = 0;
      std::memcpy(&stored, text.data() + size, sum_bytes);
      if (crc32(crc32(0, nullptr, 0), data, static_cast<uInt>(size)) != stored)
        return file.string() + " is damaged";
    }
    return "";
  }

  /// Those below a node's --out whose names end like this.
  std::vector<fs::path> files(std::size_t i, const std::string& ending) const {
    std::vector<fs::path> found;
    if (fs::exists(nodes_.out(i)))
      for (const auto& entry : fs::recursive_directory_iterator(nodes_.out(i)))
        if (entry.is_regular_file() && entry.path().filename().string().ends_with(ending))
          found.push_back(entry.path());
    return found;
  }

  std::mt19937_64 generator_;
  tally& counts_;
  cluster nodes_{node_count};
  std::vector<bool> killed_ = std::vector<bool>(node_count);
  std::vector<bool> joined_ = std::vector<bool>(node_count);
  std::vector<bool> hindered_ = std::vector<bool>(node_count); ///< joined while another was stopped
  std::vector<bool> stopped_ = std::vector<bool>(node_count);
  bool launcher_killed_ = false;
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
  std::printf("%lu schedules, seed %llu: %zu kills, %zu leaves, %zu stops, %zu joins (%zu refused), %zu "
              "launchers; %zu failed\n",
              count, static_cast<unsigned long long>(seed), counts.kills, counts.leaves, counts.stops,
              counts.joins, counts.refused, counts.launchers, failed);
  return failed == 0 ? 0 : 1;
}
