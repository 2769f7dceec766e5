#include "tests/program/child_process.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

namespace dybw::test {

namespace {

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>{in}, {}};
}

std::string replace_first(std::string text, const std::string& what, const std::string& by) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

/// What of events.log is there if a run was killed right after its workers' second beginning.
std::string without_second_lives(const std::string& log) {
  std::map<std::string, int> lives;
  std::string kept;
  std::istringstream lines(log);
  for (std::string line, at, worker, word; std::getline(lines, line);) {
    std::istringstream(line) >> at >> worker >> word;
    if (word == "new")
      ++lives[worker];
    if (lives[worker] < 2 || word == "new")
      kept += line + '\n';
  }
  return kept;
}

} // namespace

TEST_CASE("dybw replay: a recorded run in real time does the same again, and so does a virtual one") {
  const temporary_directory place;
  const auto out = (place.path() / "real").string();
  const auto run = dybw({"run", "--policy", "full,static:1,dtur,hop:1:3,barrier,adpsgd,adaptive", "--record",
                         "--out", out, "--rounds", "40", "--workers", "6", "--topology", "circulant:1,2",
                         "--straggler", "slow:1:3", "--step-time", "exp:0.002", "--quiet"});
  CAPTURE(run.err);
  REQUIRE(run.code == 0);
  const auto again = dybw({"replay", out});
  CAPTURE(again.err);
  CAPTURE(again.out);
  CHECK(again.code == 0);
  std::istringstream lines(again.out);
  std::size_t same = 0;
  for (std::string line; std::getline(lines, line);)
    same +=
        line.find(": 6 workers, ") != std::string::npos && line.ends_with(" rounds: the same again") ? 1 : 0;
  CHECK(same == 7);

  const auto virtually = (place.path() / "virtual").string();
  REQUIRE(dybw({"run", "--clock", "virtual", "--step-time", "exp:1", "--policy", "dtur", "--rounds", "30",
                "--record", "--out", virtually, "--quiet"})
              .code == 0);
  CHECK(dybw({"replay", virtually}).code == 0);
}

TEST_CASE("dybw replay: goes on over a run that went on from checkpoints") {
  const temporary_directory place;
  const auto out = (place.path() / "r").string();
  REQUIRE(dybw({"run", "--policy", "dtur", "--workers", "4", "--rounds", "60", "--record", "--out", out,
                "--checkpoint-every", "0.05", "--step-time", "const:0.002", "--quiet"})
              .code == 0);
  REQUIRE(dybw({"run", "--resume", out, "--rounds", "90", "--record", "--quiet"}).code == 0);
  const auto again = dybw({"replay", out});
  CAPTURE(again.err);
  CHECK(again.code == 0);
  CHECK(content_of(std::filesystem::path{out} / "dtur" / "events.log").find(" new 60 90 |") !=
        std::string::npos);
}

TEST_CASE("dybw replay: a run that was killed and goes on stays recorded, rounds done again and all") {
  const temporary_directory place;
  const auto out = place.path() / "r";
  {
    child_process run{dybw_command({"run", "--policy", "dtur", "--workers", "4", "--time-limit", "60",
                                    "--record", "--out", out.string(), "--checkpoint-every", "0.5",
                                    "--step-time", "exp:0.002", "--straggler", "slow:1:3", "--quiet"})};
    const auto saved = out / "dtur" / "checkpoints" / "worker-0.ckpt";
    for (int i = 0; i < 2000 && !std::filesystem::exists(saved); ++i)
      REQUIRE(run.go_on(std::chrono::milliseconds{10}));
    run.go_on(std::chrono::milliseconds{2300}); // events are written every second
    run.send(SIGKILL);
    run.wait();
  }
  std::ofstream(out / "dtur" / "events.log", std::ios::app) << "123 0 from 1 est"; // as the kill may leave it
  REQUIRE(dybw({"run", "--resume", out.string(), "--time-limit", "2", "--quiet"}).code ==
          0); // without --record
  const auto log = content_of(out / "dtur" / "events.log");
  CHECK(log.find("0 0 new 0 |") != std::string::npos);
  CHECK(log.find(" estimate") != std::string::npos);
  std::size_t lives = 0;
  for (auto at = log.find(" 0 new "); at != std::string::npos; at = log.find(" 0 new ", at + 1))
    ++lives;
  CHECK(lives == 2);
  const auto again = dybw({"replay", out.string()});
  CAPTURE(again.err);
  CAPTURE(again.out);
  CHECK(again.code == 0);

  // Killed again before its events were written, it has rounds that the first life did otherwise.
  std::ofstream(out / "dtur" / "events.log") << without_second_lives(log);
  const auto cut = dybw({"replay", out.string()});
  CAPTURE(cut.out);
  CHECK(cut.code == 0);
}

TEST_CASE("dybw replay: what is otherwise is shown, and what is no record refused in one line") {
  const temporary_directory place;
  const auto out = (place.path() / "r").string();
  REQUIRE(dybw({"run", "--clock", "virtual", "--step-time", "exp:1", "--policy", "full", "--workers", "3",
                "--rounds", "20", "--record", "--out", out, "--quiet"})
              .code == 0);
  const auto log = std::filesystem::path{out} / "full" / "events.log";
  const auto rounds = std::filesystem::path{out} / "full" / "rounds.jsonl";
  const auto was = content_of(log);
  std::ofstream(log) << replace_first(was, "send 1 accept 3", "send 1 accept 4");
  const auto other = dybw({"replay", out});
  CHECK(other.code == 1);
  CHECK(other.out.find(" does otherwise, line ") != std::string::npos);
  CHECK(other.out.find("  recorded: ") != std::string::npos);
  CHECK(other.out.find("send 1 accept 4") != std::string::npos);

  std::ofstream(log) << was;
  const auto rounds_were = content_of(rounds);
  std::ofstream(rounds) << replace_first(rounds_were, R"("committed":[[1,)", R"("committed":[[2,)");
  const auto told = dybw({"replay", out});
  CHECK(told.code == 1);
  CHECK(told.out.find("than rounds.jsonl says") != std::string::npos);
  std::ofstream(rounds) << rounds_were;

  std::ofstream(log) << was.substr(0, was.size() / 2); // cut short: the half line does not count
  CHECK(dybw({"replay", out}).code == 0);
  std::ofstream(log) << was << "garbage\n";
  const auto bad = dybw({"replay", out});
  CHECK(bad.code == 3);
  CHECK(bad.err.find("is no event; name a run as dybw run --record wrote it") != std::string::npos);
  std::filesystem::remove(log);
  CHECK(dybw({"replay", out}).code == 3);
  CHECK(dybw({"replay", place.path().string()}).code == 3);
  CHECK(dybw({"replay"}).code == 2);

  for (const auto& options :
       {std::vector<std::string>{"run", "--record", "--rounds", "1", "--policy", "full"},
        {"run", "--record", "--rounds", "1", "--exchange", "off", "--out", out + "2"},
        {"run", "--record", "--nodes", "127.0.0.1:1", "--rounds", "1", "--out", out + "2"}}) {
    const auto refused = dybw(options);
    CHECK(refused.code == 2);
    CHECK(refused.err.find("dybw: error: --record ") == 0);
  }
}

} // namespace dybw::test
