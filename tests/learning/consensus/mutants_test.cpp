#include "fuzz.hpp"

#include "learning/consensus/mutation.hpp"

#include <doctest/doctest.h>

#include <optional>

namespace dybw {
mutation active_mutation = mutation::none;
}

namespace {

using namespace dybw;
using namespace dybw::test;

constexpr std::uint64_t schedules_max = 10000;

struct caught {
  std::uint64_t after = 0;
  std::string by;
};

std::optional<caught> hunt(mutation m, std::uint64_t count) {
  active_mutation = m;
  auto result = std::optional<caught>{};
  for (std::uint64_t i = 0; i < count && !result; ++i)
    for (const auto& family : fuzz_families)
      if (const auto r = run_schedule(family, i); !r.failures.empty()) {
        result = caught{i, r.description + ": " + r.failures.front()};
        break;
      }
  active_mutation = mutation::none;
  return result;
}

} // namespace

#define DYBW_MUTANT(sentence, name)                                                                          \
  TEST_CASE("mutant: the fuzzer catches a machine that " sentence) {                                         \
    const auto found = hunt(mutation::name, schedules_max);                                                  \
    REQUIRE(found);                                                                                          \
    MESSAGE("after ", found->after, " schedules: ", found->by);                                              \
  }

DYBW_MUTANT("closes a timed-out DTUR round without telling anybody", timeout_closes_alone)
DYBW_MUTANT("joins the round after its own last one", join_own_next_round)
DYBW_MUTANT("does not look again after a new generation", evaluate_once)
DYBW_MUTANT("stops while it gathers or settles", stop_in_any_phase)
DYBW_MUTANT("does not read closed", ignore_closed)
DYBW_MUTANT("waits although nobody is left to wait for", wait_for_all_live)
DYBW_MUTANT("settles on closed of the very round only", settle_exact_round_only)
DYBW_MUTANT("suspects in private", suspect_privately)
DYBW_MUTANT("says nothing to a neighbour whose link comes up", return_in_silence)
DYBW_MUTANT("forgets to raise its links when it joins", joiner_raises_nothing)
DYBW_MUTANT("joins as if what is up in its welcome were up", joiner_trusts_facts)
DYBW_MUTANT("counts in rounds that its predecessor may have counted in", joiner_counts_at_once)
DYBW_MUTANT("accepts what a neighbour offered before it was lost", keep_lost_offers)
DYBW_MUTANT("takes who has left for gone when it joins again", leaving_for_ever)

TEST_CASE("mutant: the fuzzer finds nothing in the machine as it is") {
  const auto found = hunt(mutation::none, schedules_max / 4);
  CHECK_FALSE(found);
}
