#include "tests/learning/consensus/fuzz/fuzz.hpp"

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

/// Tries the schedules of `count` seeds, from `first` on.
std::optional<caught> hunt(mutation m, std::uint64_t count, std::uint64_t first = 0) {
  active_mutation = m;
  auto result = std::optional<caught>{};
  const auto look_at = [&](std::uint64_t i, const fuzz_result& r) {
    if (!result && !r.failures.empty())
      result = caught{i, r.description + ": " + r.failures.front()};
  };
  const auto in_pairs = m == mutation::none || m >= mutation::pair_without_sessions;
  const auto in_rounds = m < mutation::pair_without_sessions;
  for (auto i = first; i < first + count && !result; ++i) {
    for (const auto& family : fuzz_families)
      if (in_rounds && !result)
        look_at(i, run_schedule(family, i));
    for (const auto& family : pair_families)
      if (in_pairs && !result)
        look_at(i, run_pair_schedule(family, i));
  }
  active_mutation = mutation::none;
  return result;
}

} // namespace

#define DYBW_MUTANT(sentence, name) DYBW_RARE_MUTANT(sentence, name, 0)

/// One that shows so rarely that it is looked for from a seed on near which it does.
#define DYBW_RARE_MUTANT(sentence, name, first)                                                              \
  TEST_CASE("mutant: the fuzzer catches a machine that " sentence) {                                         \
    const auto found = hunt(mutation::name, schedules_max, first);                                           \
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
DYBW_RARE_MUTANT("leaves a link down that a process gone by has suspected", forgets_links, 80'200)
DYBW_MUTANT("forgets to raise its links when it joins", joiner_raises_nothing)
DYBW_MUTANT("joins as if what is up in its welcome were up", joiner_trusts_facts)
DYBW_MUTANT("counts in rounds that its predecessor may have counted in", joiner_counts_at_once)
DYBW_RARE_MUTANT("accepts what a neighbour offered before it returned", keep_lost_offers, 28'000)
DYBW_MUTANT("takes who has left for gone when it joins again", leaving_for_ever)
DYBW_MUTANT("does not tell who left and joined again where it is", meet_in_silence)
DYBW_MUTANT("keeps it from a joiner that it has left", left_in_silence)
DYBW_RARE_MUTANT("says nothing to a joiner in its first round", first_round_in_silence, 143'000)
DYBW_MUTANT("is audited as if who has left stayed away", audit_keeps_leavers)
DYBW_RARE_MUTANT("is audited as if ends were heard of before what comes after them", audit_hears_at_once,
                 355'000)
DYBW_MUTANT("is audited as if no process came and went unseen", audit_misses_nobody)
DYBW_MUTANT("closes under hop however far behind a neighbour is", hop_without_gap)
DYBW_MUTANT("fires a barrier one word too early", barrier_fires_early)
DYBW_MUTANT("keeps a barrier's word to itself", barrier_tells_nobody)
DYBW_MUTANT("tells a barrier's word once, whatever the generation", barrier_tells_once)
DYBW_RARE_MUTANT("accepts more at a barrier than it has said", barrier_accepts_more, 15'700)
DYBW_MUTANT("passes on only the first of the edges covered at one moment", keeps_coverage)
DYBW_MUTANT("covers edges within what is joined already", covers_within_parts)
DYBW_MUTANT("believes every round that a neighbour names", believes_every_round)
DYBW_MUTANT("tells nobody that it rests", rests_in_private)
DYBW_MUTANT("rests for ever", rests_for_ever)
DYBW_MUTANT("mixes what is told coded with its own estimate as it is", coding_mixes_own_exactly)
DYBW_MUTANT("counts changes from what it wanted to tell", coding_remembers_exactly)
DYBW_MUTANT("corrects by edges whose ends are in different generations", corrects_across_generations)
DYBW_MUTANT("keeps its correction though it mixes nothing of a round", correction_survives_paused)
DYBW_MUTANT("averages in pairs without sessions", pair_without_sessions)
DYBW_MUTANT("leaves void offers unanswered", pair_silent_refusal)
DYBW_MUTANT("takes a message under way for a sign that the dead live", pair_revives_the_dead)
DYBW_MUTANT("takes crossing offers for answers at one end only", pair_crosses_at_one_end)
DYBW_MUTANT("weighs a pair by its own degree", pair_weighs_alone)
DYBW_MUTANT("leaves though answers are owed", pair_leaves_unanswered)
DYBW_MUTANT("takes answers to offers that were given up", pair_takes_every_answer)
DYBW_MUTANT("averages for the last times while neighbours still make steps", pair_closes_alone)
DYBW_MUTANT("answers an offer without averaging", pair_halves_on_the_answer)
DYBW_MUTANT("says only once that it has made its last step", pair_tells_closing_once)
DYBW_MUTANT("corrects by exchanges whose ends are in different generations", pair_corrects_across_generations)
DYBW_MUTANT("waits after a stop for the steps of others", pair_waits_after_stop)

TEST_CASE("mutant: the fuzzer finds nothing in the machine as it is") {
  const auto found = hunt(mutation::none, schedules_max / 4);
  CHECK_FALSE(found);
}
