#include "actors/reporting/evals_file.hpp"
#include "actors/reporting/rounds_file.hpp"
#include "tests/support/file_lines.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <limits>

namespace dybw::test {

namespace {

round_report report_of(std::size_t worker, round_number round) {
  round_report r;
  r.mixed.worker = worker_at(worker);
  r.mixed.round = round;
  r.mixed.committed = {{worker_at(1 - worker), 0.5}};
  r.degree = 1;
  return r;
}

} // namespace

TEST_CASE("reporter: a line of evals.jsonl is JSON, with null for what is not there") {
  evaluation e;
  e.time_s = 0.1;
  e.local_steps = 7;
  e.test_loss = std::numeric_limits<double>::infinity();
  e.at_end = true;
  const auto json = nlohmann::json::parse(evaluation_line(e));
  CHECK(json["time_s"] == 0.1);
  CHECK(json["local_steps"] == 7);
  CHECK(json["test_loss"].is_null());
  CHECK(json["worst_worker_accuracy"].is_null());
  CHECK(json["at_end"] == true);
  CHECK(json.size() == 9);
}

TEST_CASE("rounds_file: beyond its size it keeps fewer rounds, of the whole run and evenly") {
  const temporary_directory place;
  const auto file = place.path() / "rounds.jsonl";
  constexpr std::uint64_t bytes_max = 20'000;
  rounds_file rounds{file, false, bytes_max};
  for (round_number round = 1; round <= 2000; ++round)
    for (const std::size_t worker : {0, 1})
      rounds.add(report_of(worker, round));
  REQUIRE(rounds.flush());
  CHECK(std::filesystem::file_size(file) <= bytes_max);
  std::vector<round_number> kept;
  for (const auto& line : lines_of(file))
    if (const auto x = nlohmann::json::parse(line); x["worker"] == 0)
      kept.push_back(x["round"]);
  REQUIRE(kept.size() > 10);
  const auto every = kept.front();
  CHECK(every >= 32);
  for (std::size_t i = 0; i < kept.size(); ++i)
    CHECK(kept[i] == every * (i + 1));
  CHECK(kept.back() > 2000 - every);
}

TEST_CASE(
    "rounds_file: what is thinned in several pieces keeps whole lines, and is written through no link") {
  const temporary_directory place;
  const auto file = place.path() / "rounds.jsonl";
  const auto elsewhere = place.path() / "elsewhere";
  std::ofstream{elsewhere} << "untouched\n";
  std::filesystem::create_symlink(elsewhere, file.string() + ".part");
  constexpr std::uint64_t bytes_max = 4'000'000;
  rounds_file rounds{file, false, bytes_max};
  auto longer_than_a_piece = report_of(0, 1);
  longer_than_a_piece.mixed.committed.resize(200'000, {worker_at(1), 0.5});
  longer_than_a_piece.degree = 200'000;
  rounds.add(longer_than_a_piece);
  longer_than_a_piece.mixed.round = 4096;
  rounds.add(longer_than_a_piece);
  for (round_number round = 1; round <= 8000; ++round)
    rounds.add(report_of(0, round));
  REQUIRE(rounds.flush());
  CHECK(std::filesystem::file_size(file) < bytes_max * 3 / 4); // it has been thinned
  CHECK(lines_of(elsewhere) == std::vector<std::string>{"untouched"});
  CHECK_FALSE(std::filesystem::exists(std::filesystem::symlink_status(file.string() + ".part")));
  std::vector<round_number> kept;
  for (const auto& line : lines_of(file))
    kept.push_back(nlohmann::json::parse(line)["round"]);
  REQUIRE(kept.size() > 2);
  CHECK(kept[0] == 4096);
  const auto every = kept[1];
  for (std::size_t i = 1; i < kept.size(); ++i)
    CHECK(kept[i] == every * i);
  CHECK(kept.back() == 8000);
}

TEST_CASE("line_file: beyond its size it ends with a whole line") {
  const temporary_directory place;
  const auto name = place.path() / "events.log";
  line_file file{name, false, 12};
  for (int i = 0; i < 4; ++i)
    file.add("hello\n");
  CHECK(file.flush());
  CHECK(lines_of(name).size() == 2);
  line_file further{name, true, 12}; // also when a run goes on
  further.add("hello\n");
  CHECK(further.flush());
  CHECK(lines_of(name).size() == 2);
}

} // namespace dybw::test
