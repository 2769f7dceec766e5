#include "apps/commands/run_output.hpp"
#include "tests/apps/results/sample_result.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <fstream>

namespace dybw {

namespace {

run_options options_for(const temporary_directory& place, std::vector<std::string> policies) {
  run_options options;
  options.config.policies = std::move(policies);
  options.output.directory = place.path() / "out";
  options.output.quiet = true;
  return options;
}

finished_run sample_run(const std::string& policy) {
  finished_run run;
  run.result = sample_result(policy);
  return run;
}

nlohmann::json document_in(const run_options& options) {
  std::ifstream in(*options.output.directory / "run.json");
  return nlohmann::json::parse(in);
}

} // namespace

TEST_CASE("run_output: a policy that does not begin leaves those before it as finished") {
  const temporary_directory place;
  const auto options = options_for(place, {"full", "dtur"});
  run_output output{options};
  output.watch("full");
  std::ofstream(output.rounds_file("full")) << "a round\n";
  output.add(sample_run("full"));
  output.watch("dtur");
  CHECK(document_in(options)["state"] == "running");
  SUBCASE("it has no round") {
    std::ofstream(output.rounds_file("dtur")).flush();
    output.discard();
    const auto document = document_in(options);
    CHECK(document["state"] == "done");
    REQUIRE(document["runs"].size() == 1);
    CHECK(document["runs"][0]["policy"] == "full");
    CHECK(std::filesystem::exists(output.rounds_file("full")));
  }
  SUBCASE("it had begun: its rounds are to be found") {
    std::ofstream(output.rounds_file("dtur")) << "a round\n";
    output.discard();
    CHECK(document_in(options)["runs"].size() == 2);
  }
}

TEST_CASE("run_output: two runs do not write one trace") {
  const temporary_directory place;
  auto options = options_for(place, {"full", "dtur"});
  options.output.directory.reset();
  options.output.trace = place.path() / "trace.json";
  for (const auto was_there : {false, true}) {
    CAPTURE(was_there);
    run_output first{options};
    auto written = first.trace("full");
    written = first.trace("dtur"); // the same run's next policy
    const auto size = std::filesystem::file_size(*options.output.trace);
    run_output second{options};
    try {
      second.trace("full");
      FAIL("it was accepted");
    } catch (const input_error& e) {
      CHECK(std::string{e.what()}.find("is written by another run") != std::string::npos);
    }
    CHECK(std::filesystem::file_size(*options.output.trace) == size);
  }
}

TEST_CASE("run_output: a run that goes on keeps the results of its first part until it has begun") {
  const temporary_directory place;
  auto options = options_for(place, {"full"});
  {
    run_output first{options};
    first.add(sample_run("full"));
  }
  options.resume = options.output.directory->string();
  run_output output{options};
  const auto watch = output.watch("full");
  CHECK(document_in(options)["state"] == "done");
  run_progress now;
  now.begun = false;
  watch(now);
  CHECK(document_in(options)["state"] == "done");
  now.begun = true;
  now.newest_round = 301;
  watch(now);
  CHECK(document_in(options)["state"] == "running");
  CHECK(document_in(options)["runs"][0]["rounds"] == 301);
}

} // namespace dybw
