#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

// docs/methods.md on several nodes: fewer exchanges, fewer bytes.

namespace dybw::test {

namespace {

using nlohmann::json;

json run_of(cluster& nodes, const std::vector<std::string>& training) {
  const auto end = nodes.launch(training)->wait(patience);
  CAPTURE(end.err);
  CAPTURE(nodes.errors());
  REQUIRE(end.code == 0);
  auto run = json::parse(end.out)["runs"][0];
  CHECK(run["mixing"]["one_sided_edges"] == 0);
  CHECK(run["workers_lost"].empty());
  return run;
}

std::vector<std::string> training(const std::vector<std::string>& more) {
  return std::vector<std::string>{"--workers", "6",  "--model", "mlp:32",   "--seed", "3",
                                  "--rounds",  "80", "--quiet", "--format", "json"} +
         more;
}

} // namespace

TEST_CASE("dybw run --nodes: local steps, outer step and correction learn the same bits as on one host") {
  const auto with = training({"--policy", "full", "--local-steps", "3", "--outer-step", "0.7", "--correction",
                              "0.1", "--partition", "shards:2"});
  const auto local = dybw(std::vector<std::string>{"run"} + with);
  REQUIRE(local.code == 0);
  const auto here = json::parse(local.out)["runs"][0];
  cluster nodes{3};
  const auto there = run_of(nodes, with);
  for (const auto* figure : {"local_steps", "test_accuracy", "test_loss"}) {
    CAPTURE(figure);
    CHECK(there[figure] == here[figure]);
  }
  CHECK(there["local_steps"] == 6 * 80 * 3);
}

TEST_CASE("dybw run --nodes: estimates that travel coded take their share of the bytes and learn as well") {
  cluster nodes{3};
  for (const std::string policy : {"full", "dtur", "adaptive"}) {
    CAPTURE(policy);
    const auto send = [&](const std::string& format) {
      return run_of(nodes, training({"--policy", policy, "--send", format}));
    };
    const auto per_round = [](const json& run) {
      return run["link_bytes_sent"].get<double>() / run["estimates_sent"].get<double>();
    };
    const auto plain = send("float32");
    for (const auto& [format, share] :
         {std::pair{"float16", 0.51}, std::pair{"bfloat16", 0.51}, std::pair{"int8", 0.27}}) {
      CAPTURE(format);
      const auto coded = send(format);
      // All else that travels on links is in it, and with `int8` the first blocks, which go whole.
      CHECK(per_round(coded) < (share + 0.06) * per_round(plain));
      CHECK(coded["test_accuracy"].get<double>() > plain["test_accuracy"].get<double>() - 0.05);
    }
  }
}

} // namespace dybw::test
