#include "tests/cluster/cluster.hpp"
#include "tests/cluster/network_namespaces.hpp"
#include "tests/cluster/slow_relay.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <random>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

// Runs on several node processes, as a user would start them, and what can go wrong with them.

namespace dybw::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Short rounds, so that seconds hold hundreds of them, of about equal length everywhere.
const std::vector<std::string> paced = {"--workers",       "8",   "--step-time",  "exp:0.01",
                                        "--suspect-after", "1.5", "--eval-every", "0.3"};

json read_json(const fs::path& file) {
  std::ifstream in(file);
  auto value = json::parse(in, nullptr, false);
  return value.is_discarded() ? json{} : value;
}

void check_audit(const json& run) {
  const auto& mixing = run["mixing"];
  CHECK(mixing["rounds_audited"] > 0);
  CHECK(mixing["one_sided_edges"] == 0);
  CHECK(mixing["max_row_error"] <= 1e-9);
  CHECK(mixing["max_column_error"] <= 1e-9);
}

/// The rounds of each worker over all nodes that wrote any.
std::map<int, std::vector<json>> rounds_by_worker(const cluster& nodes) {
  std::map<int, std::vector<json>> by_worker;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    for (auto& line : nodes.rounds(i))
      by_worker[line["worker"].get<int>()].push_back(std::move(line));
  return by_worker;
}

/// The longest stretch without a round of any worker but those of `except`, in seconds.
double longest_gap_s(const std::map<int, std::vector<json>>& by_worker, const std::vector<int>& except) {
  double longest = 0;
  for (const auto& [worker, rounds] : by_worker) {
    if (std::find(except.begin(), except.end(), worker) != except.end())
      continue;
    auto before = rounds.front()["start_s"].get<double>();
    for (const auto& r : rounds) {
      longest = std::max(longest, r["start_s"].get<double>() - before);
      before = r["start_s"].get<double>();
    }
  }
  return longest;
}

std::size_t workers_of(const json& status) {
  return status.is_object() && status["workers_in_touch"].is_number()
             ? status["workers_in_touch"].get<std::size_t>()
             : 0;
}

} // namespace

TEST_CASE("dybw run --nodes: six workers on three nodes learn what they learn on one host, by every policy") {
  cluster nodes{3};
  const auto models =
      is_slow_build ? std::vector<std::string>{"mlp:32"} : std::vector<std::string>{"softmax", "mlp:32"};
  for (const auto& model : models) {
    const std::vector<std::string> training{
        "--workers", "6",   "--model", model, "--policy", "full,static:1,dtur,adpsgd,adaptive",
        "--rounds",  "120", "--seed",  "3",   "--format", "json",
        "--quiet"};
    const auto local = dybw(std::vector<std::string>{"run"} + training);
    REQUIRE(local.code == 0);
    const auto end = nodes.launch(training)->wait(patience);
    CAPTURE(model);
    CAPTURE(end.err);
    CAPTURE(nodes.errors());
    REQUIRE(end.code == 0);
    const auto here = json::parse(local.out);
    const auto there = json::parse(end.out);
    REQUIRE(there["runs"].size() == 5);
    for (std::size_t i = 0; i < 5; ++i) {
      const auto& run = there["runs"][i];
      CAPTURE(run["policy"]);
      check_audit(run);
      CHECK(run["mixing"]["rounds_audited"] >= 100);
      CHECK(run["rounds"] == 120);
      // `full` waits for everybody, so it learns the same bits; the others go by who comes when.
      const auto accuracy = run["test_accuracy"].get<double>();
      const auto accuracy_here = here["runs"][i]["test_accuracy"].get<double>();
      if (run["policy"] == "full")
        CHECK(accuracy == accuracy_here);
      else
        CHECK(accuracy > accuracy_here - 0.1);
      // `static:1` promises no connectivity: on a busy machine one worker can be alone for most of 120
      // rounds.
      if (run["policy"] != "static:1")
        CHECK(run["worst_worker_accuracy"] > 0.5);
      CHECK(run["workers_lost"].empty());
      CHECK(run["link_bytes_sent"] > 0);
    }
  }
}

TEST_CASE("dybw node: the launcher is killed, the nodes finish and write their results") {
  cluster nodes{3};
  auto launcher = nodes.launch(paced + some_seconds + std::vector<std::string>{"--quiet"});
  REQUIRE(nodes.wait_until(0, is_running));
  launcher->send(SIGKILL);
  launcher->wait();
  CAPTURE(nodes.errors());
  for (std::size_t i = 0; i < 3; ++i)
    REQUIRE(nodes.wait_until(i, is_idle, patience));
  const auto result = nodes.result(0); // the node of worker 0 leads
  REQUIRE(result.is_object());
  const auto& run = result["runs"][0];
  check_audit(run);
  CHECK(run["duration_s"] > 3);
  CHECK(run["test_accuracy"] > 0.5);
  CHECK(rounds_by_worker(nodes).size() == 8);
}

TEST_CASE(
    "dybw node: one node of four is killed, the others lose less than two seconds, and the audit is clean") {
  for (const std::string policy : {"full", "dtur", "adaptive"}) {
    cluster nodes{4};
    const auto out = nodes.directory() / "launcher";
    auto launcher =
        nodes.launch(paced + until_told +
                     std::vector<std::string>{"--policy", policy, "--quiet", "--topology", "circulant:1,2",
                                              "--out", out.string(), "--log-level", "error"});
    REQUIRE(nodes.wait_until(0, is_running));
    nodes.kill(3);
    REQUIRE(nodes.wait_until(0, [](const json& s) { return workers_of(s) == 6; }));
    nodes.go_on(seconds{4});
    const auto end = tell_to_end(*launcher);
    CAPTURE(policy);
    CAPTURE(end.err);
    CAPTURE(nodes.errors());
    REQUIRE(end.code == 130);
    const auto run = read_json(out / "run.json")["runs"][0];
    check_audit(run);
    CHECK(run["workers_lost"] == json{3, 7});
    CHECK(run["duration_s"] > 4);
    const auto by_worker = rounds_by_worker(nodes);
    if (!is_slow_build)
      CHECK(longest_gap_s(by_worker, {3, 7}) < 2);
    for (const auto worker : {0, 1, 2, 4, 5, 6})
      CHECK(by_worker.at(worker).back()["start_s"] > 4);
  }
}

TEST_CASE("dybw node: two parts with nothing between them both come to an end, without their launcher") {
  cluster nodes{4};
  auto launcher =
      nodes.launch(some_seconds + std::vector<std::string>{"--workers", "4", "--topology", "ring",
                                                           "--step-time", "exp:0.01", "--suspect-after", "1",
                                                           "--eval-every", "0.5", "--detach"});
  REQUIRE(launcher->wait(patience).code == 0);
  REQUIRE(nodes.wait_until(0, is_running));
  nodes.kill(1);
  nodes.kill(3);
  for (const std::size_t i : {0, 2}) {
    CAPTURE(nodes.errors());
    REQUIRE(nodes.wait_until(
        i, [](const json& s) { return s.is_object() && s["state"] == "idle"; }, seconds{45}));
    CHECK(nodes.result(i).is_object());
  }
}

TEST_CASE("dybw node: a node is stopped for five seconds and goes on, memory stays bounded, its workers "
          "count again") {
  cluster nodes{3};
  const auto out = nodes.directory() / "launcher";
  auto launcher = nodes.launch(paced + until_told +
                               std::vector<std::string>{"--model", "mlp:64", "--quiet", "--out", out.string(),
                                                        "--log-level", "error"});
  REQUIRE(nodes.wait_until(0, is_running));
  const auto before = peak_memory(nodes.node(0).id());
  nodes.node(1).send(SIGSTOP);
  nodes.go_on(seconds{5});
  CHECK(nodes.wait_until(0, [](const json& s) { return workers_of(s) < 8; }));
  nodes.node(1).send(SIGCONT);
  REQUIRE(nodes.wait_until(0, [](const json& s) { return workers_of(s) == 8; }));
  const auto after = peak_memory(nodes.node(0).id());
  nodes.go_on(seconds{4});
  const auto end = tell_to_end(*launcher);
  CAPTURE(end.err);
  CAPTURE(nodes.errors());
  REQUIRE(end.code == 130);
  CHECK(after < before + (std::uint64_t{64} << 20));
  const auto run = read_json(out / "run.json")["runs"][0];
  check_audit(run);
  CHECK(run["workers_lost"].empty());
  const auto by_worker = rounds_by_worker(nodes);
  const auto last_s = run["duration_s"].get<double>() - 2;
  for (const auto worker : {1, 4, 7}) {
    const auto& last = by_worker.at(worker).back();
    CHECK(last["start_s"] > last_s);
  }
  const auto counts = [&](const json& round) {
    return round["start_s"] > last_s && !round["committed"].empty();
  };
  CHECK(std::any_of(by_worker.at(1).begin(), by_worker.at(1).end(), counts));
}

TEST_CASE("dybw node --join: a restarted node takes its place in a live run again") {
  for (const std::string policy : {"full", "dtur", "adpsgd", "adaptive"}) {
    cluster nodes{4};
    const auto out = nodes.directory() / "launcher";
    auto launcher =
        nodes.launch(paced + until_told +
                     std::vector<std::string>{"--policy", policy, "--quiet", "--topology", "circulant:1,2",
                                              "--out", out.string(), "--log-level", "error"});
    REQUIRE(nodes.wait_until(0, is_running));
    nodes.kill(2);
    REQUIRE(nodes.wait_until(0, [](const json& s) { return workers_of(s) == 6; }));
    nodes.start(2, {"--join", nodes.address(1)});
    CAPTURE(policy);
    REQUIRE(nodes.wait_until(0, [](const json& s) { return workers_of(s) == 8; }));
    const auto joined = nodes.status(2);
    REQUIRE(joined.is_object());
    nodes.go_on(seconds{4});
    const auto end = tell_to_end(*launcher);
    CAPTURE(end.err);
    CAPTURE(nodes.errors());
    REQUIRE(end.code == 130);
    const auto run = read_json(out / "run.json")["runs"][0];
    check_audit(run);
    CHECK(run["workers_lost"].empty());
    const auto by_worker = rounds_by_worker(nodes);
    const auto in_pairs = policy == "adpsgd" || policy == "adaptive";
    for (const auto worker : {2, 6}) {
      const auto& rounds = by_worker.at(worker);
      CHECK(rounds.back()["start_s"].get<double>() > run["duration_s"].get<double>() - 2);
      if (in_pairs) // the very last round may have been stopped while it waited
        CHECK(std::any_of(rounds.end() - std::min<std::ptrdiff_t>(10, std::ssize(rounds)), rounds.end(),
                          [](const json& r) { return !r["committed"].empty(); }));
    }
    CHECK(run["worst_worker_accuracy"] > 0.5);
    if (in_pairs && !is_slow_build)
      CHECK(longest_gap_s(by_worker, {2, 6}) < 2);
  }
}

TEST_CASE("dybw node --rejoin: a node that is started again by itself takes its place if the run goes on") {
  cluster nodes{3, {"--rejoin"}};
  const auto out = nodes.directory() / "launcher";
  auto launcher =
      nodes.launch(paced + until_told +
                   std::vector<std::string>{"--policy", "dtur", "--quiet", "--topology", "circulant:1,2",
                                            "--out", out.string(), "--log-level", "error"});
  REQUIRE(nodes.wait_until(0, is_running, patience));
  nodes.kill(2);
  nodes.start(2);
  REQUIRE(nodes.wait_until(2, is_running, patience));
  CHECK(nodes.leave(1) == 0); // as systemctl restart does
  nodes.start(1);
  REQUIRE(nodes.wait_until(1, is_running, patience));
  REQUIRE(nodes.wait_until(0, [](const json& s) { return workers_of(s) == 8; }));
  nodes.go_on(seconds{2});
  const auto end = tell_to_end(*launcher);
  CAPTURE(end.err);
  CAPTURE(nodes.errors());
  REQUIRE(end.code == 130);
  const auto run = read_json(out / "run.json")["runs"][0];
  check_audit(run);
  CHECK(run["workers_lost"].empty());
  REQUIRE(nodes.wait_until(2, is_idle, patience));
  nodes.kill(2); // the run is over: it is idle, and serves the next one
  nodes.start(2);
  REQUIRE(nodes.wait_until(2, is_idle, patience));
  auto next = nodes.launch(paced + std::vector<std::string>{"--time-limit", "1", "--quiet"});
  CHECK(next->wait(patience).code == 0);
}

TEST_CASE("dybw run --resume: all nodes are killed, a new run goes on from their checkpoints") {
  cluster nodes{2};
  auto launcher =
      nodes.launch(paced + until_told + std::vector<std::string>{"--checkpoint-every", "0.3", "--quiet"});
  REQUIRE(nodes.wait_until(0, [](const json& s) { return is_running(s) && s["newest_round"] > 150; }));
  const auto name = nodes.status(0)["run"].get<std::string>();
  nodes.kill(0);
  nodes.kill(1);
  CHECK(launcher->wait(patience).code == 4); // nobody is left
  nodes.start(0);
  nodes.start(1);
  for (std::size_t i = 0; i < 2; ++i)
    REQUIRE(nodes.wait_until(i, is_idle));
  const auto other = nodes.launch({"--resume", name, "--batch", "17", "--quiet"})->wait(patience);
  CHECK(other.code == 2);
  CHECK(other.err.find("--batch=17 contradicts the options of " + name) != std::string::npos);
  const auto checkpoints = nodes.out(1) / name / "dtur" / "checkpoints";
  const auto aside = nodes.out(1) / "aside";
  fs::rename(checkpoints, aside);
  const auto out = nodes.directory() / "launcher";
  const std::vector<std::string> resume{"--resume", name,      "--time-limit", "2",         "--format",
                                        "json",     "--quiet", "--out",        out.string()};
  const auto before = std::distance(fs::directory_iterator{nodes.out(0)}, {});
  const auto refused = nodes.launch(resume)->wait(patience);
  CHECK(refused.code == 2);
  CHECK(refused.err.find("there are no checkpoints of") != std::string::npos);
  CHECK_FALSE(fs::exists(out)); // nothing is in the way of the next try
  fs::rename(aside, checkpoints);
  for (std::size_t i = 0; i < 2; ++i)
    REQUIRE(nodes.wait_until(i, is_idle));
  const auto directories = [&] { return std::distance(fs::directory_iterator{nodes.out(0)}, {}); };
  for (int i = 0; i < 100 && directories() != before; ++i) // the other node's refusal comes first
    nodes.go_on(milliseconds{50});
  CHECK(directories() == before);
  const auto end = nodes.launch(resume)->wait(patience); // with the options that it had
  CAPTURE(end.err);
  CAPTURE(nodes.errors());
  REQUIRE(end.code == 0);
  const auto document = json::parse(end.out);
  CHECK(document["config"]["step-time"] == "exp:0.01");
  const auto run = document["runs"][0];
  check_audit(run);
  auto first = ~std::uint64_t{0};
  for (std::size_t i = 0; i < 2; ++i)
    for (const auto& file : {nodes.out(i)})
      for (const auto& entry : fs::recursive_directory_iterator(file))
        if (entry.path().filename() == "rounds.jsonl")
          for (const auto& line : read_lines(entry.path()))
            if (entry.path().string().find(name) == std::string::npos)
              first = std::min(first, line["round"].get<std::uint64_t>());
  if (first != ~std::uint64_t{0})
    CHECK(first > 50); // a new directory begins where the old one ended
  CHECK(run["rounds"] > 150);
  CHECK(run["test_accuracy"] > 0.5);
}

TEST_CASE("dybw node: the network falls into two halves and heals, both go on, then all together") {
  std::string why_not;
  const auto hosts = network_namespaces::make(4, why_not);
  if (!hosts) {
    MESSAGE("skipped: no network namespaces here: " << why_not);
    return;
  }
  std::vector<cluster_place> places;
  for (std::size_t i = 0; i < 4; ++i)
    places.push_back(hosts->place(i));
  cluster nodes{4, {"--insecure"}, places};
  const auto out = nodes.directory() / "launcher";
  auto launcher = nodes.launch(paced + until_told +
                               std::vector<std::string>{"--topology", "complete", "--quiet", "--out",
                                                        out.string(), "--log-level", "error"});
  REQUIRE(nodes.wait_until(0, is_running));
  hosts->set_link(3, false);
  REQUIRE(nodes.wait_until(0, [](const json& s) { return workers_of(s) == 6; }));
  // Asked on its own host: its half knows too, and goes on.
  REQUIRE(nodes.wait_until(3, [](const json& s) { return workers_of(s) == 2; }));
  nodes.go_on(seconds{1});
  const auto alone = nodes.status(3)["newest_round"].get<std::uint64_t>();
  CHECK(nodes.wait_until(3, [alone](const json& s) { return s["newest_round"] > alone; }));
  hosts->set_link(3, true);
  REQUIRE(nodes.wait_until(0, [](const json& s) { return workers_of(s) == 8; }));
  REQUIRE(nodes.wait_until(3, [](const json& s) { return workers_of(s) == 8; }));
  const auto end = tell_to_end(*launcher);
  CAPTURE(end.err);
  CAPTURE(nodes.errors());
  REQUIRE(end.code == 130);
  const auto run = read_json(out / "run.json")["runs"][0];
  check_audit(run);
  CHECK(run["workers_lost"].empty());
}

TEST_CASE("dybw run --nodes: over a link of 50 ms and 1 MB/s nobody is suspected, and the audit is clean") {
  const auto port = free_port();
  slow_relay relay{port, milliseconds{50}, 1e6};
  // The second node is reached through the relay only.
  cluster nodes{1};
  child_process far{dybw_command(
      {"node", "--listen", "127.0.0.1:" + std::to_string(port), "--advertise", relay.address(), "--quiet"})};
  const auto own_address = "127.0.0.1:" + std::to_string(port);
  for (auto left = 100; left > 0 && dybw({"status", own_address}).code != 0; --left)
    far.go_on(milliseconds{100});
  const auto end = child_process{dybw_command({"run", "--nodes", nodes.address(0) + "," + relay.address(),
                                               "--workers", "4", "--model", "mlp:64", "--time-limit", "5",
                                               "--suspect-after", "1", "--format", "json", "--quiet"})}
                       .wait(patience);
  CAPTURE(end.err);
  CAPTURE(far.errors());
  REQUIRE(end.code == 0);
  const auto run = json::parse(end.out)["runs"][0];
  check_audit(run);
  CHECK(run["mixing"]["edges_lost"] == 0);
  CHECK(run["workers_lost"].empty());
  CHECK(run["rounds"] > 5);
  CHECK(relay.bytes() > 1'000'000); // the estimates went that way
}

TEST_CASE("dybw node: ten thousand garbage connections do not disturb a run") {
  cluster nodes{2};
  auto launcher = nodes.launch(paced + until_told + std::vector<std::string>{"--format", "json", "--quiet"});
  REQUIRE(nodes.wait_until(0, is_running));
  const auto refused_before = nodes.status(0)["connections_refused"].get<std::uint64_t>();
  std::mt19937 generator{7};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto& text = nodes.address(0);
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1))));
  std::size_t sent = 0;
  for (int i = 0; i < 10'000; ++i) {
    const auto descriptor = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(descriptor >= 0);
    if (connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
      std::vector<std::uint32_t> garbage(1 + generator() % 64);
      for (auto& x : garbage)
        x = static_cast<std::uint32_t>(generator());
      if (i % 4 == 0)
        garbage[0] = ~0U; // announces four gigabytes
      sent += send(descriptor, garbage.data(), garbage.size() * 4, MSG_NOSIGNAL) > 0 ? 1 : 0;
    }
    close(descriptor);
  }
  CHECK(sent > 9'900);
  const auto memory = peak_memory(nodes.node(0).id());
  CHECK(nodes.wait_until(0, [&](const json& status) {
    return status.is_object() && status["connections_refused"] > refused_before + 9'000;
  }));
  const auto end = tell_to_end(*launcher);
  CAPTURE(end.err);
  CAPTURE(nodes.errors());
  REQUIRE(end.code == 130);
  if (!is_slow_build)
    CHECK(memory < (std::uint64_t{512} << 20));
  const auto run = json::parse(end.out)["runs"][0];
  check_audit(run);
  CHECK(run["mixing"]["edges_lost"] == 0);
  CHECK(run["workers_lost"].empty());
}

TEST_CASE("dybw run --nodes: a refusal names the node and the reason, and leaves nothing running") {
  cluster nodes{2, {"--slots", "2"}};
  const auto check_refusal = [&](const process_end& end, int code, const std::string& word) {
    CAPTURE(end.err);
    CHECK(end.code == code);
    CHECK(end.err.starts_with("dybw: error: "));
    CHECK(std::count(end.err.begin(), end.err.end(), '\n') == 1);
    CHECK(end.err.find(word) != std::string::npos);
    CHECK(end.took < seconds{10});
    for (std::size_t i = 0; i < 2; ++i)
      CHECK(nodes.wait_until(i, is_idle, seconds{5}));
  };
  const std::vector<std::string> small{"--workers", "4", "--time-limit", "1", "--quiet"};
  check_refusal(nodes.launch({"--workers", "6", "--time-limit", "1", "--quiet"})->wait(patience), 2, "slots");
  check_refusal(nodes.launch(small + std::vector<std::string>{"--dataset", "mnist"})->wait(patience), 2,
                "--data DIR");
  const auto run_on = [&](const std::string& list) {
    return child_process{
        dybw_command({"run", "--nodes", list, "--time-limit", "1", "--quiet", "--workers", "4"})}
        .wait(patience);
  };
  const auto closed = "127.0.0.1:" + std::to_string(free_port());
  check_refusal(run_on(nodes.address(0) + "," + closed), 4, closed);
  check_refusal(run_on(nodes.address(0) + ",no-such-host.invalid:7400"), 4, "no-such-host.invalid");
  auto running =
      nodes.launch({"--workers", "4", "--step-time", "const:0.01", "--time-limit", "60", "--quiet"});
  REQUIRE(nodes.wait_until(0, is_running));
  const auto second = nodes.launch(small)->wait(patience);
  CAPTURE(second.err);
  CHECK(second.code == 4);
  CHECK(second.err.find("busy") != std::string::npos);
  CHECK(dybw({"stop", nodes.address(1)}).code == 0); // any node can be asked
  const auto end = running->wait(patience);
  CAPTURE(end.err);
  CHECK(end.code == 0);
  CHECK(nodes.wait_until(0, is_idle));
}

} // namespace dybw::test
