#pragma once

/// Deliberate faults, to prove that the fuzzer would catch them. They exist only in the copy of the machine
/// that the mutation test compiles (with DYBW_MUTATIONS); everywhere else `mutated` is constant false and
/// leaves no code.
namespace dybw {

enum class mutation {
  none,
  timeout_closes_alone,     ///< DTUR's gathering timeout closes without telling anybody
  join_own_next_round,      ///< a straggler joins the round after its own last, however far the others are
  evaluate_once,            ///< fire and close are not evaluated again after a new generation
  stop_in_any_phase,        ///< a stop takes effect while gathering or settling
  ignore_closed,            ///< `closed` is not read
  wait_for_all_live,        ///< no closing when nobody is left to wait for
  settle_exact_round_only,  ///< settling does not end with `closed` of a later round
  suspect_privately,        ///< who gives up on a neighbour tells nobody
  return_in_silence,        ///< a neighbour whose link comes up is not told where we are
  forgets_links,            ///< a link that a process gone by said is down is not raised
  joiner_raises_nothing,    ///< a joiner does not raise its links when it hears the neighbours
  joiner_trusts_facts,      ///< a joiner thinks up what its welcome says is up
  joiner_counts_at_once,    ///< .. counts a neighbour in rounds that its predecessor may have shared with it
  keep_lost_offers,         ///< an estimate from before its sender was lost may still be accepted
  leaving_for_ever,         ///< who has left is not taken back when it starts again
  meet_in_silence,          ///< who left and has joined again is not told where we are
  first_round_in_silence,   ///< nor by who makes its first step, and may rest in it for long
  left_in_silence,          ///< who has left does not say so to a neighbour that joins
  audit_keeps_leavers,      ///< the audit takes who has left for gone for ever
  audit_hears_at_once,      ///< the audit hears of everybody's end before anybody's next report
  audit_misses_nobody,      ///< .. and who is gone for never started again, unless it heard of that
  hop_without_gap,          ///< `hop` closes however far behind a neighbour is
  barrier_fires_early,      ///< `barrier` does not wait for the last tree neighbour's word
  barrier_tells_nobody,     ///< .. does not pass the word on
  barrier_tells_once,       ///< .. not again when a new generation makes another the one to be told
  barrier_accepts_more,     ///< .. and accepts who returns after it has said how many it accepts
  keeps_coverage,           ///< of edges covered at one moment only the first is passed on
  covers_within_parts,      ///< DTUR with any edges covers also those that join nothing new
  believes_every_round,     ///< a neighbour may be in whatever round it says
  rests_in_private,         ///< who rests tells nobody
  rests_for_ever,           ///< .. and not that it goes on
  coding_mixes_own_exactly, ///< what a neighbour told is decoded, the own estimate mixed as it is
  coding_remembers_exactly, ///< changes count from what was to be told, not from what came of it
  corrects_across_generations, ///< an edge counts into the correction whatever generations its ends were in
  correction_survives_paused,  ///< who mixes nothing as its process stood still keeps its generation
  // in pairs:
  pair_without_sessions,     ///< what was sent before its sender knew of a giving up counts
  pair_silent_refusal,       ///< .. is not answered
  pair_revives_the_dead,     ///< a message under way proves that its sender, known to have crashed, lives
  pair_crosses_at_one_end,   ///< only the higher-numbered end takes crossing offers for each other's answers
  pair_weighs_alone,         ///< the weight is that of the own degree
  pair_leaves_unanswered,    ///< leaves though answers are owed
  pair_takes_every_answer,   ///< also one to an offer that was given up
  pair_closes_alone,         ///< averages for the last times though neighbours still make steps
  pair_halves_on_the_answer, ///< who answers does not average
  pair_tells_closing_once,   ///< who is asked whether it has made its last step says nothing if it said so
                             ///< before
  pair_corrects_across_generations, ///< as in rounds
  pair_waits_after_stop,            ///< a stop does not end the waiting for neighbours that go on
};

#ifdef DYBW_MUTATIONS
extern mutation active_mutation;
inline bool mutated(mutation m) {
  return active_mutation == m;
}
#else
constexpr bool mutated(mutation) {
  return false;
}
#endif

} // namespace dybw
