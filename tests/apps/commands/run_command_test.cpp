#include "apps/commands/commands.hpp"
#include "learning/api/learner.hpp"
#include "learning/base/error.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <vector>

namespace dybw {

namespace {

/// Stays where it is.
struct resting_learner final : learner {
  dybw::layout layout() const override { return {{"w", {2}}, {"b", {}}}; }
  void initialise(std::uint64_t /*seed*/, std::span<float> w) override { std::ranges::fill(w, 1.0F); }
  step_result step(const step_context& /*at*/, std::span<const float> w, std::span<float> next) override {
    std::ranges::copy(w, next.begin());
    return {0.5, 8};
  }
  std::optional<score> evaluate(std::span<const float> w) override {
    return score{{"error", w[0], better::smaller}};
  }
};

struct ended {
  int code = 0;
  std::string out;
  std::string err;
};

/// A short run in virtual time. Learners for worker 0 are made so many times: for the evaluations once, then
/// once for each policy; the next time it throws.
ended short_run(std::size_t makes, const std::vector<std::string>& more) {
  const learner_maker make = [&makes](const place& at) -> std::unique_ptr<learner> {
    if (at.worker == 0 && makes-- == 0)
      throw input_error{input_fault::data, "no more learners", "", "make do"};
    return std::make_unique<resting_learner>();
  };
  const std::array commands = {
      command{"run", "", [] { return std::string{}; },
              [&make](std::span<const std::string> options) { return run_command(options, make); }}};
  std::vector<std::string> arguments{"run", "--clock",  "virtual", "--step-time", "exp:1", "--workers",
                                     "4",   "--rounds", "3",       "--format",    "json",  "--quiet"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  std::ostringstream out;
  std::ostringstream err;
  auto* const before = std::cout.rdbuf(out.rdbuf());
  const auto code = dispatch(arguments, commands, out, err);
  std::cout.rdbuf(before);
  return {code, out.str(), err.str()};
}

} // namespace

TEST_CASE("run_command: what a later policy throws leaves the results of those before it on the screen") {
  const auto end = short_run(2, {"--policy", "full,dtur"});
  CHECK(end.code == 3);
  CHECK(end.err == "dybw: error: no more learners; make do\n");
  const auto document = nlohmann::json::parse(end.out, nullptr, false);
  REQUIRE(document.is_object());
  REQUIRE(document["runs"].size() == 1);
  CHECK(document["runs"][0]["policy"] == "full");
}

TEST_CASE("run_command: what a later seed throws leaves the results of those before it on the screen") {
  const temporary_directory home;
  const auto out = home.path() / "out";
  const auto end = short_run(2, {"--policy", "full", "--seeds", "3,4", "--out", out.string()});
  CHECK(end.code == 3);
  CHECK(end.err == "dybw: error: no more learners; make do\n");
  const auto document = nlohmann::json::parse(end.out, nullptr, false);
  REQUIRE(document.is_object());
  REQUIRE(document["runs"].size() == 1);
  CHECK(document["runs"][0]["seed"] == 3);
  CHECK(std::filesystem::exists(out / "report.html"));
}

} // namespace dybw
