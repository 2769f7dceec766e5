#pragma once

#include "learning/base/random.hpp"
#include "learning/consensus/policies/policy.hpp"

#include <optional>
#include <span>

namespace dybw {

/// A policy under which workers average in pairs, each at its own pace (`pairwise_machine`). After each step
/// a worker offers its estimate to some neighbours; an offer is answered at once, whatever the other does.
/// Deterministic; one instance per worker.
class pairwise_policy : public policy {
public:
  bool averages_in_pairs() const final { return true; }

  /// a_ij: how much of their difference the ends of an exchange give each other, in (0, 1/2]. The same for
  /// both.
  virtual double weight(std::size_t degree_i, std::size_t degree_j) const = 0;

  /// What speaks against averaging and for it.
  struct prospect {
    double mixing_price = 0;  ///< as in `step_done`
    double strides_apart = 0; ///< likewise
    /// What averaging with the neighbours leaves to them: the mean of d_i / max(d_i, d_j). 1 in a graph where
    /// all have the same degree d; less next to a hub, whom as many others want to average with.
    double evenness = 1;
    std::size_t neighbours = 0; ///< in the graph
  };
  /// Whom to offer to after a step, of `free` neighbours (which owe no answer), ascending; fills `chosen`
  /// with some of them.
  virtual void choose(std::span<const worker_id> free, const prospect& p, random_generator& generator,
                      std::vector<worker_id>& chosen) = 0;
  /// The worker has averaged with a neighbour, whoever of them offered.
  virtual void averaged() {}

  /// How long to wait for answers before the next step; unset: until they are there. `step` is the worker's
  /// mean step time.
  virtual std::optional<nanoseconds> patience(nanoseconds step) const = 0;

  /// A neighbour that owes an answer for so many rounds of the worker's is waited for, patience or not: no
  /// estimate that is mixed in is older.
  virtual std::size_t overdue_max() const = 0;

  /// What a gradient counts for, given the worker's own mean step rate and its guess at that of all workers
  /// (1/s); the own one is 0 while it is not known, the guess may be anything.
  virtual double step_scale(double own_rate, double mean_rate) const = 0;

  /// How often all neighbours are averaged with after the last step.
  virtual std::size_t closing_sweeps() const = 0;
};

} // namespace dybw
