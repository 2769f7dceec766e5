#include "bench/experiments/experiment_table.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <optional>

namespace dybw::bench {

namespace {

/// Two policies on two graphs, with two seeds; 10 s with `full`, unless said otherwise.
struct two_graphs {
  two_graphs() {
    x.title = "Test";
    x.axes = {{"graph", {{"ring", {}}, {"star", {}}}}};
    x.policies = {{"full", {}}, {"other", {}}};
    x.seeds = {1, 2};
  }

  /// `to_target`: none if the target was not reached in the time.
  void add(const std::string& graph, const std::string& policy, std::uint64_t seed,
           std::optional<double> to_target, double duration = 40) {
    const nlohmann::ordered_json line{{"cell", {{"graph", graph}}},
                                      {"policy", policy},
                                      {"seed", seed},
                                      {"workers", 4},
                                      {"time_to_target_s", to_target ? nlohmann::ordered_json(*to_target)
                                                                     : nlohmann::ordered_json(nullptr)},
                                      {"duration_s", to_target.value_or(duration)},
                                      {"local_steps", 400},
                                      {"mean_round_s", 1},
                                      {"no_wait_rate", 80},
                                      {"test_accuracy", 0.9},
                                      {"test_loss", 0.5},
                                      {"worst_worker_accuracy", 0.88}};
    std::ofstream{file, std::ios::app} << line.dump() << '\n';
  }

  std::string table() const { return table_of(x, file); }
  /// The line of a policy in the table of all cells.
  std::string overview_of(const std::string& policy) const {
    const auto text = table();
    const auto at = text.find("\n| " + policy + " |");
    return at == std::string::npos ? "" : text.substr(at + 1, text.find('\n', at + 1) - at - 1);
  }

  temporary_directory place;
  std::filesystem::path file = place.path() / "results.jsonl";
  experiment x;
};

} // namespace

TEST_CASE("experiment_table: ratios of runs that all reached the target carry no mark") {
  two_graphs t;
  for (const auto* graph : {"ring", "star"})
    for (std::uint64_t seed : {1, 2}) {
      t.add(graph, "full", seed, 10);
      t.add(graph, "other", seed, graph == std::string{"ring"} ? 5 : 2.5);
    }
  CHECK(t.table().find("| ring | 1.00 | 2.00 |") != std::string::npos);
  CHECK(t.overview_of("other").starts_with("| other | 2.83 (2.83 to 2.83) |"));
  CHECK(t.overview_of("other").find('<') == std::string::npos);
  CHECK(t.overview_of("full").find(" 0 % |") == std::string::npos);
}

TEST_CASE("experiment_table: one upper bound makes every mean that it is in an upper bound") {
  two_graphs t;
  for (const auto* graph : {"ring", "star"})
    for (std::uint64_t seed : {1, 2}) {
      t.add(graph, "full", seed, 10);
      const auto gave_up = graph == std::string{"star"} && seed == 2;
      t.add(graph, "other", seed, gave_up ? std::nullopt : std::optional{5.0}, 20);
    }
  CHECK(t.table().find("| ring | 1.00 | 2.00 |") != std::string::npos);
  CHECK(t.table().find("| star | 1.00 | <1.00 |") != std::string::npos);
  const auto line = t.overview_of("other");
  CHECK(line.starts_with("| other | <1.41 ("));                              // over all cells
  CHECK(line.find("| <1.00 |") != std::string::npos);                        // the smallest cell
  CHECK(t.table().find("| star | 100.00 | >100.00 |") != std::string::npos); // its steps are too few
}

TEST_CASE("experiment_table: where only the first policy did not reach the target the ratio is more") {
  two_graphs t;
  for (std::uint64_t seed : {1, 2}) {
    t.add("ring", "full", seed, std::nullopt, 40);
    t.add("ring", "other", seed, 10);
    t.add("star", "full", seed, std::nullopt, 40);
    t.add("star", "other", seed, std::nullopt, 40);
  }
  CHECK(t.table().find("| ring | 1.00 | >4.00 |") != std::string::npos);
  CHECK(t.table().find("| star | 1.00 | ?1.00 |") != std::string::npos);
  CHECK(t.overview_of("other").starts_with("| other | ?2.00 ("));
}

} // namespace dybw::bench
