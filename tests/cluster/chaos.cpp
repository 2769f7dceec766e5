#include "tests/cluster/cluster.hpp"
#include "tests/support/certificates.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <sstream>

#include <signal.h>
#include <zlib.h>

// Random schedules of kill -9, SIGTERM, SIGSTOP and SIGCONT, and restart with --join against real node
// processes, under every kind of policy, some with TLS, some with a node whose disk is full, in some of them
// kill -9 of the launcher. After each the run must have ended in time, with a clean audit, and with nothing
// left running. No data may be lost: every worker of a node that lived to the end has rounds to the end and a
// checkpoint, all checkpoints are whole, also those of killed nodes, and only a killed node may have left
// half a line, its last one. A node that cannot write leaves the run.
//
//   chaos SCHEDULES [SEED]
//   chaos --story "full ring kill3 join3 launcher .." TIMES [SEED]    what one line of the output tells,
//   again

namespace {

namespace fs = std::filesystem;
using namespace dybw::test;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t node_count = 4;
constexpr std::size_t worker_count = 8;
constexpr auto run_s = 7.0;
constexpr std::uintmax_t disk_kib = 48; ///< no file of a node with a full disk grows beyond it
/// Between the last rounds of a worker and the end, longer than a suspicion.
constexpr auto rest_s = 2.0;

struct tally {
  std::size_t kills = 0;
  std::size_t leaves = 0; ///< ended in good order
  std::size_t stops = 0;
  std::size_t joins = 0;
  std::size_t refused = 0;   ///< of the joins: whom they asked was gone
  std::size_t launchers = 0; ///< killed
  std::size_t full = 0;      ///< left for want of disk
  std::size_t tls = 0;
};

const std::vector<std::string> policies{"full",   "static:1", "dtur",   "adaptive",
                                        "adpsgd", "hop:1:8",  "barrier"};
const std::vector<std::string> graphs{"ring", "complete", "circulant:1,2"};

/// How the run is set up, and for one that is told what happens in it.
struct setting {
  std::string policy;
  std::string graph;
  bool tls = false;
  std::optional<std::size_t> full_disk; ///< the node that has it
  std::vector<std::string> deeds;       ///< as stories tell them; empty: drawn

  bool has_checkpoints() const { return policy != "adaptive" && policy != "adpsgd"; }
  std::string text() const {
    return policy + " " + graph + (tls ? " tls" : "") +
           (full_disk ? " disk" + std::to_string(*full_disk) : "");
  }
};

std::size_t node_in(const std::string& word) {
  const auto i = static_cast<std::size_t>(word.back() - '0');
  if (i >= node_count)
    throw std::invalid_argument{word + " names no node from 0 to " + std::to_string(node_count - 1)};
  return i;
}

/// The opposite of `text` and of what a schedule tells.
setting parse_setting(const std::string& story) {
  setting x;
  std::istringstream in(story);
  if (!(in >> x.policy >> x.graph) || std::ranges::find(policies, x.policy) == policies.end() ||
      std::ranges::find(graphs, x.graph) == graphs.end())
    throw std::invalid_argument{"a story begins with a policy and a graph, as in \"full ring kill1\""};
  for (std::string word; in >> word;) {
    if (word == "tls")
      x.tls = true;
    else if (word.starts_with("disk"))
      x.full_disk = node_in(word);
    else if (word == "launcher" || word.starts_with("kill") || word.starts_with("leave") ||
             word.starts_with("stop") || word.starts_with("cont") || word.starts_with("join"))
      x.deeds.push_back(word);
    else
      throw std::invalid_argument{"no story has \"" + word + "\" in it"};
  }
  return x;
}

setting draw_setting(std::mt19937_64& generator) {
  setting x;
  x.policy = policies[generator() % policies.size()];
  x.graph = graphs[generator() % graphs.size()];
  x.tls = generator() % 4 == 0;
  if (generator() % 4 == 0)
    x.full_disk = 1 + generator() % (node_count - 1); // the first one's is the launcher's, too
  return x;
}

std::vector<cluster_place> places_of(const setting& x) {
  std::vector<cluster_place> places(node_count);
  if (x.full_disk)
    places[*x.full_disk].prefix = {"/bin/bash", "-c",
                                   "ulimit -f " + std::to_string(disk_kib) + "; exec \"$@\"", "bash"};
  return places;
}

/// What became of one schedule: empty if all is well.
using verdict = std::string;

class schedule {
public:
  schedule(std::uint64_t seed, tally& counts, const std::optional<setting>& told)
      : generator_(seed), counts_(counts), setting_(told ? *told : draw_setting(generator_)),
        story_(" " + setting_.text()) {
    counts_.tls += setting_.tls ? 1 : 0;
  }

  verdict run() {
    const auto out = nodes_.directory() / "launcher";
    std::vector<std::string> options{"--workers",
                                     std::to_string(worker_count),
                                     "--topology",
                                     setting_.graph,
                                     "--policy",
                                     setting_.policy,
                                     "--time-limit",
                                     std::to_string(run_s),
                                     "--step-time",
                                     "exp:0.01",
                                     "--quiet",
                                     "--suspect-after",
                                     "1",
                                     "--eval-every",
                                     "0.5",
                                     "--log-level",
                                     "off",
                                     "--out",
                                     out.string()};
    if (setting_.has_checkpoints())
      options.insert(options.end(), {"--checkpoint-every", "0.5"});
    auto launcher = nodes_.launch(options);
    if (!nodes_.wait_until(0, [](const json& s) { return s["newest_round"] > 5; }))
      return "the run did not begin: " + launcher->errors() + nodes_.errors();
    const auto end_of_trouble = std::chrono::steady_clock::now() + milliseconds{3500};
    for (const auto& deed : setting_.deeds) {
      nodes_.go_on(milliseconds{100 + static_cast<int>(draw(700))});
      play(deed, *launcher);
    }
    while (setting_.deeds.empty() && std::chrono::steady_clock::now() < end_of_trouble) {
      nodes_.go_on(milliseconds{100 + static_cast<int>(draw(700))});
      if (!launcher_killed_ && draw(20) == 0)
        kill_launcher(*launcher);
      else
        act();
    }
    for (std::size_t i = 0; i < node_count; ++i)
      if (stopped_[i])
        wake(i);
    const auto end = launcher->wait(seconds{60});
    if (end.killed)
      return "the launcher hangs";
    if (!launcher_killed_) {
      if (nobody_is_left())
        return end.code == 4 ? "" : "all nodes are gone, but the exit code is " + std::to_string(end.code);
      if (end.code != 0 && !says_lead_is_full(end))
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
    const auto gone = std::count(killed_.begin(), killed_.end(), true);
    const auto stopped = std::find(stopped_.begin(), stopped_.end(), true) != stopped_.end();
    if (killed_[i])
      join(i);
    else if (stopped_[i])
      wake(i);
    else if (draw(2) == 0)
      stop(i);
    else if (gone < 2 && draw(2) == 0 && !stopped) // it might wait for those
      leave(i);
    else if (gone < 2)
      kill(i);
  }

  void play(const std::string& deed, child_process& launcher) {
    if (deed == "launcher")
      return kill_launcher(launcher);
    const auto i = node_in(deed);
    if (deed.starts_with("join"))
      join(i);
    else if (deed.starts_with("cont"))
      wake(i);
    else if (deed.starts_with("stop"))
      stop(i);
    else if (deed.starts_with("leave"))
      leave(i);
    else
      kill(i);
  }

  void kill_launcher(child_process& launcher) {
    launcher.send(SIGKILL);
    launcher_killed_ = true;
    ++counts_.launchers;
    story_ += " launcher";
  }

  /// By the first node that is neither gone nor hung; one without a place to write has left the run.
  void join(std::size_t i) {
    for (std::size_t helper = 0; helper < node_count; ++helper) {
      if (killed_[helper] || helper == setting_.full_disk)
        continue;
      if (stopped_[helper])
        return;
      nodes_.start(i, {"--join", nodes_.address(helper)});
      killed_[i] = false;
      joined_[i] = true;
      hindered_[i] = std::find(stopped_.begin(), stopped_.end(), true) != stopped_.end();
      ++counts_.joins;
      note("join", i);
      return;
    }
  }

  void stop(std::size_t i) {
    nodes_.node(i).send(SIGSTOP);
    stopped_[i] = true;
    ++counts_.stops;
    note("stop", i);
  }

  void leave(std::size_t i) {
    nodes_.leave(i);
    killed_[i] = true;
    ++counts_.leaves;
    note("leave", i);
  }

  void kill(std::size_t i) {
    nodes_.kill(i);
    killed_[i] = true;
    ++counts_.kills;
    note("kill", i);
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
    const auto is_off = [&](const char* error) { // null: not finite
      return !mixing[error].is_number() || mixing[error] > 1e-9;
    };
    if (mixing["one_sided_edges"] != 0 || is_off("max_row_error") || is_off("max_column_error"))
      return "the audit of " + whose + " is not clean: " + mixing.dump();
    return "";
  }

  /// Whether this node was restarted to join and could not.
  bool was_refused(std::size_t i) {
    return joined_[i] && !nodes_.node(i).go_on(milliseconds{1}) &&
           nodes_.node(i).errors().find("dybw: error: ") != std::string::npos;
  }

  /// Nobody who could measure the end.
  bool nobody_is_left() {
    for (std::size_t i = 0; i < node_count; ++i)
      if (!killed_[i] && !was_refused(i) && !(i == setting_.full_disk && is_full(i)))
        return false;
    return true;
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
      if (!was_refused(i) && !nodes_.wait_until(i, is_idle, seconds{45}) && !was_refused(i))
        return name + " is not idle: " + nodes_.status(i).dump() + "\nThe nodes said:\n" + nodes_.errors();
      if (was_refused(i)) {
        ++counts_.refused; // whom it asked went away in the meantime; it says so and ends
        continue;
      }
      if (i == setting_.full_disk && is_full(i)) {
        nodes_.go_on(milliseconds{100}); // for what it has said
        const auto said = nodes_.node(i).errors();
        const auto over = said.find("the workers here are done"); // at the very end there is nothing to leave
        if (said.find("this node leaves it") == std::string::npos && over > said.find("cannot write "))
          return name + " cannot write and has not left the run:\n" + said;
        ++counts_.full;
        continue;
      }
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

  /// The node with the full disk came to lead, its lines of rounds fitted, and what the lead writes at the
  /// end did not: that much of the results is not there, and the launcher has to say so.
  bool says_lead_is_full(const process_end& end) const {
    return setting_.full_disk && end.code == 1 &&
           end.err.find("on the leading node: cannot write ") != std::string::npos &&
           end.err.find("/node-" + std::to_string(*setting_.full_disk) + "/") != std::string::npos;
  }

  /// Whether no more line of rounds has fitted on its disk.
  bool is_full(std::size_t i) const {
    constexpr std::uintmax_t longest_line = 1024;
    return std::ranges::any_of(files(i, "rounds.jsonl"), [](const fs::path& file) {
      return fs::file_size(file) + longest_line > disk_kib * 1024;
    });
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
      if (setting_.has_checkpoints() && files(i, "worker-" + std::to_string(worker) + ".ckpt").empty())
        return "no checkpoint of " + name;
    }
    return "";
  }

  /// Who joins waits for links with all nodes, also with those that are stopped, and begins when a neighbour
  /// tells it where the others are; in every graph the nodes before and after it have one.
  bool may_be_late(std::size_t i) const {
    const auto gone = [&](std::size_t other) { return killed_[other] || other == setting_.full_disk; };
    return joined_[i] &&
           (hindered_[i] || (gone((i + 1) % node_count) && gone((i + node_count - 1) % node_count)));
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
  setting setting_;
  std::optional<test_authority> authority_ =
      setting_.tls ? std::optional<test_authority>{std::in_place} : std::nullopt;
  std::optional<tls_environment> environment_ =
      setting_.tls ? std::optional<tls_environment>{authority_->issue("localhost")} : std::nullopt;
  cluster nodes_{node_count, {}, places_of(setting_)};
  std::vector<bool> killed_ = std::vector<bool>(node_count);
  std::vector<bool> joined_ = std::vector<bool>(node_count);
  std::vector<bool> hindered_ = std::vector<bool>(node_count); ///< joined while another was stopped
  std::vector<bool> stopped_ = std::vector<bool>(node_count);
  bool launcher_killed_ = false;
  std::string story_;
};

} // namespace

int main(int argc, char** argv) try {
  std::vector<std::string> words(argv + 1, argv + argc);
  std::optional<setting> told;
  if (words.size() > 1 && words[0] == "--story") {
    told = parse_setting(words[1]);
    words.erase(words.begin(), words.begin() + 2);
  }
  const auto count = words.empty() ? 100 : std::stoul(words[0]);
  const auto seed = words.size() > 1 ? std::stoull(words[1]) : std::random_device{}();
  std::printf("%lu schedules, seed %llu\n", count, static_cast<unsigned long long>(seed));
  tally counts;
  std::size_t failed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    schedule one{seed + i, counts, told};
    const auto problem = one.run();
    std::printf("%3zu:%s%s\n", i, one.story().c_str(),
                problem.empty() ? "" : ("\n     FAILED: " + problem).c_str());
    std::fflush(stdout);
    failed += problem.empty() ? 0 : 1;
  }
  std::printf("%lu schedules, seed %llu: %zu kills, %zu leaves, %zu stops, %zu joins (%zu refused), %zu "
              "launchers, %zu full disks, %zu with TLS; %zu failed\n",
              count, static_cast<unsigned long long>(seed), counts.kills, counts.leaves, counts.stops,
              counts.joins, counts.refused, counts.launchers, counts.full, counts.tls, failed);
  return failed == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "chaos: error: %s\n", error.what());
  return 2;
}
