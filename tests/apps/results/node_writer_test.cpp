#include "apps/results/node_writer.hpp"
#include "apps/results/run_directory.hpp"
#include "learning/base/error.hpp"
#include "tests/apps/results/sample_result.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <iterator>
#include <map>
#include <optional>

#include <sys/prctl.h>
#include <unistd.h>

namespace dybw {

namespace {

namespace fs = std::filesystem;

run_spec spec_of(const std::string& name) {
  run_spec spec;
  spec.name = name;
  spec.config.policies = {"static:1"};
  return spec;
}

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string refusal_of(const node_writer& files, const run_spec& spec, run_start how = run_start::afresh) {
  try {
    files.open(spec, how);
  } catch (const input_error& error) {
    CHECK(error.exit_code() == 2);
    return error.what();
  }
  return "";
}

/// Root may read and write whatever the permissions say: as long as this lives, the test is somebody else.
class unprivileged {
public:
  unprivileged() : was_(geteuid()) { is_so_ = was_ != 0 || seteuid(nobody) == 0; }
  ~unprivileged() {
    if (was_ == 0 && is_so_)
      CHECK(seteuid(was_) == 0);
    prctl(PR_SET_DUMPABLE, 1); // which the change took away, and who looks for leaks needs
  }
  explicit operator bool() const noexcept { return is_so_; }
  unprivileged(const unprivileged&) = delete;
  unprivileged& operator=(const unprivileged&) = delete;

private:
  static constexpr uid_t nobody = 65534;
  uid_t was_;
  bool is_so_ = false;
};

finished_run sample_run() {
  finished_run run;
  run.result = sample_result("static:1");
  auto buffer = std::make_shared<float_buffer>(3);
  std::fill(buffer->values().begin(), buffer->values().end(), 1.5F);
  run.average = parameter_block{std::move(buffer)};
  return run;
}

} // namespace

TEST_CASE("node_writer: the run opened last is found again, and what is no such file is none") {
  const temporary_directory place;
  CHECK_FALSE(read_last_run(place.path()));
  const auto files = make_node_writer(place.path());
  auto spec = spec_of("first");
  spec.run = 0xfedcba9876543210U;
  spec.nodes = {{"a.example", 7400}, {"::1", 7401}};
  files.open(spec, run_start::afresh);
  const auto found = read_last_run(place.path());
  REQUIRE(found);
  CHECK(found->run == spec.run);
  CHECK(found->name == "first");
  CHECK(found->nodes == spec.nodes);
  spec.run = 1;
  files.open(spec, run_start::joined);
  CHECK(read_last_run(place.path())->run == 1);
  for (const auto* text :
       {"", "[]", R"({"run": "xyz", "name": "a", "nodes": []})", R"({"run": "", "name": "a", "nodes": []})",
        R"({"run": "1", "name": "../a", "nodes": []})", R"({"run": "1", "name": "a", "nodes": ["b"]})"}) {
    std::ofstream(place.path() / "last-run.json") << text;
    CHECK_FALSE(read_last_run(place.path()));
  }
}

TEST_CASE("node_writer: a run gets a directory of its own below --out, with the files of a run on one host") {
  const temporary_directory place;
  const auto files = make_node_writer(place.path() / "out");
  const auto spec = spec_of("20260131-1");
  const auto where = files.open(spec, run_start::afresh);
  const auto root = place.path() / "out" / "20260131-1";
  CHECK(where.rounds_file == root / "static-1" / "rounds.jsonl");
  CHECK(where.checkpoints == root / "static-1" / "checkpoints");
  CHECK(where.resume.empty());
  files.write(spec, sample_run());
  CHECK(content(root / "run.json").find("\"policy\": \"static:1\"") != std::string::npos);
  CHECK(content(root / "report.html").find("<html") != std::string::npos);
  CHECK(content(root / "static-1" / "evals.jsonl").find("\"time_s\":0.5") != std::string::npos);
  CHECK(fs::file_size(root / "static-1" / "model.npy") == 128 + 3 * 4);
}

TEST_CASE("node_writer: a run never overwrites another, also not one that another node has just begun") {
  const temporary_directory place;
  const auto files = make_node_writer(place.path());
  const auto spec = spec_of("a");
  files.open(spec, run_start::afresh);
  CHECK(refusal_of(files, spec).find("holds another run") != std::string::npos);
  CHECK(refusal_of(make_node_writer(place.path()), spec).find("holds another run") != std::string::npos);
  CHECK(refusal_of(files, spec_of("b")).empty());
}

TEST_CASE("node_writer: as long as a run goes on its directory is replaced by none, and is not old") {
  const temporary_directory place;
  const auto files = make_node_writer(place.path());
  const auto spec = spec_of("a");
  std::optional where = files.open(spec, run_start::afresh);
  const auto replace = [&] { run_directory{place.path() / "a", spec.config.policies, true}; };
  CHECK_THROWS_AS(replace(), input_error);
  forget_oldest_runs(place.path(), 0, {});
  CHECK(fs::exists(where->rounds_file));
  const auto file = where->rounds_file;
  where.reset();
  where = files.open(spec, run_start::joined);
  CHECK_THROWS_AS(replace(), input_error);
  where.reset();
  forget_oldest_runs(place.path(), 0, {});
  CHECK_FALSE(fs::exists(file));
}

TEST_CASE("node_writer: who joins a run finds the files of the process before it") {
  const temporary_directory place;
  const auto files = make_node_writer(place.path());
  const auto spec = spec_of("a");
  const auto before = files.open(spec, run_start::afresh);
  std::ofstream(before.rounds_file) << "two\nlines\n";
  CHECK(files.open(spec, run_start::joined).rounds_file == before.rounds_file);
  CHECK(content(before.rounds_file) == "two\nlines\n");
  CHECK(refusal_of(files, spec_of("elsewhere"), run_start::joined).empty());
}

TEST_CASE("node_writer: the line that a killed process was writing is dropped before others follow it") {
  const temporary_directory place;
  const auto files = make_node_writer(place.path());
  const auto spec = spec_of("a");
  const auto file = files.open(spec, run_start::afresh).rounds_file;
  for (const auto& [left, stays] : std::map<std::string, std::string>{
           {"", ""}, {"{\"wor", ""}, {"one\n", "one\n"}, {"one\ntwo\nth", "one\ntwo\n"}}) {
    CAPTURE(left);
    std::ofstream(file, std::ios::binary) << left;
    files.open(spec, run_start::joined);
    CHECK(content(file) == stays);
  }
}

TEST_CASE("node_writer: .. and so is that of the evaluations, which the leading node was writing") {
  const temporary_directory place;
  const auto files = make_node_writer(place.path());
  const auto spec = spec_of("a");
  const auto file = files.open(spec, run_start::afresh).evals_file;
  std::ofstream(file, std::ios::binary) << "one\ntw";
  files.open(spec, run_start::joined);
  CHECK(content(file) == "one\n");
}

TEST_CASE("node_writer: a name that leads out of --out is refused") {
  const temporary_directory place;
  const auto files = make_node_writer(place.path());
  for (const std::string name : {"", "..", ".hidden", "a/b", "/etc", "a\\b", "a b", "a\nb"}) {
    CAPTURE(name);
    CHECK(refusal_of(files, spec_of(name)).find("is not the name of a directory below --out") !=
          std::string::npos);
    auto resuming = spec_of("a");
    resuming.resume = name;
    if (!name.empty())
      CHECK(refusal_of(files, resuming, run_start::resumed).find("below --out") != std::string::npos);
  }
  CHECK(refusal_of(files, spec_of(std::string(201, 'x'))).find("below --out") != std::string::npos);
}

TEST_CASE("node_writer: a run goes on from the checkpoints of an earlier one") {
  const temporary_directory place;
  const auto files = make_node_writer(place.path());
  auto spec = spec_of("second");
  spec.resume = "first";
  CHECK(refusal_of(files, spec, run_start::resumed).find("there are no checkpoints of first") !=
        std::string::npos);
  spec.name = "third";
  fs::create_directories(place.path() / "first" / "static-1" / "checkpoints");
  CHECK(files.open(spec, run_start::resumed).resume == place.path() / "first" / "static-1" / "checkpoints");
}

TEST_CASE("node_writer: who joins a run that goes on from checkpoints needs none") {
  const temporary_directory place;
  auto spec = spec_of("second");
  spec.resume = "first";
  CHECK(make_node_writer(place.path()).open(spec, run_start::joined).resume.empty());
  CHECK(make_node_writer(std::nullopt).open(spec, run_start::joined).resume.empty());
  fs::create_directories(place.path() / "first" / "static-1" / "checkpoints");
  CHECK(make_node_writer(place.path()).open(spec, run_start::joined).resume.empty());
}

TEST_CASE("node_writer: without --out nothing is written, and nothing can be resumed") {
  const auto files = make_node_writer(std::nullopt);
  auto spec = spec_of("a");
  CHECK(files.open(spec, run_start::afresh).rounds_file.empty());
  files.write(spec, sample_run());
  spec.resume = "b";
  CHECK(refusal_of(files, spec, run_start::resumed).find("--out is not given") != std::string::npos);
}

TEST_CASE("node_writer: a run that did not begin leaves nothing behind, and its name can be used again") {
  const temporary_directory place;
  const auto files = make_node_writer(place.path());
  auto spec = spec_of("a");
  spec.options = {"workers = 2"};
  files.discard(files.open(spec, run_start::afresh));
  CHECK_FALSE(fs::exists(place.path() / "a"));
  files.open(spec, run_start::afresh);
  CHECK(files.open(spec, run_start::joined).made.empty()); // what is there is another process's
}

TEST_CASE("node_writer: the options of a run are kept for who goes on with it") {
  const temporary_directory place;
  const auto files = make_node_writer(place.path());
  auto spec = spec_of("a");
  spec.options = {"# of a run", "workers = 2"};
  files.open(spec, run_start::afresh);
  CHECK(files.saved_options("a") == spec.options);
  CHECK_THROWS_WITH_AS(files.saved_options("b"), doctest::Contains("--checkpoint-every"), input_error);
  CHECK_THROWS_AS(files.saved_options("../a"), input_error);
}

TEST_CASE("node_writer: while a run lasts its run.json says that it runs, and how far it is") {
  const temporary_directory place;
  const auto files = make_node_writer(place.path());
  const auto spec = spec_of("a");
  files.open(spec, run_start::afresh);
  run_progress now;
  now.newest_round = 17;
  files.renew(spec, now);
  const auto document = nlohmann::json::parse(content(place.path() / "a" / "run.json"));
  CHECK(document["state"] == "running");
  CHECK(document["runs"][0]["rounds"] == 17);
  files.write(spec, sample_run());
  CHECK(nlohmann::json::parse(content(place.path() / "a" / "run.json"))["state"] == "done");
}

TEST_CASE("node_writer: told to keep some runs, the oldest go when another begins, and nothing of others") {
  const temporary_directory place;
  const auto all = make_node_writer(place.path());
  const auto now = fs::file_time_type::clock::now();
  for (const auto& [name, age_h] : std::map<std::string, int>{{"a", 1}, {"b", 4}, {"c", 3}, {"d", 2}})
    fs::last_write_time(all.open(spec_of(name), run_start::afresh).rounds_file,
                        now - std::chrono::hours{age_h});
  std::ofstream(place.path() / "c" / "notes.txt") << "mine";
  fs::create_directories(place.path() / "else");
  auto spec = spec_of("e");
  spec.resume = "b";
  fs::create_directories(place.path() / "b" / "static-1" / "checkpoints");
  make_node_writer(place.path(), 3).open(spec, run_start::resumed);
  for (const std::string name : {"a", "b", "d", "e", "else"}) // b is the oldest, but needed
    CHECK(fs::exists(place.path() / name));
  CHECK_FALSE(fs::exists(place.path() / "c" / "static-1"));
  CHECK(fs::exists(place.path() / "c" / "notes.txt"));
}

TEST_CASE("node_writer: what cannot be read or removed refuses no run, and the other old ones go") {
  const temporary_directory place;
  fs::permissions(place.path(), fs::perms::all); // for who gives up being root, too
  const unprivileged user;
  const auto out = place.path() / "out";
  if (std::error_code refused; !user || !fs::create_directory(out, refused)) {
    MESSAGE("skipped: there is nobody whom permissions hold back");
    return;
  }
  const auto all = make_node_writer(out);
  for (const auto* name : {"a", "b", "c"})
    fs::last_write_time(all.open(spec_of(name), run_start::afresh).rounds_file,
                        fs::file_time_type::clock::now() - std::chrono::hours{1});
  fs::permissions(out / "a", fs::perms::none);
  fs::permissions(out / "b" / "static-1", fs::perms::owner_read | fs::perms::owner_exec);
  CHECK(refusal_of(make_node_writer(out, 1), spec_of("d")).empty());
  CHECK(fs::exists(out / "a"));
  CHECK(fs::exists(out / "b" / "static-1" / "rounds.jsonl"));
  CHECK_FALSE(fs::exists(out / "c"));
  CHECK(fs::exists(out / "d"));
  for (const auto& locked : {out / "a", out / "b" / "static-1"})
    fs::permissions(locked, fs::perms::owner_all);
}

} // namespace dybw
