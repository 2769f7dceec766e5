#pragma once

#include "learning/consensus/worker_machine.hpp"

#include <memory>
#include <span>

namespace dybw {

/// An estimate as the simulation passes it round: immutable and opaque to it; null where there is no model.
using estimate_handle = std::shared_ptr<const void>;

/// What the audit's independent witness sees of an estimate (docs/protocol.md, "The audit").
struct estimate_witness {
  double projection = 0; ///< linear in the estimate, the same map for every worker
  double norm = 0;
};

struct weighted_estimate {
  const estimate_handle& estimate;
  double weight = 0; ///< P_ij
  /// w~_j as that neighbour has it; null: as it is.
  estimate_handle own = nullptr;
  bool corrects = false; ///< see `mix_term`
};

/// Where a step in pairs began, see `estimate_mover::step_ends`.
struct step_start {
  estimate_handle began;
  estimate_handle at;
};

/// What becomes of the workers' estimates. The simulation decides when and with whom, this does the sums.
/// Calls come in the order of virtual time.
class simulated_model {
public:
  virtual ~simulated_model() = default;

  /// A step of this worker begins, or begins anew, after so many rounds, of so many gradient steps; what it
  /// comes to is asked later.
  virtual void step_begins(worker_id /*id*/, round_number /*completed*/, std::uint32_t /*gradients*/) {}

  /// w_j(0).
  virtual estimate_handle start(worker_id id) = 0;
  /// w~_j: the estimate after a step from `estimate`.
  virtual estimate_handle step(worker_id id, const estimate_handle& estimate) = 0;
  /// w_j = w~_j + sum of weight * (w~_i - w~_j), both as the ends of the edge have them; w~_j itself without
  /// neighbours. `generation`: see `dybw::mix`.
  virtual estimate_handle mix(worker_id id, const estimate_handle& own,
                              std::span<const weighted_estimate> neighbours, std::uint64_t generation) = 0;

  // Pairwise averaging:
  /// `now` without `share` of the step that led from `before` to `after` (`estimate_mover::without_step`).
  virtual estimate_handle without_step(worker_id id, const estimate_handle& now,
                                       const estimate_handle& before, const estimate_handle& after,
                                       double share) = 0;
  /// `onto` with the step added that a gradient at `at` makes: onto + scale * (w~(at) - at); see
  /// `estimate_mover::add_step`.
  virtual estimate_handle step_onto(worker_id id, const step_start& from, const estimate_handle& onto,
                                    const take_step& e) = 0;
  /// own + weight * (theirs - mine).
  virtual estimate_handle absorb(worker_id id, const estimate_handle& own, const estimate_handle& theirs,
                                 const estimate_handle& mine, const exchange_half& half) = 0;

  /// What a neighbour makes of `estimate` when it travels coded; `base`: what both ends have, or null.
  virtual estimate_handle as_sent(worker_id /*id*/, const estimate_handle& estimate,
                                  const estimate_handle& /*base*/) {
    return estimate;
  }

  virtual estimate_witness look(const estimate_handle& estimate) = 0;
  /// .. and of the worker's correction now; all 0 without.
  virtual estimate_witness look_at_correction(worker_id /*id*/) { return {}; }
};

} // namespace dybw
