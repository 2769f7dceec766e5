#include "apps/options/run_options.hpp"
#include "bench/experiments/experiment.hpp"
#include "learning/base/error.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

namespace dybw::test {

TEST_CASE("experiments: every file of config/experiments/ describes runs that dybw run takes") {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator{DYBW_SOURCE_DIR "/config/experiments"}) {
    CAPTURE(entry.path().string());
    ++files;
    const auto x = bench::read_experiment(entry.path());
    CHECK_FALSE(x.title.empty());
    const auto cells = bench::cells_of(x, 1);
    std::size_t combinations = 1;
    for (const auto& a : x.axes)
      combinations *= a.variants.size();
    CHECK(cells.size() == combinations);
    for (const auto& policy : x.policies) {
      CAPTURE(policy.name);
      std::size_t possible = 0;
      for (const auto& c : cells)
        try {
          const auto config = read_run_options(bench::options_of(c, policy), "").config;
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

TEST_CASE("experiments: 1/N is filled in") {
  const auto x = bench::read_experiment(DYBW_SOURCE_DIR "/config/experiments/grid.ini");
  const auto cells = bench::cells_of(x, x.seeds.size());
  CHECK(cells.size() == 48 * x.seeds.size());
  const auto is_random_of_six = [](const bench::cell& c) {
    const auto has = [&](const std::string& text) { return std::ranges::count(c.options, text) > 0; };
    return has("random:{1/N}:6") && has("6");
  };
  const auto found = std::ranges::find_if(cells, is_random_of_six);
  REQUIRE(found != cells.end());
  CHECK(std::ranges::count(bench::options_of(*found, x.policies.front()), "random:0.166667:6") == 1);
}

} // namespace dybw::test
