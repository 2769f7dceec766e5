#pragma once

#include "learning/consensus/policies/pairwise_policy.hpp"

namespace dybw {

/// `adpsgd`: asynchronous pairwise averaging (Lian, Zhang, Zhang, Liu: Asynchronous decentralized parallel
/// stochastic gradient descent, ICML 2018), the baseline to beat. After each step a worker averages with one
/// neighbour drawn at random, half and half. Here both sides average the same two estimates, so the mean
/// stays, and any graph will do (the original needs a bipartite one against deadlock). Nothing bounds how
/// often a neighbour is drawn, and a slow worker's data counts for less.
class adpsgd_policy final : public pairwise_policy {
public:
  double weight(std::size_t, std::size_t) const override { return 0.5; }

  void choose(std::span<const worker_id> free, const prospect&, random_generator& generator,
              std::vector<worker_id>& chosen) override {
    if (!free.empty())
      chosen.push_back(free[generator() % free.size()]);
  }

  std::optional<nanoseconds> patience(nanoseconds) const override { return std::nullopt; }
  std::size_t overdue_max() const override { return 1; }
  double step_scale(double, double) const override { return 1; }
  std::size_t closing_sweeps() const override { return 0; }
};

} // namespace dybw
