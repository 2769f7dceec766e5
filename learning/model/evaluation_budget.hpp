#pragma once

#include "learning/base/types.hpp"

#include <cstddef>
#include <cstdint>

namespace dybw {

/// What evaluations may cost in virtual time, where they take host time only and no clock may decide: work is
/// counted, in samples that pass through the model. An evaluation that is due takes place while all of them
/// have cost at most 5 % of the gradients. A few workers make so few gradients that this would leave nothing
/// to see; so it also takes place once every worker has made a step, on average, since the last one, and the
/// time has grown by 1 %, which is how finely a time to a target can be told. Scoring workers beyond the
/// number of a small run is within the 5 % alone. Not thread-safe.
class evaluation_budget {
public:
  static constexpr std::uint64_t gradient_cost = 3; ///< of a sample's gradient, beside its score
  static constexpr std::uint64_t average_cost = 4; ///< of an estimate's share in the average: bound by memory

  explicit evaluation_budget(std::size_t workers) : workers_(workers) {}

  /// How far the run is.
  struct state {
    nanoseconds now{0};
    std::uint64_t steps = 0;   ///< gradient steps of all workers
    std::uint64_t samples = 0; ///< training samples in them
  };

  bool allows(const state& x) const noexcept {
    const auto everybody_stepped = x.steps >= last_.steps + workers_;
    const auto time_grew = x.now - last_.now >= x.now / 100;
    return is_within(spent_, x) || (everybody_stepped && time_grew);
  }

  /// Whether workers may be scored as well, all of them if `all`.
  bool allows_scores(const state& x, bool all) const noexcept { return all || is_within(scores_, x); }

  /// An evaluation took place, with so many samples scored for the average and for single workers.
  void spend(const state& x, std::uint64_t average_samples, std::uint64_t worker_samples) noexcept {
    last_ = x;
    spent_ += average_samples + worker_samples + average_cost * workers_;
    scores_ += worker_samples;
  }

private:
  static bool is_within(std::uint64_t cost, const state& x) noexcept {
    return 20 * cost <= gradient_cost * x.samples;
  }

  std::uint64_t workers_;
  std::uint64_t spent_ = 0;
  std::uint64_t scores_ = 0; ///< of it, for single workers
  state last_;
};

} // namespace dybw
