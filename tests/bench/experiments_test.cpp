#include "apps/options/run_options.hpp"
#include "bench/experiments/experiment_results.hpp"
#include "learning/base/error.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace dybw::test {

TEST_CASE("experiments: every file of config/experiments/ describes runs that dybw run takes") {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator{DYBW_SOURCE_DIR "/config/experiments"}) {
    CAPTURE(entry.path().string());
    ++files;
    const auto x = bench::read_experiment(entry.path());
    CHECK_FALSE(x.title.empty());
    const auto cells = bench::cells_of(x);
    std::size_t combinations = 1;
    for (const auto& a : x.axes)
      combinations *= a.variants.size();
    CHECK(cells.size() == combinations);
    if (x.drawn)
      for (const auto& p : x.drawn->policies)
        CHECK(std::ranges::count(x.policies, p, &bench::variant_of::name) == 1);
    for (const auto& policy : x.policies) {
      CAPTURE(policy.name);
      std::size_t possible = 0;
      for (const auto& c : cells)
        try {
          const auto run = bench::run_of(bench::row_of(c, policy), "", x.seeds.front());
          const auto config = read_run_options(run, "").config;
          CHECK(config.clock == clock_kind::virtual_);
          CHECK(config.policies.size() == 1);
          CHECK(config.seed == x.seeds.front());
          ++possible;
        } catch (const input_error& e) {
          CAPTURE(e.what());
          CHECK(bench::has_backup_workers(policy)); // too many for some graphs
        }
      CHECK(possible > 0);
    }
  }
  CHECK(files >= 7);
}

TEST_CASE("experiments: a policy's options take the place of the cell's, whose workers and batches fill in") {
  const bench::cell c{{},
                      {"--workers", "6", "--batch", "4", "--straggler", "random:{1/N}:6", "--threads", "1"}};
  using row = std::vector<std::string>;
  CHECK(bench::row_of(c, {"full", {"--policy", "full"}}) == row{"--batch", "4", "--policy", "full",
                                                                "--straggler", "random:0.166667:6",
                                                                "--threads", "1", "--workers", "6"});
  const auto ideal =
      bench::row_of(c, {"ideal", {"--workers", "1", "--batch", "{N*B}", "--straggler", "none"}});
  CHECK(ideal == row{"--batch", "24", "--straggler", "none", "--threads", "1", "--workers", "1"});
  CHECK(bench::run_of({"--batch", "4", "--step-size", "0.1"}, "0.2", 7) ==
        row{"--batch", "4", "--seed", "7", "--step-size", "0.2"});
}

TEST_CASE("experiments: a row that several cells share has one name") {
  bench::experiment x;
  x.options = {"--workers", "4", "--batch", "4"};
  x.axes = {{"slowness", {{"none", {}}, {"slow", {"--straggler", "slow:1:4"}}}}};
  const auto cells = bench::cells_of(x);
  REQUIRE(cells.size() == 2);
  const bench::variant_of alone{"alone", {"--workers", "1", "--straggler", "none"}};
  CHECK(bench::row_of(cells[0], alone) == bench::row_of(cells[1], alone));
}

TEST_CASE("experiments: a step size is looked for until both sides of the best are worse") {
  using scores = std::vector<std::optional<double>>;
  const auto none = std::nullopt;
  CHECK(bench::next_trial(scores{none, none, none, none, none}, 2) == 2);
  CHECK(bench::next_trial(scores{none, none, 5, none, none}, 2) == 3);
  CHECK(bench::next_trial(scores{none, none, 5, 4, none}, 2) == 4);
  CHECK(bench::next_trial(scores{none, none, 5, 4, 3}, 2) == none);
  CHECK(bench::next_trial(scores{none, none, 5, 6, none}, 2) == 1);
  CHECK(bench::next_trial(scores{none, 4, 5, 6, none}, 2) == 0);
  CHECK(bench::next_trial(scores{none, 6, 5, 6, none}, 2) == none);
  CHECK(bench::next_trial(scores{none}, 0) == 0);
}

TEST_CASE("experiments: results are found again, also behind a line that was cut off") {
  const temporary_directory place;
  const auto file = place.path() / "results.jsonl";
  bench::experiment_results{file}.add("--seed 1", {{"duration_s", 3}});
  std::ofstream{file, std::ios::app} << R"({"run":"--seed 2","dura)";
  bench::experiment_results again{file};
  CHECK(again.find("--seed 2") == nullptr);
  again.add("--seed 3", {{"duration_s", 4}});
  const bench::experiment_results known{file};
  REQUIRE(known.find("--seed 1"));
  REQUIRE(known.find("--seed 3"));
  CHECK((*known.find("--seed 3"))["duration_s"] == 4);
}

TEST_CASE("experiments: a picture is of a figure that there is, and a line says what is wrong with it") {
  const temporary_directory place;
  const auto read = [&](const std::string& picture) {
    const auto file = place.path() / "x.ini";
    std::ofstream{file} << "policy = full: --policy full\nseeds = 1\npicture = " << picture
                        << "\naxis = graph; ring: --topology ring\n";
    return *bench::read_experiment(file).drawn;
  };
  const auto drawn = read("bars share; full | adaptive, rho 0.05");
  CHECK(drawn.drawn_as == bench::picture::style::bars);
  CHECK(drawn.of == bench::picture::what::share);
  CHECK(drawn.policies == std::vector<std::string>{"full", "adaptive, rho 0.05"});
  CHECK(read("lines time").policies.empty());
  for (const auto* wrong : {"", "lines", "dots time", "lines colour", "lines time more", "lines time; a; b"})
    CHECK_THROWS_WITH_AS(read(wrong), doctest::Contains(", line 3: a picture is lines or bars"),
                         std::runtime_error);
}

} // namespace dybw::test
