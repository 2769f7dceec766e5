#include "apps/text/node_text.hpp"

#include <doctest/doctest.h>

#include <limits>

namespace dybw {

namespace {

node_status busy_node() {
  node_status s;
  s.version = "0.1.0";
  s.advertised = {"a", 7400};
  s.state = "running";
  s.run = 5;
  s.run_name = "20260131-1";
  s.policy = "dtur";
  s.nodes = {{"a", 7400}, {"b", 7400}};
  s.workers = {0, 2};
  s.slots = 4;
  s.elapsed_s = 12.3;
  s.newest_round = 1234;
  s.local_steps = 2000;
  s.loss = 0.5;
  s.component = 4;
  s.lead = 1;
  s.waiting = "worker 0 waits for worker 1: estimate, 3.0 s";
  s.link_bytes_sent = 1'500'000;
  s.eval_bytes_sent = 100'000;
  s.connections_refused = 3;
  s.peak_rss_bytes = 50'000'000;
  return s;
}

} // namespace

TEST_CASE("node_text: the placement has a line per node") {
  const std::vector<endpoint> nodes{{"a", 7400}, {"long.example.org", 7400}, {"c", 1}};
  const std::vector<node_index> placement{node_at(0), node_at(1), node_at(0)};
  CHECK(placement_text(nodes, placement) == "3 workers on 3 nodes\n"
                                            "  a:7400                 workers 0, 2\n"
                                            "  long.example.org:7400  worker 1\n"
                                            "  c:1                    none\n");
  const auto many = placement_text(std::vector{nodes[0]}, std::vector<node_index>(30));
  CHECK(many.find("17, 18, 19, ..\n") != std::string::npos);
}

TEST_CASE("node_text: the status of a node in a run") {
  CHECK(status_text(busy_node()) == R"(node          a:7400, dybw 0.1.0, 4 slots
state         running
run           20260131-1, dtur, since 12.3 s
workers here  0, 2
progress      round 1,234, 2,000 steps here, loss 0.500
nodes         a:7400 b:7400
in touch      4 workers, led by b:7400
sent          1.5 MB to neighbours, 0.1 MB for evaluation
waiting       worker 0 waits for worker 1: estimate, 3.0 s
turned away   3 connections
memory        50.0 MB at most so far
)");
}

TEST_CASE("node_text: the status of an idle node has no run") {
  node_status s;
  s.version = "0.1.0";
  s.advertised = {"a", 7400};
  s.state = "idle";
  CHECK(status_text(s) == "node         a:7400, dybw 0.1.0\n"
                          "state        idle\n"
                          "turned away  0 connections\n"
                          "memory       0.0 MB at most so far\n");
  const auto json = to_json(s);
  CHECK(json.at("state") == "idle");
  for (const auto* field : {"slots", "run", "policy", "newest_round", "loss", "lead", "waiting"}) {
    INFO(field);
    CHECK(json.at(field).is_null());
  }
}

TEST_CASE("node_text: the status as JSON has every number") {
  auto s = busy_node();
  auto json = to_json(s);
  CHECK(json.at("node") == "a:7400");
  CHECK(json.at("run") == "20260131-1");
  CHECK(json.at("nodes").dump() == R"(["a:7400","b:7400"])");
  CHECK(json.at("workers").dump() == "[0,2]");
  CHECK(json.at("lead") == "b:7400");
  CHECK(json.at("newest_round") == 1234);
  CHECK(json.at("link_bytes_sent") == 1'500'000);
  CHECK(json.at("connections_refused") == 3);
  s.loss = std::numeric_limits<double>::quiet_NaN();
  s.lead = 9;
  json = to_json(s);
  CHECK(json.at("loss").is_null());
  CHECK(json.at("lead").is_null());
}

} // namespace dybw
