#pragma once

#include "learning/base/types.hpp"
#include "learning/graph/mixing.hpp"

#include <cstddef>

namespace dybw {

/// What a policy may look at while a worker gathers.
struct round_view {
  round_number round = 0;
  std::size_t degree = 0;   ///< planned neighbours
  std::size_t accepted = 0; ///< whose estimates count so far
  /// Who is neither accepted nor past this round nor gone: whose estimates may still count.
  std::size_t still_to_come = 0;
  /// The lowest round that one of these is known to be in; the own round if there is none, or if the policy
  /// does not look at it.
  round_number slowest_in = 0;
};

/// What a policy learns when a round is done.
struct round_outcome {
  round_number round = 0;
  std::size_t degree = 0;    ///< planned neighbours
  std::size_t committed = 0; ///< neighbours mixed with
};

/// When a round closes, and how many neighbours the next one does not wait for. One file per policy; a policy
/// touches no other. Deterministic; one instance per worker. (Every round also closes when nobody is left to
/// wait for.)
class policy {
public:
  virtual ~policy() = default;

  virtual weight_rule default_weights() const { return weight_rule::graph; }

  /// Local quorums: whether enough estimates are in to close the round.
  virtual bool quorum_is_met(const round_view&) const { return false; }

  /// Called once per round when it is done: retunes the number of backup workers and returns it, b_j = d_j -
  /// p_j.
  virtual std::size_t retune(const round_outcome& outcome) { return outcome.degree - outcome.committed; }

  /// Whether rounds close by flooded thresholds and advance while a worker computes. Otherwise each worker
  /// closes its own. A threshold comes when a connecting edge is covered (DTUR) or, if the policy
  /// `waits_for_everybody`, when everybody is in the round.
  virtual bool closes_by_threshold() const { return false; }

  virtual bool waits_for_everybody() const { return false; }

  /// Whether `quorum_is_met` looks at `slowest_in`.
  virtual bool looks_at_the_slowest() const { return false; }

  /// Whether workers average in pairs, each at its own pace, instead of in rounds that neighbours share: then
  /// it is a `pairwise_policy`.
  virtual bool averages_in_pairs() const { return false; }

  /// Whether whom a worker averages with depends on what that costs and brings (`pairwise_policy::prospect`).
  virtual bool weighs_mixing() const { return false; }
};

} // namespace dybw
