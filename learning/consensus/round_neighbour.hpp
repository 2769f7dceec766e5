#pragma once

#include "learning/consensus/gather_timeout.hpp"
#include "learning/consensus/messages.hpp"
#include "learning/consensus/round_tally.hpp"

namespace dybw {

/// What a worker knows of one neighbour under the round protocol. `round` is the one that the worker is in.
struct alignas(64) round_neighbour {
  // What every message touches: one line of the processor's cache.
  worker_id id{};
  bool usable = true;     ///< the link and both ends are up, as far as known
  bool silent = false;    ///< our own failure detector gave it up
  bool may_raise = false; ///< heard anew, and no word of others that its link is down contradicted since
  bool leaving = false;   ///< past every round
  bool offered_parameters = false;
  bool met = true; ///< has said where it is; false for a joiner's neighbours only
  // about the round in progress:
  bool barred = false;   ///< was lost while the round was open: takes no part any more
  bool accepted = false; ///< by us
  bool accepts_us = false;
  bool fired = false;      ///< its edge has fired a threshold in this round and generation
  bool is_branch = false;  ///< barrier: a tree neighbour
  bool names_ours = false; ///< the estimate that was accepted named the generation that ours did
  std::optional<std::uint32_t> closed_degree;
  neighbour_standing counted; ///< as what it is in the `round_tally`
  // about all rounds:
  round_number offered = 0; ///< round of its newest estimate
  round_number in = 0;      ///< the newest round it is known to be in
  round_number closed = 0;  ///< the newest round it closed

  nanoseconds last_estimate{0};
  pace_estimator pace;
  std::uint64_t generation = 0; ///< that its newest estimate named
  round_number apart_until = 0; ///< a joiner's: rounds up to this may have been shared with our predecessor
  std::uint32_t planned_degree = 0;

  /// It has told where it is: a joiner, that it sent nothing to its predecessor in later rounds.
  void meet(round_number its_round);
  void take_note(const estimate& m, nanoseconds now);
  void enter(round_number round);

  bool apart_in(round_number round) const { return !met || round <= apart_until; }
  bool committed() const { return accepted && accepts_us; }
  bool takes_part() const { return !barred && !leaving; }
  bool acceptable(round_number round) const {
    return offered == round && offered_parameters && !accepted && takes_part() && closed < round;
  }
  bool may_still_come(round_number round) const {
    return !accepted && takes_part() && offered < round && closed < round;
  }
  neighbour_standing standing(round_number round) const {
    return {may_still_come(round), owes_answer(round), owes_closing(round), owes_branch(round), in};
  }
  /// Barrier: whether its word is to come that everybody behind it is in.
  bool owes_branch(round_number round) const { return is_branch && usable && !leaving && closed < round; }
  /// Whether its word is to come that it accepts us or has closed without.
  bool owes_answer(round_number round) const;
  /// Whether its degree, which its weight depends on, is to come. A later round's `closed` without this
  /// one's: it closed this one while it thought the link down.
  bool owes_closing(round_number round) const {
    return committed() && !closed_degree && closed < round && takes_part();
  }
};

} // namespace dybw
