#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include <signal.h>

// What the launcher of a run shows, writes and returns, and the scripts around it.

namespace dybw::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

const std::vector<std::string> short_run = {"--workers", "4", "--rounds", "30", "--eval-every", "0.2"};
/// Runs until it is ended.
const std::vector<std::string> endless_run = {"--workers",    "4",   "--policy",    "dtur",
                                              "--time-limit", "300", "--step-time", "const:0.01",
                                              "--eval-every", "0.2", "--quiet"};

json read_json(const fs::path& file) {
  std::ifstream in(file);
  return json::parse(in, nullptr, false);
}

std::string script(const std::string& name) {
  return (fs::path{DYBW_SOURCE_DIR} / "scripts" / name).string();
}

bool has_openssl() {
  return child_process{{"/bin/sh", "-c", "command -v openssl"}}.wait().code == 0;
}

std::vector<std::string> tls_options(const fs::path& folder, const std::string& name) {
  return {"--tls-cert", (folder / (name + ".pem")).string(), "--tls-key", (folder / (name + ".key")).string(),
          "--tls-ca",   (folder / "ca.pem").string()};
}

/// Test certificates for a host name, made by the script.
void make_certificates(const fs::path& folder, const std::string& name) {
  const auto end = child_process{{script("make-certs"), folder.string(), name}}.wait();
  CAPTURE(end.err);
  REQUIRE(end.code == 0);
  CHECK(contains(end.out, (folder / (name + ".pem")).string()));
}

} // namespace

TEST_CASE("dybw run --nodes: the plan, progress and results are shown, and files are as on one host") {
  cluster nodes{2};
  const auto out = nodes.directory() / "launcher";
  const auto end =
      nodes.launch(short_run + std::vector<std::string>{"--policy", "full", "--out", out.string()})
          ->wait(patience);
  CAPTURE(end.err);
  CHECK(end.code == 0);
  CHECK(contains(end.err, "4 workers on 2 nodes\n"));
  CHECK(contains(end.err, nodes.address(0) + "  workers 0, 2\n"));
  CHECK(contains(end.err, nodes.address(1) + "  workers 1, 3\n"));
  CHECK(contains(end.out, "between 2 nodes"));
  CHECK(contains(end.out, "audit of the averaging    ok"));
  for (const auto* file :
       {"run.json", "report.html", "full/rounds.jsonl", "full/evals.jsonl", "full/model.npy"})
    CHECK_MESSAGE(fs::exists(out / file), file);
  CHECK(read_lines(out / "full" / "rounds.jsonl").size() == 4 * 30);
  CHECK(fs::file_size(out / "full" / "model.npy") == 128 + 7850 * 4);
}

TEST_CASE("dybw run --nodes: the JSON document names nodes and what crossed between them, for every policy") {
  cluster nodes{2};
  const auto end = nodes
                       .launch(short_run + std::vector<std::string>{"--policy", "full,dtur", "--format",
                                                                    "json", "--quiet"})
                       ->wait(patience);
  CAPTURE(end.err);
  CHECK(end.code == 0);
  CHECK(end.err.empty());
  const auto document = json::parse(end.out); // throws if anything else is there
  REQUIRE(document["runs"].size() == 2);
  for (const auto& run : document["runs"]) {
    CAPTURE(run["policy"]);
    CHECK(run["rounds"] == 30);
    CHECK(run["parameters"] == 7850);
    CHECK(run["test_accuracy"].is_number());
    CHECK(run["per_worker"][3]["test_accuracy"].is_number());
    CHECK_FALSE(run["evaluations"].empty());
    CHECK(run["mixing"]["one_sided_edges"] == 0);
    CHECK(run["mixing"]["rounds_audited"] > 0);
    // Every edge of the ring joins the two nodes, and both neighbours of a worker live on the other one: a
    // block that counts twice as an estimate crosses once.
    CHECK(run["link_bytes_sent"].get<double>() >= run["bytes_sent"].get<double>() / 2);
    CHECK(run["eval_bytes_sent"] > 0);
    CHECK(run["host_cpu_s"] > 0);
    REQUIRE(run["nodes"].size() == 2);
    CHECK(run["nodes"][1] ==
          json{{"node", nodes.address(1)}, {"workers", {1, 3}}, {"lost", false}, {"left", nullptr}});
  }
}

TEST_CASE("dybw run --nodes: Ctrl-C ends the run on all nodes, and what was measured is written") {
  cluster nodes{2};
  const auto out = nodes.directory() / "launcher";
  auto launcher = nodes.launch(endless_run + std::vector<std::string>{"--out", out.string()});
  REQUIRE(nodes.wait_until(1, is_running));
  launcher->send(SIGINT);
  const auto end = launcher->wait(patience);
  CAPTURE(end.err);
  CHECK(end.code == 130);
  const auto document = read_json(out / "run.json");
  REQUIRE(document.is_object());
  const auto& run = document["runs"][0];
  CHECK(run["interrupted"] == true);
  CHECK(run["failed"] == false);
  CHECK(run["rounds"] > 10);
  CHECK(run["test_accuracy"].is_number());
  CHECK(run["workers_lost"].empty());
  for (std::size_t i = 0; i < 2; ++i)
    CHECK(nodes.wait_until(i, is_idle));
}

TEST_CASE("dybw run --detach: the launcher returns with the run's name, status and stop do the rest") {
  cluster nodes{2};
  for (const std::string format : {"text", "json"}) {
    CAPTURE(format);
    const auto end =
        nodes.launch(endless_run + std::vector<std::string>{"--detach", "--format", format})->wait(patience);
    CAPTURE(end.err);
    REQUIRE(end.code == 0);
    REQUIRE(nodes.wait_until(0, is_running));
    const auto name = nodes.status(0)["run"].get<std::string>();
    if (format == "json") {
      CHECK(json::parse(end.out)["run"] == name);
    } else {
      CHECK(contains(end.out, "run " + name + " has begun on 2 nodes"));
      CHECK(contains(end.out, "dybw stop " + nodes.address(0)));
    }
    const auto shown = dybw({"status", nodes.address(1)});
    CHECK(shown.code == 0);
    CHECK(contains(shown.out, name + ", dtur"));
    CHECK(contains(shown.out, "4 workers, led by " + nodes.address(0)));
    CHECK(dybw({"stop", nodes.address(1)}).code == 0);
    for (std::size_t i = 0; i < 2; ++i)
      CHECK(nodes.wait_until(i, is_idle));
    CHECK(fs::exists(nodes.out(0) / name / "run.json"));
    const auto nothing = dybw({"stop", nodes.address(1)});
    CHECK(nothing.code == 4);
    CHECK(contains(nothing.err, "dybw: error: no run to stop at " + nodes.address(1)));
  }
}

TEST_CASE("dybw run --nodes: a run that loses a node goes on to the end, and says which") {
  cluster nodes{3};
  auto launcher = nodes.launch(
      until_told + std::vector<std::string>{"--workers", "6", "--policy", "dtur", "--step-time", "const:0.01",
                                            "--suspect-after", "1", "--format", "json", "--quiet"});
  REQUIRE(nodes.wait_until(0, is_running));
  nodes.kill(2);
  // Its two workers cut the ring in halves.
  REQUIRE(nodes.wait_until(0, [](const json& s) { return s["workers_in_touch"] == 2; }));
  const auto end = tell_to_end(*launcher);
  CAPTURE(end.err);
  CHECK(end.code == 130);
  const auto document = json::parse(end.out);
  const auto& run = document["runs"][0];
  CHECK(run["workers_lost"] == json{2, 5});
  CHECK(run["nodes"][2]["lost"] == true);
  CHECK(run["nodes"][0]["lost"] == false);
  CHECK(run["mixing"]["one_sided_edges"] == 0);
  CHECK(run["test_accuracy"].is_number());
  CHECK(run["per_worker"][2]["test_accuracy"].is_null());
}

TEST_CASE("dybw run --nodes: when all nodes are lost the launcher says so, with exit code 4") {
  cluster nodes{2};
  const auto out = nodes.directory() / "launcher";
  auto launcher = nodes.launch(endless_run + std::vector<std::string>{"--out", out.string()});
  REQUIRE(nodes.wait_until(0, is_running));
  nodes.kill(0);
  nodes.kill(1);
  const auto end = launcher->wait(patience);
  CAPTURE(end.err);
  CHECK(end.code == 4);
  CHECK(contains(end.err, "dybw: error: no node of the run answers any more"));
  const auto document = read_json(out / "run.json");
  REQUIRE(document.is_object());
  CHECK(document["runs"][0]["failed"] == true);
  CHECK(document["runs"][0]["rounds"] > 10);
}

TEST_CASE("dybw run --nodes: one node under two names is refused") {
  cluster nodes{1};
  const auto port = nodes.address(0).substr(nodes.address(0).find(':'));
  const auto end = dybw({"run", "--nodes", nodes.address(0) + ",localhost" + port, "--policy", "full"});
  CHECK(end.code == 2);
  CHECK(contains(end.err, "nodes " + nodes.address(0) + " and localhost" + port + " are the same"));
  CHECK(nodes.wait_until(0, is_idle));
}

TEST_CASE("scripts/make-certs: nodes with its certificates work together and turn away everybody else") {
  if (!has_openssl()) {
    MESSAGE("skipped: openssl is not installed");
    return;
  }
  const temporary_directory place;
  make_certificates(place.path() / "ours", "localhost");
  make_certificates(place.path() / "theirs", "localhost");
  const auto ours = tls_options(place.path() / "ours", "localhost");
  const auto address = "127.0.0.1:" + std::to_string(free_port());
  child_process node{dybw_command(std::vector<std::string>{"node", "--listen", address} + ours)};
  const auto comes_to_be_idle = [&] { // a node goes on for a moment after its launcher
    for (auto left = 100; left > 0; --left) {
      const auto status = dybw(std::vector<std::string>{"status", address} + ours);
      if (status.code == 0 && contains(status.out, "idle"))
        return true;
      node.go_on(milliseconds{100});
    }
    return false;
  };
  REQUIRE(comes_to_be_idle());
  const std::vector<std::string> run{"run", "--nodes", address, "--policy", "full", "--quiet"};
  auto end = dybw(run + short_run + ours);
  CAPTURE(end.err);
  CHECK(end.code == 0);
  for (const auto& others : {std::vector<std::string>{}, tls_options(place.path() / "theirs", "localhost")}) {
    end = dybw(run + short_run + others);
    CAPTURE(end.err);
    CHECK(end.code == 4);
    CHECK(end.took < seconds{10});
    CHECK(std::ranges::count(end.err, '\n') == 1);
    CHECK(contains(end.err, address));
  }
  CHECK(comes_to_be_idle());
  node.send(SIGTERM);
  CHECK(node.wait(patience).code == 0);
}

TEST_CASE("dybw run --nodes: commands in messages have the TLS options that they need") {
  if (!has_openssl()) {
    MESSAGE("skipped: openssl is not installed");
    return;
  }
  const temporary_directory place;
  make_certificates(place.path(), "localhost");
  const auto ours = tls_options(place.path(), "localhost");
  const auto port = free_port();
  const auto address = "127.0.0.1:" + std::to_string(port);
  child_process nodes{std::vector<std::string>{"/usr/bin/env", "DYBW=" + dybw_command({}).front(),
                                               script("cluster-local"), "1", "--port", std::to_string(port)} +
                          ours,
                      place.path()};
  REQUIRE(nodes.go_on_until("Ctrl-C ends them", patience)); // it reached the node itself
  const std::string needed = " --tls-cert " + ours[1] + " --tls-key " + ours[3] + " --tls-ca " + ours[5];
  CHECK(contains(nodes.errors(), "--time-limit 20" + needed));
  const std::vector<std::string> run{"run", "--nodes", address, "--detach"};
  const auto begun = dybw(run + endless_run + ours);
  CAPTURE(begun.err);
  CHECK(contains(begun.out, "dybw stop " + address + needed));
  const auto busy = dybw(run + endless_run + ours);
  CAPTURE(busy.err);
  CHECK(busy.code == 4);
  CHECK(contains(busy.err, "dybw stop " + address + needed));
  nodes.send(SIGINT);
  CHECK(nodes.wait(patience).shell_code() == 130);
}

TEST_CASE("scripts/make-certs: what is there stays, and wrong names are refused") {
  if (!has_openssl()) {
    MESSAGE("skipped: openssl is not installed");
    return;
  }
  const temporary_directory place;
  const auto folder = place.path() / "certs";
  make_certificates(folder, "a.example.org");
  const auto before = fs::last_write_time(folder / "a.example.org.pem");
  auto end = child_process{{script("make-certs"), folder.string(), "a.example.org", "192.0.2.1"}}.wait();
  CHECK(end.code == 0);
  CHECK(fs::last_write_time(folder / "a.example.org.pem") == before);
  CHECK(fs::exists(folder / "192.0.2.1.key"));
  CHECK((fs::status(folder / "192.0.2.1.key").permissions() & fs::perms::mask) ==
        (fs::perms::owner_read | fs::perms::owner_write));
  for (const std::string name : {"a b", "../x", "ca", "-x", "a+", "+a"}) {
    CAPTURE(name);
    end = child_process{{script("make-certs"), folder.string(), name}}.wait();
    CHECK(end.code == 1);
    CHECK(contains(end.err, "scripts/make-certs: error: "));
  }
}

TEST_CASE("scripts/make-certs: writes roles and hosts, and a revocation list that nodes believe") {
  if (!has_openssl()) {
    MESSAGE("skipped: openssl is not installed");
    return;
  }
  const temporary_directory place;
  const auto folder = place.path() / "certs";
  const auto make = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {script("make-certs"), folder.string()});
    return child_process{words}.wait();
  };
  auto end = make(
      {"--role", "node", "localhost+a.example.org", "--role", "launcher", "ann", "--role", "monitor", "eve"});
  CAPTURE(end.err);
  REQUIRE(end.code == 0);
  const auto with = [&](std::vector<std::string> words, const std::string& name) {
    return words + tls_options(folder, name) +
           std::vector<std::string>{"--tls-crl", (folder / "ca.crl").string()};
  };
  const auto address = "127.0.0.1:" + std::to_string(free_port());
  const std::vector<std::string> advertised{"--advertise", "localhost:" + address.substr(10)};
  child_process node{
      dybw_command(with(std::vector<std::string>{"node", "--listen", address} + advertised, "localhost"))};
  for (auto left = 100; left > 0 && dybw(with({"status", address}, "eve")).code != 0; --left)
    node.go_on(milliseconds{100});
  const std::vector<std::string> run{"run",      "--nodes", "localhost:" + address.substr(10),
                                     "--policy", "full",    "--quiet"};
  end = dybw(with(run + short_run, "ann"));
  CAPTURE(end.err);
  CHECK(end.code == 0);
  CHECK(dybw(with(run + short_run, "eve")).code == 2);
  CHECK(dybw(with({"status", address}, "eve")).code == 0);
  end = make({"--revoke", "eve"});
  CHECK(end.code == 0);
  std::this_thread::sleep_for(seconds{2}); // the node looks at its files once a second
  end = dybw(std::vector<std::string>{"status", address} + tls_options(folder, "eve"));
  CHECK(end.code == 4);
  CHECK(contains(end.err, "our certificate is revoked, says the other side"));
  CHECK(dybw(with({"status", address}, "ann")).code == 0);
  CHECK(make({"--revoke", "nobody"}).code == 1);
  CHECK(make({"--role", "boss", "x"}).code == 1);
  node.send(SIGTERM);
  CHECK(node.wait(patience).code == 0);
}

TEST_CASE("scripts/cluster-local: starts nodes, says how to use them, and ends them with itself") {
  const auto port = free_port();
  const temporary_directory place;
  const auto program = dybw_command({}).front();
  child_process script_run{{"/usr/bin/env", "DYBW=" + program, script("cluster-local"), "1", "--port",
                            std::to_string(port), "--slots", "3"},
                           place.path()};
  const auto address = "127.0.0.1:" + std::to_string(port);
  REQUIRE(script_run.go_on_until("Ctrl-C ends them", patience));
  const auto status = dybw({"status", address, "--format", "json"});
  REQUIRE(status.code == 0);
  CHECK(json::parse(status.out)["slots"] == 3);
  script_run.send(SIGINT);
  const auto end = script_run.wait(patience);
  CAPTURE(end.err);
  CHECK_FALSE(end.killed);
  CHECK(end.shell_code() == 130);
  CHECK(contains(end.err, "run --nodes " + address));
  CHECK(dybw({"status", address}).code == 4); // nobody is left there
  const auto wrong = child_process{{script("cluster-local"), "none"}}.wait();
  CHECK(wrong.code == 1);
  CHECK(contains(wrong.err, "give the number of nodes"));
}

} // namespace dybw::test
