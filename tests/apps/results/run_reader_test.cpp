#include "apps/results/run_reader.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <fstream>

namespace dybw {

namespace {

using nlohmann::json;

/// A line of rounds.jsonl of a round of half a second, three quarters of which it computes.
std::string line_of(std::size_t worker, std::size_t round) {
  const json line{{"worker", worker},   {"round", round},  {"start_s", 0.5 * static_cast<double>(round - 1)},
                  {"compute_s", 0.375}, {"wait_s", 0.125}, {"committed", {{1, 0.5}}},
                  {"backup_workers", 0}};
  return line.dump() + '\n';
}

/// Figures of a run of two workers that was killed after 40 of its rounds, `known` when it was seen last.
json figures(const std::string& rounds, const json& known) {
  const temporary_directory place;
  std::filesystem::create_directories(place.path() / "full");
  std::ofstream(place.path() / "full" / "rounds.jsonl") << rounds;
  json run{{"policy", "full"}, {"state", "running"}, {"workers", 2}, {"rounds", 38}};
  run.update(known);
  std::ofstream(place.path() / "run.json")
      << json{{"state", "running"}, {"config", json::object()}, {"runs", json::array({run})}}.dump();
  return read_runs(place.path()).at(0).run;
}

const json seen_last{{"local_steps", 76}, {"duration_s", 19.0}};

void check_whole(const json& run) {
  CHECK(run["useful_gradient_rate"].get<double>() == doctest::Approx(4));
  CHECK(run["compute_share"].get<double>() == doctest::Approx(0.75));
  CHECK(run["no_wait_rate"].get<double>() == doctest::Approx(2 / 0.375));
}

} // namespace

TEST_CASE("run_reader: an unfinished run has the figures of its rounds") {
  std::string rounds;
  for (std::size_t round = 1; round <= 40; ++round)
    rounds += line_of(0, round) + line_of(1, round);
  const auto run = figures(rounds, seen_last);
  check_whole(run);
  CHECK(run["rounds"] == 40);
  CHECK(run["local_steps"] == 80);
  check_whole(figures(rounds, {{"local_steps", 0}, {"duration_s", 0.0}})); // not seen since it began
}

TEST_CASE("run_reader: rounds that were thinned out of the file of an unfinished run count all the same") {
  std::string rounds;
  for (std::size_t round = 4; round <= 40; round += 4)
    rounds += line_of(0, round) + line_of(1, round);
  const auto run = figures(rounds, seen_last);
  check_whole(run);
  CHECK(run["local_steps"] == 76);
}

TEST_CASE("run_reader: so do the workers of an unfinished run that live on other nodes") {
  std::string rounds;
  for (std::size_t round = 1; round <= 40; ++round)
    rounds += line_of(1, round);
  check_whole(figures(rounds, seen_last));
}

} // namespace dybw
