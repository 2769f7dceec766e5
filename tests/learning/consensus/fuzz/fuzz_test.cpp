#include "tests/learning/consensus/fuzz/fuzz.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

namespace {

using namespace dybw;
using namespace dybw::test;

constexpr std::uint64_t schedules_per_case = 5000;

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const auto* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// Runs the schedules of one case: seeds first, first + 1, .. DYBW_FUZZ_SCHEDULES asks for more or fewer per
/// case; DYBW_FUZZ_SEED alone for just that one, with DYBW_FUZZ_TRACE for its transcript; both for so many
/// from there on.
void fuzz(std::size_t family_index, std::uint64_t part) {
  const auto& family = fuzz_families[family_index];
  auto count = number_from_environment("DYBW_FUZZ_SCHEDULES", schedules_per_case);
  auto first = part * count;
  const auto replays =
      std::getenv("DYBW_FUZZ_SEED") != nullptr && std::getenv("DYBW_FUZZ_SCHEDULES") == nullptr;
  if (replays) {
    first = 0;
    count = 1;
  }
  first += number_from_environment("DYBW_FUZZ_SEED", 0);
  auto total = fuzz_result{};
  for (auto seed = first; seed < first + count; ++seed) {
    INFO("replay: DYBW_FUZZ_SEED=", seed,
         " tests/learning/consensus/test_fuzz -tc=\"fuzz: ", std::string{family.name},
         " part 1\"   (DYBW_FUZZ_TRACE=1 shows every event)");
    const auto result = run_schedule(family, seed, replays && std::getenv("DYBW_FUZZ_TRACE") != nullptr);
    INFO(result.description);
    for (const auto& failure : result.failures)
      FAIL_CHECK(failure);
    REQUIRE(result.failures.empty());
    total.events += result.events;
    total.rounds += result.rounds;
    total.edges_lost += result.edges_lost;
    total.restarts += result.restarts;
  }
  MESSAGE(std::string{family.name}, ": ", count, " schedules, ", total.rounds, " rounds, ", total.events,
          " events, ", total.edges_lost, " edges lost, ", total.restarts, " restarts");
}

} // namespace

TEST_CASE("fuzz: full part 1") {
  fuzz(0, 0);
}
TEST_CASE("fuzz: full part 2") {
  fuzz(0, 1);
}
TEST_CASE("fuzz: full part 3") {
  fuzz(0, 2);
}
TEST_CASE("fuzz: full part 4") {
  fuzz(0, 3);
}
TEST_CASE("fuzz: static part 1") {
  fuzz(1, 0);
}
TEST_CASE("fuzz: static part 2") {
  fuzz(1, 1);
}
TEST_CASE("fuzz: static part 3") {
  fuzz(1, 2);
}
TEST_CASE("fuzz: static part 4") {
  fuzz(1, 3);
}
TEST_CASE("fuzz: dtur with carry part 1") {
  fuzz(2, 0);
}
TEST_CASE("fuzz: dtur with carry part 2") {
  fuzz(2, 1);
}
TEST_CASE("fuzz: dtur with carry part 3") {
  fuzz(2, 2);
}
TEST_CASE("fuzz: dtur with carry part 4") {
  fuzz(2, 3);
}
TEST_CASE("fuzz: dtur with discard part 1") {
  fuzz(3, 0);
}
TEST_CASE("fuzz: dtur with discard part 2") {
  fuzz(3, 1);
}
TEST_CASE("fuzz: dtur with discard part 3") {
  fuzz(3, 2);
}
TEST_CASE("fuzz: dtur with discard part 4") {
  fuzz(3, 3);
}

TEST_CASE("fuzz: hop part 1") {
  fuzz(4, 0);
}
TEST_CASE("fuzz: barrier part 1") {
  fuzz(5, 0);
}
TEST_CASE("fuzz: dtur by any edges part 1") {
  fuzz(6, 0);
}

TEST_CASE("fuzz: a schedule replays exactly") {
  for (const auto& family : fuzz_families) {
    const auto once = run_schedule(family, 42);
    const auto again = run_schedule(family, 42);
    CHECK(once.description == again.description);
    CHECK(once.events == again.events);
    CHECK(once.fingerprint == again.fingerprint);
    CHECK(once.fingerprint != run_schedule(family, 43).fingerprint);
  }
}
