#include "bench/experiments/experiment_plot.hpp"
#include "bench/experiments/experiment_results.hpp"
#include "bench/experiments/experiment_table.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <optional>

namespace dybw::bench {

namespace {

/// Two policies on two graphs, with two seeds; 10 s with `full`, unless said otherwise.
struct two_graphs {
  two_graphs() {
    x.title = "Test";
    x.options = {"--workers", "4", "--batch", "4"};
    x.axes = {{"graph", {{"ring", {"--topology", "ring"}}, {"star", {"--topology", "star"}}}}};
    x.policies = {{"full", {"--policy", "full"}}, {"other", {"--policy", "other"}}};
    x.seeds = {1, 2};
    x.target = 0.9;
  }

  /// `to_target`: none if the target was not reached in the time.
  void add(const std::string& graph, const std::string& policy, std::uint64_t seed,
           std::optional<double> to_target, double duration = 40) {
    const auto found = std::ranges::find(x.policies, policy, &variant_of::name);
    const auto row = row_of({{}, {"--workers", "4", "--batch", "4", "--topology", graph}}, *found);
    add(row, "", seed, to_target, duration);
  }

  void add(const std::vector<std::string>& row, const std::string& step_size, std::uint64_t seed,
           std::optional<double> to_target, double duration = 40, double steps = 400) {
    const auto time = to_target ? nlohmann::ordered_json(*to_target) : nlohmann::ordered_json(nullptr);
    const auto is_one = std::ranges::find(row, "--workers")[1] == "1";
    const nlohmann::ordered_json line{{"run", name_of(run_of(row, step_size, seed))},
                                      {"workers", is_one ? 1 : 4},
                                      {"time_to_target_s", time},
                                      {"steps_to_target", steps},
                                      {"duration_s", to_target.value_or(duration)},
                                      {"local_steps", steps},
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
  CHECK(line.starts_with("| other | <1.41 ("));                        // over all cells
  CHECK(line.find("| <1.00 |") != std::string::npos);                  // the smallest cell
  CHECK(t.table().find("| star | 100 | >100 |") != std::string::npos); // its steps are too few
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

TEST_CASE(
    "experiment_table: the share is of one worker with the batches of all, at the pace of who never waits") {
  two_graphs t;
  t.x.policies.push_back({"alone", {"--workers", "1", "--topology", "path"}});
  t.x.policies.push_back({"ideal", {"--workers", "1", "--topology", "path", "--batch", "{N*B}"}});
  for (std::uint64_t seed : {1, 2}) {
    for (const auto* graph : {"ring", "star"}) {
      t.add(graph, "full", seed, 10);
      t.add(graph, "other", seed, 5);
    }
    const auto c = cells_of(t.x).front();
    t.add(row_of(c, t.x.policies[2]), "", seed, 160, 0, 160);
    t.add(row_of(c, t.x.policies[3]), "", seed, 50, 0, 50);
  }
  // The ideal: 50 steps of four workers, 80 in a second: 2.5 s.
  CHECK(t.table().find("\nShare of the ideal") != std::string::npos);
  CHECK(t.table().find("| ring | 0.25 | 0.50 |\n") != std::string::npos);
  CHECK(t.table().find("| star | 0.40 | 0.40 | 1.00 | 0.80 |") !=
        std::string::npos); // efficiency: 160 / (4 * 100)
  CHECK(t.overview_of("alone").starts_with("| alone | 0.06 (0.06 to 0.06) |"));
}

TEST_CASE("experiment_table: each row is shown at the step size that its trials did best with") {
  two_graphs t;
  t.x.step_sizes = {"0.1", "0.2"};
  t.x.axes = {{"graph", {{"ring", {"--topology", "ring"}}}}};
  for (const auto& p : t.x.policies) {
    const auto row = row_of(cells_of(t.x).front(), p);
    for (const auto seed : tuning_seeds) {
      t.add(row, "0.1", seed, p.name == "full" ? 10 : 30);
      t.add(row, "0.2", seed, 20);
    }
    for (std::uint64_t seed : {1, 2}) {
      t.add(row, "0.1", seed, 11);
      t.add(row, "0.2", seed, 22);
    }
  }
  CHECK(t.table().find("| ring | 11 @0.1 | 22 @0.2 |") != std::string::npos);
}

TEST_CASE("experiment_plot: figures at the target with their intervals, a panel per graph, no bounds") {
  two_graphs t;
  t.x.axes.push_back(
      {"slowness", {{"none", {"--straggler", "none"}}, {"slow", {"--straggler", "slow:1:4"}}}});
  t.x.drawn = picture{picture::style::bars, picture::what::time, {"other", "full", "nobody"}};
  CHECK_THROWS_WITH(plot_of(t.x, t.file, "out"), "no panel of the picture is run yet");
  for (const auto* straggler : {"none", "slow:1:4"})
    for (std::uint64_t seed : {1, 2}) {
      const cell ring{{}, {"--workers", "4", "--batch", "4", "--topology", "ring", "--straggler", straggler}};
      t.add(row_of(ring, t.x.policies[0]), "", seed, 10);
      const auto is_late = straggler == std::string{"slow:1:4"} && seed == 2;
      t.add(row_of(ring, t.x.policies[1]), "", seed, is_late ? std::nullopt : std::optional{20.0});
    }
  const auto script = plot_of(t.x, t.file, "out");
  CHECK(script.find("set output 'out/.svg'") != std::string::npos);
  CHECK(script.find("\"none\" 20 20 20 10 10 10\n\"slow\" NaN NaN NaN 10 10 10\n") != std::string::npos);
  CHECK(script.find("set title 'ring'") != std::string::npos);
  CHECK(script.find("set title 'star'") == std::string::npos); // nothing is known of it
  CHECK(script.find("nobody") == std::string::npos);
}

} // namespace dybw::bench
