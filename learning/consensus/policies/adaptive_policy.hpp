#pragma once

#include "learning/consensus/policies/pairwise_policy.hpp"

#include <algorithm>

namespace dybw {

/// `adaptive`, this project's own (docs/adaptive.md tells how it was found). Nobody waits for a neighbour's
/// step: after each of its own a worker averages with every neighbour that answers soon, and goes on without
/// the others, its backup workers of the round. So that the slow workers' data counts as much as anybody's, a
/// gradient counts for the time it took: it is scaled by the mean step rate of all workers over the worker's
/// own. Every edge is averaged over at the pace of its faster end.
class adaptive_policy final : public pairwise_policy {
public:
  /// Longest wait for answers, as a share of a step.
  static constexpr double patience_share = 0.05;
  /// A step that counts for more than this would be too long a stride to be stable.
  static constexpr double scale_max = 4;

  double weight(std::size_t degree_i, std::size_t degree_j) const override {
    return metropolis_weight(degree_i, degree_j);
  }

  void choose(std::span<const worker_id> free, random_generator&, std::vector<worker_id>& chosen) override {
    chosen.assign(free.begin(), free.end());
  }

  std::optional<nanoseconds> patience(nanoseconds step) const override {
    return from_seconds(to_seconds(step) * patience_share);
  }
  std::size_t overdue_max() const override { return 4; }
  double step_scale(double own_rate, double mean_rate) const override {
    return own_rate > 0 ? std::clamp(mean_rate / own_rate, 1 / scale_max, scale_max) : 1;
  }
  std::size_t closing_sweeps() const override { return 16; }
};

} // namespace dybw
