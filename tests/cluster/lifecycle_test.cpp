#include "tests/cluster/cluster.hpp"
#include "tests/support/certificates.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <signal.h>

// Who leads, who has a place and who is refused, with real processes.

namespace dybw::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Short rounds of about equal length everywhere.
const std::vector<std::string> paced = {
    "--workers",    "6",   "--topology", "complete",        "--step-time", "const:0.01",
    "--eval-every", "0.3", "--quiet",    "--suspect-after", "1.5"};

void check_audit(const json& run) {
  CHECK(run["mixing"]["rounds_audited"] > 0);
  CHECK(run["mixing"]["one_sided_edges"] == 0);
}

std::optional<fs::path> real_mnist() {
  const auto* set = std::getenv("DYBW_DATA");
  const auto root = fs::path{set != nullptr ? set : DYBW_SOURCE_DIR "/../shared/data"};
  if (fs::exists(root / "mnist"))
    return root / "mnist";
  return std::nullopt;
}

std::vector<std::string> tls_options(const tls_files& files) {
  return {"--tls-cert", files.certificate.string(), "--tls-key", files.key.string(),
          "--tls-ca",   files.authority.string()};
}

void check_one_line(const process_end& end, const std::string& word) {
  CAPTURE(end.err);
  CHECK(end.err.starts_with("dybw: error: "));
  CHECK(std::ranges::count(end.err, '\n') == 1);
  CHECK(contains(end.err, word));
}

} // namespace

TEST_CASE("dybw node: when launcher and leading node are killed, the next lead writes the results") {
  for (const std::string policy : {"dtur", "adaptive"}) {
    cluster nodes{3};
    auto launcher = nodes.launch(paced + until_told + std::vector<std::string>{"--policy", policy});
    REQUIRE(nodes.wait_until(1, is_running));
    launcher->send(SIGKILL);
    launcher->wait();
    nodes.kill(0);
    CAPTURE(policy);
    CAPTURE(nodes.errors());
    for (const std::size_t i : {1, 2})
      REQUIRE(nodes.wait_until(i, [](const json& s) { return s["workers_in_touch"] == 4; }));
    // Whoever leads only from the end on has audited nothing.
    REQUIRE(nodes.wait_until(1, [&](const json& s) { return s["lead"] == nodes.address(1); }));
    const auto round = nodes.status(1)["newest_round"].get<std::uint64_t>();
    REQUIRE(nodes.wait_until(1, [round](const json& s) { return s["newest_round"] > round + 20; }));
    CHECK(dybw({"stop", nodes.address(1)}).code == 0);
    for (const std::size_t i : {1, 2})
      REQUIRE(nodes.wait_until(i, is_idle, patience));
    const auto result = nodes.result(1); // of worker 1, the lowest that is left
    REQUIRE(result.is_object());
    const auto& run = result["runs"][0];
    check_audit(run);
    CHECK(run["workers_lost"] == json{0, 3});
    CHECK(run["test_accuracy"].is_number());
    std::size_t models = 0;
    for (const auto& entry : fs::recursive_directory_iterator(nodes.out(1)))
      if (entry.path().filename() == "model.npy") {
        ++models;
        CHECK(fs::file_size(entry.path()) == 128 + 7850 * 4);
      }
    CHECK(models == 1);
    CHECK(nodes.result(2).is_null()); // one lead, one result
  }
}

TEST_CASE("dybw node: one that is told to end and is started again to join does no harm to the run") {
  for (const std::string policy : {"full", "dtur", "adaptive"}) {
    cluster nodes{3};
    const auto out = nodes.directory() / "launcher";
    auto launcher = nodes.launch(paced + until_told +
                                 std::vector<std::string>{"--policy", policy, "--out", out.string()});
    REQUIRE(nodes.wait_until(0, is_running));
    for (const std::size_t i : {1, 2}) { // one after the other, as operators do it
      CHECK(nodes.leave(i) == 0);
      nodes.start(i, {"--join", nodes.address(0)});
      REQUIRE(nodes.wait_until(i, is_running));
    }
    const auto end = tell_to_end(*launcher);
    CAPTURE(policy);
    CAPTURE(end.err);
    CAPTURE(nodes.errors());
    CHECK(end.code == 130);
    std::ifstream in(out / "run.json");
    const auto run = json::parse(in, nullptr, false)["runs"][0];
    check_audit(run);
    CHECK(run["failed"] == false);
    CHECK(run["workers_lost"].empty());
  }
}

TEST_CASE("dybw node: told to end, it does not wait for a gradient that takes long") {
  cluster nodes{1};
  // A step of this takes some 20 s, on a fast processor too.
  auto launcher =
      nodes.launch({"--workers", "2", "--threads", "1", "--policy", "full", "--topology", "path", "--model",
                    "mlp:4096,4096", "--batch", "4096", "--time-limit", "600", "--quiet"});
  const auto begun = [](const json& s) { return s["state"] == "running"; };
  REQUIRE(nodes.wait_until(0, begun, patience));
  nodes.go_on(seconds{1});
  CHECK(nodes.leave(0) == 0); // within its patience
}

TEST_CASE("dybw run --nodes: the others are killed, and the last has left with a full disk") {
  std::vector<cluster_place> places(2);
  places[1].prefix = {"/bin/bash", "-c", "ulimit -f 48; exec \"$@\"", "bash"};
  cluster nodes{2, {}, places};
  auto launcher = nodes.launch(paced + until_told);
  REQUIRE(nodes.wait_until(0, is_running, patience));
  REQUIRE(nodes.wait_until(1, is_idle, patience));
  nodes.kill(0);
  const auto end = launcher->wait(patience); // not for a result that nobody will have
  CAPTURE(end.err);
  CHECK_FALSE(end.killed);
  CHECK(end.code == 4);
  CHECK(contains(end.err, "dybw: error: "));
}

TEST_CASE("dybw node: one of three with a full disk leaves, and the two others reach their rounds") {
  cluster_place full; // no file of its processes grows beyond 48 KiB
  full.prefix = {"/bin/bash", "-c", "ulimit -f 48; exec \"$@\"", "bash"};
  struct trouble {
    std::string policy;
    std::size_t node;
  };
  for (const auto& [policy, where] : {trouble{"full", 2}, trouble{"dtur", 0}, trouble{"adaptive", 1}}) {
    CAPTURE(policy);
    std::vector<cluster_place> places(3);
    places[where] = full;
    cluster nodes{3, {}, places};
    const auto end = nodes
                         .launch(paced + std::vector<std::string>{"--policy", policy, "--rounds", "500",
                                                                  "--format", "json"})
                         ->wait(patience);
    CAPTURE(end.err);
    CAPTURE(nodes.errors());
    REQUIRE(end.code == 0);
    CHECK(contains(end.err, "leaves the run: cannot write "));
    const auto run = json::parse(end.out)["runs"][0];
    check_audit(run);
    CHECK(run["failed"] == false);
    CHECK(run["test_accuracy"].is_number());
    for (std::size_t i = 0; i < 3; ++i) {
      CAPTURE(i);
      CHECK(run["nodes"][i]["left"].is_string() == (i == where));
      CHECK(nodes.wait_until(i, is_idle, patience));
      std::uint64_t newest = 0;
      for (const auto& round : nodes.rounds(i))
        newest = std::max(newest, round["round"].get<std::uint64_t>());
      CHECK((newest >= 499) == (i != where)); // the last step may be one that is stopped
    }
    if (where == 0) { // the lead: the next one has measured and written the end
      CHECK(nodes.result(1)["state"] == "done");
      CHECK(nodes.result(0)["state"] == "running");
    }
  }
}

TEST_CASE("dybw node: whose place was taken while it was stopped gives the run up when it goes on") {
  cluster nodes{3};
  const auto out = nodes.directory() / "launcher";
  auto launcher = nodes.launch(paced + until_told + std::vector<std::string>{"--out", out.string()});
  REQUIRE(nodes.wait_until(0, is_running));
  nodes.node(2).send(SIGSTOP);
  const auto in_touch = [](std::size_t count) {
    return [count](const json& s) { return s["workers_in_touch"] == count; };
  };
  REQUIRE(nodes.wait_until(0, in_touch(4)));
  child_process heir{dybw_command({"node", "--listen", "127.0.0.1:" + std::to_string(free_port()), "--out",
                                   (nodes.directory() / "heir").string(), "--join", nodes.address(0)})};
  REQUIRE(nodes.wait_until(0, in_touch(6)));
  nodes.node(2).send(SIGCONT);
  CHECK(nodes.wait_until(2, is_idle));
  CHECK(is_running(nodes.status(0))); // the run goes on without it
  nodes.go_on(milliseconds{
      3000}); // until the launcher, whose call to the stopped one had to fail, has called the heir
  const auto end = tell_to_end(*launcher);
  nodes.go_on(milliseconds{100}); // collects what they said
  heir.go_on(milliseconds{100});
  CAPTURE(end.err);
  CAPTURE(nodes.errors());
  CAPTURE(heir.errors());
  REQUIRE(end.code == 130);
  CHECK(contains(nodes.node(2).errors(), "this node is not part of it any more"));
  std::ifstream in(out / "run.json");
  const auto run = json::parse(in, nullptr, false)["runs"][0];
  check_audit(run);
  CHECK(run["workers_lost"].empty());
  CHECK(nodes.result(2).is_null());
}

TEST_CASE("dybw run --nodes: MNIST on three nodes learns what it learns on one host, by every policy") {
  const auto data = real_mnist();
  if (!data) {
    MESSAGE("skipped: no mnist (set DYBW_DATA)");
    return;
  }
  cluster nodes{3, {"--data", data->string()}};
  for (const std::string model : {"softmax", "mlp:32"}) {
    CAPTURE(model);
    const std::vector<std::string> training{
        "--dataset", "mnist", "--workers", "6", "--model",  model,  "--policy", "full,static:1,dtur",
        "--rounds",  "60",    "--seed",    "3", "--format", "json", "--quiet",  "--eval-every",
        "5"};
    const auto local = dybw(std::vector<std::string>{"run", "--data", data->string()} + training);
    CAPTURE(local.err);
    REQUIRE(local.code == 0);
    const auto end = nodes.launch(training)->wait(2 * patience);
    CAPTURE(end.err);
    CAPTURE(nodes.errors());
    REQUIRE(end.code == 0);
    const auto here = json::parse(local.out);
    const auto there = json::parse(end.out);
    REQUIRE(there["runs"].size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
      const auto& run = there["runs"][i];
      CAPTURE(run["policy"]);
      check_audit(run);
      CHECK(run["rounds"] == 60);
      CHECK(run["workers_lost"].empty());
      const auto accuracy = run["test_accuracy"].get<double>();
      const auto accuracy_here = here["runs"][i]["test_accuracy"].get<double>();
      CHECK(accuracy > accuracy_here - 0.05);
      if (run["policy"] == "full") // the others go by who comes when
        CHECK(accuracy == accuracy_here);
      CHECK(run["test_accuracy"] > 0.6);
    }
  }
}

TEST_CASE("dybw run --nodes: data that one node lacks is refused with that node's name") {
  cluster nodes{2};
  const auto table = nodes.directory() / "table.csv";
  std::ofstream out(table);
  out << "a,b,label\n";
  for (int i = 0; i < 100; ++i)
    out << i % 7 << ',' << i % 5 << ',' << i % 2 << '\n';
  out.close();
  nodes.kill(0);
  nodes.start(0, {"--data", table.string()});
  REQUIRE(nodes.wait_until(0, is_idle));
  const auto end =
      nodes.launch({"--workers", "2", "--dataset", "csv", "--time-limit", "1", "--quiet"})->wait(patience);
  CHECK((end.code == 2 || end.code == 3));
  check_one_line(end, nodes.address(1));
  CHECK_FALSE(contains(end.err, nodes.address(0)));
  for (const std::size_t i : {0, 1})
    CHECK(nodes.wait_until(i, is_idle));
}

TEST_CASE("dybw run --nodes: an expired certificate is refused, and the node goes on") {
  const test_authority authority;
  const auto good = tls_options(authority.issue("localhost"));
  const auto expired = tls_options(authority.issue_expired("launcher"));
  const auto address = "127.0.0.1:" + std::to_string(free_port());
  child_process node{dybw_command(std::vector<std::string>{"node", "--listen", address} + good)};
  const auto status = std::vector<std::string>{"status", address} + good;
  for (auto left = 100; left > 0 && dybw(status).code != 0; --left)
    node.go_on(milliseconds{100});
  const std::vector<std::string> run{"run", "--nodes", address, "--workers", "2", "--rounds", "5", "--quiet"};
  const auto end = dybw(run + expired);
  CHECK((end.code == 2 || end.code == 4));
  check_one_line(end, "expired");
  CHECK(end.took < seconds{10});
  CHECK(dybw(run + good).code == 0);
}

TEST_CASE("dybw run --nodes: only nodes that share an edge exchange estimates") {
  cluster nodes{3};
  // A path over three nodes: 0 and 2 share no edge. Each estimate of worker 1 crosses twice, those of 0 and 2
  // once.
  const auto end = nodes
                       .launch({"--workers", "3", "--topology", "path", "--policy", "full", "--rounds", "100",
                                "--step-time", "const:0.005", "--format", "json", "--quiet"})
                       ->wait(patience);
  CAPTURE(end.err);
  REQUIRE(end.code == 0);
  const auto run = json::parse(end.out)["runs"][0];
  const auto crossed = run["link_bytes_sent"].get<double>() / (100 * 7850 * 4);
  CHECK(crossed > 3.6);
  CHECK(crossed < 4.4); // among all three it would be 6
}

TEST_CASE(
    "dybw node: with TLS a killed node takes its place again, a monitor only looks on, a stop reaches all") {
  const test_authority authority;
  auto files = authority.issue("localhost");
  files.revoked = authority.revoke({authority.issue("gone")});
  const tls_environment environment{files};
  cluster nodes{3};
  const auto out = nodes.directory() / "launcher";
  auto launcher =
      nodes.launch({"--workers", "3", "--topology", "path", "--step-time", "const:0.01", "--quiet",
                    "--suspect-after", "1.5", "--time-limit", "60", "--out", out.string()});
  REQUIRE(nodes.wait_until(2, is_running));
  nodes.kill(2);
  nodes.start(2, {"--join", nodes.address(0)});
  REQUIRE(nodes.wait_until(2, is_running));
  const auto looking_on = tls_options(authority.issue_with("grafana", {"monitor"}));
  CHECK(dybw(std::vector<std::string>{"status", nodes.address(1)} + looking_on).code == 0);
  const std::vector<std::string> watch{"monitor", nodes.address(1), "--waiting"};
  CHECK(dybw(watch + looking_on).code == 0);
  const auto stopped = dybw(std::vector<std::string>{"stop", nodes.address(1)} + looking_on);
  CHECK(stopped.code == 2);
  check_one_line(stopped, "the certificate of grafana names monitor, this needs the role launcher");
  CHECK(nodes.wait_until(1, is_running));
  CHECK(dybw({"stop", nodes.address(2)}).code == 0); // no neighbour of the first one's
  const auto end = launcher->wait(patience);
  CAPTURE(end.err);
  CAPTURE(nodes.errors());
  CHECK(end.code == 0);
  for (const std::size_t i : {0, 1, 2})
    CHECK(nodes.wait_until(i, is_idle));
  std::ifstream in(out / "run.json");
  check_audit(json::parse(in, nullptr, false)["runs"][0]);
}

/// After 30 s the launcher's asking once came to a stand, and nodes that had said all looked lost.
TEST_CASE(
    "dybw run --nodes: a long run whose killed node joined late ends in time, and nobody is out of reach") {
  const test_authority authority;
  const tls_environment environment{authority.issue("localhost")};
  cluster nodes{4};
  const auto out = nodes.directory() / "launcher";
  constexpr auto length = seconds{36};
  const auto began = std::chrono::steady_clock::now();
  auto launcher = nodes.launch({"--workers", "8", "--step-time", "const:0.02", "--quiet",
                                "--checkpoint-every", "10", "--suspect-after", "1.5", "--time-limit",
                                std::to_string(length.count()), "--out", out.string()});
  REQUIRE(nodes.wait_until(3, is_running));
  nodes.go_on(seconds{5});
  nodes.kill(3);
  nodes.go_on(seconds{8});
  nodes.start(3, {"--join", nodes.address(0)});
  CHECK(nodes.wait_until(3, is_running));
  const auto end = launcher->wait(patience);
  CAPTURE(end.err);
  CAPTURE(nodes.errors());
  CHECK(end.code == 0);
  CHECK_FALSE(contains(end.err, "out of reach"));
  CHECK(std::chrono::steady_clock::now() - began < length + seconds{10}); // it was up to 15 s late
  std::ifstream in(out / "run.json");
  const auto run = json::parse(in, nullptr, false)["runs"][0];
  check_audit(run);
  CHECK(run["workers_lost"].empty());
  REQUIRE(run["nodes"].size() == 4);
  for (const auto& node : run["nodes"])
    CHECK(node["lost"] == false);
}

TEST_CASE("dybw node, run: a certificate that is for something else is refused at the start, in one line") {
  const test_authority authority;
  const std::vector<std::string> node{"node", "--listen", "127.0.0.1:0"};
  auto end = dybw(node + tls_options(authority.issue_for("b", "DNS:b.example")));
  CHECK(end.code == 2);
  check_one_line(end, "the certificate of b is not for 127.0.0.1, by which others reach this node");
  end = dybw(node + std::vector<std::string>{"--advertise", "c.example:7400"} +
             tls_options(authority.issue_for("b", "DNS:b.example")));
  check_one_line(end, "the certificate of b is not for c.example");
  end = dybw(node + tls_options(authority.issue_with("ann", {"launcher"})));
  check_one_line(end, "the certificate of ann names launcher, this needs the role node");
  end = dybw(std::vector<std::string>{"run", "--nodes", "127.0.0.1:1"} +
             tls_options(authority.issue_with("grafana", {"monitor"})));
  CHECK(end.code == 2);
  check_one_line(end, "the certificate of grafana names monitor, this needs the role launcher");
}

} // namespace dybw::test
