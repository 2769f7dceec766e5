#include "apps/results/run_directory.hpp"
#include "learning/base/error.hpp"
#include "tests/support/full_disk.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <map>

#include <unistd.h>

namespace dybw {

namespace {

namespace fs = std::filesystem;

const std::vector<std::string> policies = {"full", "static:1"};

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const fs::path& file, const std::string& text) {
  std::ofstream(file) << text;
}

/// The message with which a directory is refused; empty if it is not.
std::string refusal(const fs::path& directory, bool force = false) {
  try {
    run_directory{directory, policies, force};
  } catch (const input_error& error) {
    CHECK(error.exit_code() == 2);
    return error.what();
  }
  return "";
}

} // namespace

TEST_CASE("run_directory: parents and policies' directories are created, ':' becoming '-'") {
  const temporary_directory place;
  const run_directory directory{place.path() / "a" / "b", policies, false};
  CHECK(fs::is_directory(place.path() / "a" / "b" / "full"));
  CHECK(directory.rounds_file("static:1") == place.path() / "a" / "b" / "static-1" / "rounds.jsonl");
}

TEST_CASE("run_directory: each result is written where its name says") {
  const temporary_directory place;
  const run_directory directory{place.path(), policies, false};
  directory.write_run({{"dybw", "0"}});
  directory.write_report("<html>");
  directory.complete_evals("full", std::vector<std::string>{R"({"time_s":1})", R"({"time_s":2})"});
  directory.write_model("full", std::vector<float>{1, 2}, {{"a", {1}, 0}, {"b", {1}, 1}});
  CHECK(content(place.path() / "run.json") == "{\n  \"dybw\": \"0\"\n}\n");
  CHECK(content(place.path() / "report.html") == "<html>");
  CHECK(content(place.path() / "full" / "evals.jsonl") == "{\"time_s\":1}\n{\"time_s\":2}\n");
  CHECK(content(place.path() / "full" / "model.npy").size() == 128 + 2 * 4);
  CHECK(content(place.path() / "full" / "model.npy").substr(128) == std::string("\0\0\x80\x3f\0\0\0\x40", 8));
  CHECK(nlohmann::json::parse(content(place.path() / "full" / "model.json")).dump() ==
        R"({"arrays":[{"name":"a","offset":0,"shape":[1]},{"name":"b","offset":1,"shape":[1]}],)"
        R"("dtype":"<f4","file":"model.npy"})");
  CHECK(content(place.path() / "full" / "model.npz").starts_with("PK\x03\x04"));
  CHECK(std::distance(fs::directory_iterator{place.path()}, {}) == 4); // nothing unfinished is left
}

TEST_CASE("run_directory: arrays that lie outside of the parameters are in no archive") {
  const temporary_directory place;
  const run_directory directory{place.path(), policies, false};
  directory.write_model("full", std::vector<float>{1, 2}, {{"a", {2}, 1}});
  CHECK(fs::exists(place.path() / "full" / "model.npy"));
  CHECK_FALSE(fs::exists(place.path() / "full" / "model.npz"));
}

TEST_CASE("run_directory: another run is not overwritten unless told to") {
  for (const std::string file : {"run.json", "report.html", "dtur/rounds.jsonl", "full/model.npy",
                                 "full/model.npz", "full/model.json"}) {
    const temporary_directory place;
    fs::create_directories((place.path() / file).parent_path());
    write(place.path() / file, "old");
    INFO(file);
    CHECK(refusal(place.path()).find("holds another run") != std::string::npos);
    CHECK(content(place.path() / file) == "old");
    CHECK(refusal(place.path(), true).empty());
    CHECK_FALSE(fs::exists(place.path() / file));
  }
}

TEST_CASE("run_directory: a directory is one run's while it is written, and free when that is over") {
  const temporary_directory place;
  const auto out = place.path() / "out";
  {
    const run_directory first{out, policies, false};
    CHECK(refusal(out).find("is written by another run") != std::string::npos);
    CHECK(refusal(out, true).find("is written by another run") != std::string::npos);
    CHECK_THROWS_AS(run_directory::resume(out, policies), input_error);
    run_directory::reopen(out, policies); // of the same run
  }
  CHECK(refusal(out).empty());
  run_directory::resume(out, policies);
}

TEST_CASE("run_directory: runs that begin at one moment get a directory each") {
  const temporary_directory place;
  const auto name = place.path() / "runs" / "20260131-142500-1";
  const auto first = run_directory::create_new(name, policies);
  const auto second = run_directory::create_new(name, policies);
  const auto third = run_directory::create_new(name, policies);
  CHECK(first.path() == name);
  CHECK(second.path() == name.string() + "-2");
  CHECK(third.path() == name.string() + "-3");
}

TEST_CASE("run_directory: force removes what a run writes and nothing else") {
  const temporary_directory place;
  const auto old = place.path() / "dtur";
  fs::create_directories(old);
  fs::create_directories(place.path() / "mine");
  write(place.path() / "run.json", "{}");
  write(old / "rounds.jsonl", "");
  write(old / "notes.txt", "kept");
  write(place.path() / "mine" / "model.npy", "kept");
  fs::create_directory_symlink(place.path() / "mine", place.path() / "full");
  CHECK(refusal(place.path(), true).empty());
  CHECK_FALSE(fs::exists(place.path() / "run.json"));
  CHECK_FALSE(fs::exists(old / "rounds.jsonl"));
  CHECK(content(old / "notes.txt") == "kept");
  CHECK(content(place.path() / "mine" / "model.npy") == "kept");
  CHECK(fs::is_symlink(place.path() / "full"));
}

TEST_CASE("run_directory: what a killed process left unfinished is of a run, too") {
  for (const std::string file : {"run.json.part", "full/model.npy.part", "full/evals.jsonl.part",
                                 "full/checkpoints/worker-1.ckpt.part"}) {
    const temporary_directory place;
    fs::create_directories((place.path() / file).parent_path());
    write(place.path() / file, "half");
    write(place.path() / "notes.part", "kept");
    INFO(file);
    CHECK(refusal(place.path()).find("holds another run") != std::string::npos);
    CHECK(refusal(place.path(), true).empty());
    CHECK_FALSE(fs::exists(place.path() / file));
    CHECK(content(place.path() / "notes.part") == "kept");
  }
}

TEST_CASE("run_directory: rounds that are to be done again are dropped, and a line that was cut short") {
  const temporary_directory place;
  const run_directory directory{place.path(), policies, false};
  const std::string kept = "{\"worker\":0,\"round\":1}\n{\"worker\":1,\"round\":2}\n";
  write(directory.rounds_file("full"),
        kept + "{\"worker\":0,\"round\":2}\n{\"worker\":7,\"round\":1}\n{\"worker\":1,\"round\":1");
  directory.trim_rounds("full", {{worker_at(0), 1}, {worker_at(1), 2}});
  CHECK(content(directory.rounds_file("full")) == kept);
}

TEST_CASE("run_directory: other files do not stand in the way") {
  const temporary_directory place;
  write(place.path() / "notes.txt", "kept");
  CHECK(refusal(place.path()).empty());
}

TEST_CASE("run_directory: a place that cannot be written to is refused before anything starts") {
  const temporary_directory place;
  write(place.path() / "file", "");
  CHECK(refusal(place.path() / "file").find("is no directory") != std::string::npos);
  CHECK(refusal(place.path() / "file" / "below").find("cannot be written") != std::string::npos);
  CHECK(refusal("/proc/dybw").find("cannot be written") != std::string::npos);
  if (geteuid() == 0) {
    MESSAGE("skipped for root, who may write everywhere: a directory without write permission");
    return;
  }
  const auto locked = place.path() / "locked";
  fs::create_directory(locked);
  fs::permissions(locked, fs::perms::owner_read | fs::perms::owner_exec);
  CHECK(refusal(locked).find("cannot be written") != std::string::npos);
}

TEST_CASE("run_directory: a write that fails says so and leaves the old file") {
  const temporary_directory place;
  const run_directory directory{place.path(), policies, false};
  fs::remove_all(place.path() / "full");
  CHECK_THROWS_AS(directory.write_model("full", std::vector<float>{1}, {}), std::system_error);
  directory.write_report("first");
  {
    const test::full_disk disk{3};
    CHECK_THROWS_AS(directory.write_report("second"), std::system_error);
  }
  CHECK(content(place.path() / "report.html") == "first");
}

TEST_CASE("run_directory: one that is opened again keeps its files and gets what is missing") {
  const temporary_directory place;
  const auto path = place.path() / "run";
  const run_directory first{path, std::vector<std::string>{"full"}, false};
  write(first.rounds_file("full"), "old");
  first.write_run({{"dybw", "0"}});
  const auto again = run_directory::reopen(path, policies);
  CHECK(content(again.rounds_file("full")) == "old");
  CHECK(fs::exists(again.run_file()));
  CHECK(fs::is_directory(path / "static-1"));
  CHECK(again.checkpoints("static:1") == path / "static-1" / "checkpoints");
  write(place.path() / "file", "");
  CHECK_THROWS_AS(run_directory::reopen(place.path() / "file", policies), input_error);
}

TEST_CASE("run_directory: the end adds the evaluations that are not in their file yet") {
  const temporary_directory place;
  const run_directory directory{place.path(), policies, false};
  const auto file = directory.evals_file("full");
  const std::vector<std::string> lines{"{1}", "{2}", "{3}"};
  for (const auto& [there, then] : std::map<std::string, std::string>{
           {"", "{1}\n{2}\n{3}\n"},
           {"{1}\n{2}\n", "{1}\n{2}\n{3}\n"},
           {"{1}\n{2}\n{3", "{1}\n{2}\n{3}\n"},              // killed, or the disk was full
           {"{1}\n{1.5}\n{3}\n", "{1}\n{1.5}\n{3}\n"},       // in memory they are thinned
           {"{earlier}\n", "{earlier}\n{1}\n{2}\n{3}\n"}}) { // of the part before
    CAPTURE(there);
    write(file, there);
    directory.complete_evals("full", lines);
    CHECK(content(file) == then);
  }
}

TEST_CASE("run_directory: a run that goes on drops the evaluations that are to be made again") {
  const temporary_directory place;
  const run_directory directory{place.path(), policies, false};
  const auto file = directory.evals_file("full");
  const std::string first = R"({"time_s":1,"at_end":false})"
                            "\n";
  const std::string second = R"({"time_s":2,"at_end":false})"
                             "\n";
  const std::string end = R"({"time_s":2.5,"at_end":true})"
                          "\n";
  for (const auto& [there, then] :
       std::map<std::string, std::string>{{first + second, first},
                                          {first + second + R"({"time_s)", first},
                                          {first + second + end, first + second + end},
                                          {second + first + second, second + first + second}}) {
    CAPTURE(there);
    write(file, there);
    directory.trim_evals("full", 1.5);
    CHECK(content(file) == then);
  }
}

TEST_CASE("run_directory: what was made for a run that does not begin goes, and nothing else") {
  const temporary_directory place;
  const auto out = place.path() / "out";
  {
    const run_directory directory{out, policies, false};
    directory.write_run({{"state", "running"}});
    write(directory.rounds_file("full"), "");
    directory.discard(policies);
  }
  CHECK_FALSE(fs::exists(out));
  fs::create_directories(out);
  write(out / "notes.txt", "mine");
  const run_directory directory{out, policies, false};
  write(directory.rounds_file("full"), "");
  directory.discard(policies);
  CHECK(std::distance(fs::directory_iterator{out}, {}) == 1);
  CHECK(content(out / "notes.txt") == "mine");
}

TEST_CASE("run_directory: of a run that does not begin stays what its trainers said, until old runs go") {
  const temporary_directory place;
  const auto out = place.path() / "out";
  { const run_directory claimed{out, policies, false}; }
  const auto directory = run_directory::at(out);
  fs::create_directories(directory.trainers());
  write(directory.trainers() / "worker-0.out", "");
  write(directory.trainers() / "worker-0.err", "ValueError: no such file");
  directory.discard(policies);
  CHECK_FALSE(fs::exists(directory.trainers() / "worker-0.out"));
  CHECK(content(directory.trainers() / "worker-0.err") == "ValueError: no such file");
  CHECK_FALSE(fs::exists(out / "full"));
  write(directory.trainers() / "notes.txt", "mine");
  forget_oldest_runs(place.path(), 0, {});
  CHECK_FALSE(fs::exists(directory.trainers() / "worker-0.err"));
  CHECK(content(directory.trainers() / "notes.txt") == "mine");
}

TEST_CASE("run_directory: only what a run has surely written is an old run") {
  const temporary_directory place;
  const auto make = [&](const fs::path& file, const std::string& text) {
    fs::create_directories((place.path() / file).parent_path());
    write(place.path() / file, text);
  };
  const std::vector<fs::path> others = {"game/config.ini", "tests/report.html", "athlete/run.json",
                                        "list/run.json", "papers/full/model.npy"};
  make(others[0], "");
  make(others[1], "");
  make(others[2], R"({"pace": 4.5})");
  make(others[3], R"(["dybw"])");
  make(others[4], "");
  make("first/run.json", R"({"dybw": "1.0"})");
  make("second/dtur/rounds.jsonl", "");
  make("second/config.ini", "");
  forget_oldest_runs(place.path(), 0, {});
  for (const auto& file : others) {
    CAPTURE(file);
    CHECK(fs::exists(place.path() / file));
  }
  CHECK_FALSE(fs::exists(place.path() / "first"));
  CHECK_FALSE(fs::exists(place.path() / "second"));
}

TEST_CASE("run_directory: a run that was killed is called so") {
  const temporary_directory place;
  write(place.path() / "run.json", R"({"state":"running"})");
  CHECK(refusal(place.path()).find("has not come to its end") != std::string::npos);
  CHECK(refusal(place.path(), true).empty());
}

} // namespace dybw
