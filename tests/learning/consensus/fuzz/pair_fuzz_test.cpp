#include "tests/learning/consensus/fuzz/fuzz.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

namespace {

using namespace dybw;
using namespace dybw::test;

void fuzz(const fuzz_family& family, std::uint64_t count) {
  const auto* one = std::getenv("DYBW_FUZZ_SEED");
  const auto* asked = std::getenv("DYBW_FUZZ_SCHEDULES");
  const auto replays = one != nullptr && asked == nullptr;
  if (asked != nullptr)
    count = std::strtoull(asked, nullptr, 10);
  if (replays)
    count = 1;
  const auto first = one != nullptr ? std::strtoull(one, nullptr, 10) : 0;
  const auto trace = replays && std::getenv("DYBW_FUZZ_TRACE") != nullptr;
  std::uint64_t rounds = 0;
  std::uint64_t lost = 0;
  for (auto seed = first; seed < first + count; ++seed) {
    INFO("replay: DYBW_FUZZ_SEED=", seed, " .. -tc=\"pair fuzz: ", std::string{family.name}, "*\"");
    const auto result = run_pair_schedule(family, seed, trace);
    INFO(result.description);
    for (const auto& f : result.failures)
      FAIL_CHECK(f);
    REQUIRE(result.failures.empty());
    rounds += result.rounds;
    lost += result.edges_lost;
  }
  MESSAGE(std::string{family.name}, ": ", rounds, " worker-rounds, ", lost, " exchanges lost");
}

} // namespace

TEST_CASE("pair fuzz: adpsgd") {
  fuzz(pair_families[0], 3000);
}
TEST_CASE("pair fuzz: adaptive") {
  fuzz(pair_families[1], 3000);
}
