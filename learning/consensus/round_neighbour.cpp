#include "learning/consensus/round_neighbour.hpp"

#include "learning/consensus/mutation.hpp"

namespace dybw {

void round_neighbour::meet(round_number its_round) {
  if (!mutated(mutation::leaving_for_ever))
    leaving = false; // after `leaving` only a new process says where it is
  if (!met)
    apart_until = its_round;
  met = true;
}

void round_neighbour::take_note(const estimate& m, nanoseconds now) {
  if (m.round > offered) {
    pace.observe(now - last_estimate);
    last_estimate = now;
    offered = m.round;
    offered_parameters = m.has_parameters;
    generation = m.generation;
  }
  in = std::max(in, m.round);
  if (!mutated(
          mutation::ignore_closed)) // in a round means out of the one before, even if it could not say so
    closed = std::max(closed, m.round - 1);
}

void round_neighbour::enter(round_number round) {
  barred = !usable || apart_in(round);
  accepted = accepts_us = fired = false;
  closed_degree.reset();
}

bool round_neighbour::owes_answer(round_number round) const {
  if (!accepted || accepts_us || !takes_part())
    return false;
  return mutated(mutation::settle_exact_round_only) ? closed != round : closed < round;
}

} // namespace dybw
