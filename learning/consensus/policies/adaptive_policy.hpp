#pragma once

#include "learning/consensus/policies/pairwise_policy.hpp"

#include <algorithm>
#include <utility>

namespace dybw {

/// `adaptive`, this project's own (docs/adaptive.md tells how it was found). Nobody waits for a neighbour's
/// step: after each of its own a worker averages with every neighbour that answers soon, and goes on without
/// the others, its backup workers of the round. So that the slow workers' data counts as much as anybody's, a
/// gradient counts for the time it took: it is scaled by the mean step rate of all workers over the worker's
/// own. Every edge is averaged over at the pace of its faster end, as far as that is worth its price: what
/// averaging may cost is a share of what the steps cost, and neighbours take turns where that is not enough
/// for all of them after each step. The share is small where the ends of edges are no further apart than
/// the noise of their steps explains, since averaging more would gain nothing, and grows with the drift that
/// unlike data adds (consensus control: Kong et al., ICML 2021).
class adaptive_policy final : public pairwise_policy {
public:
  /// Longest wait for answers, as a share of a step.
  static constexpr double patience_share = 0.05;
  /// What averaging may cost, whoever offered, as a share of what steps cost: at first, and within these.
  static constexpr double share_first = 0.1;
  static constexpr double share_min = 0.02;
  static constexpr double share_max = 0.5;
  /// The square of the strides that lie between the ends of an edge after one step without averaging, where
  /// their data is the same: of two that step at random 2, of a slow worker and a quick one more.
  static constexpr double noise = 3;
  /// What a square stride beyond that costs, as a share of a step (docs/adaptive.md).
  static constexpr double drift_cost = 0.05;
  /// A step since which was averaged multiplies the share by 1 + gain (f - 1), f being how many times the
  /// cost of being apart is that of averaging, within these. No function of the C library, which may differ:
  /// messages depend on it.
  static constexpr double share_gain = 0.15;
  static constexpr double f_min = 0.25;
  static constexpr double f_max = 4;
  /// .. but one neighbour is offered to after so many steps at the latest, so that every edge has its turn.
  static constexpr std::size_t steps_between_max = 16;
  /// A step that counts for more than this would be too long a stride to be stable.
  static constexpr double scale_max = 4;

  bool weighs_mixing() const override { return true; }

  double weight(std::size_t degree_i, std::size_t degree_j) const override {
    return metropolis_weight(degree_i, degree_j);
  }

  void choose(std::span<const worker_id> free, const prospect& p, random_generator&,
              std::vector<worker_id>& chosen) override {
    retune_share(p);
    if (free.empty())
      return;
    const auto count = affordable(free.size(), p);
    if (count == free.size()) {
      chosen.assign(free.begin(), free.end());
      return;
    }
    auto next = std::upper_bound(free.begin(), free.end(), newest_);
    for (std::size_t i = 0; i < count; ++i, ++next) {
      if (next == free.end())
        next = free.begin();
      chosen.push_back(*next);
    }
    if (count > 0)
      newest_ = chosen.back();
  }
  void averaged() override {
    credit_ -= 1;
    ++averagings_;
  }

  std::optional<nanoseconds> patience(nanoseconds step) const override {
    return from_seconds(to_seconds(step) * patience_share);
  }
  std::size_t overdue_max() const override { return 4; }
  double step_scale(double own_rate, double mean_rate) const override {
    return own_rate > 0 ? std::clamp(mean_rate / own_rate, 1 / scale_max, scale_max) : 1;
  }
  std::size_t closing_sweeps() const override { return 16; }

  double mixing_share() const noexcept { return share_; }

private:
  static constexpr double smoothing = 0.05;

  /// With k steps between two averagings over an edge, one costs price / k per step. Unlike data drives the
  /// ends apart by d steps per step, their distance r beyond the noise: r^2 - noise k = (d k)^2. What that
  /// costs grows with k as fast as the other falls where drift_cost k (d k)^2 is the price.
  void retune_share(const prospect& p) {
    const auto averagings = std::exchange(averagings_, 0);
    per_step_ += smoothing * (static_cast<double>(averagings) - per_step_);
    if (averagings == 0 || !(p.strides_apart > 0) || p.mixing_price <= 0)
      return;
    const auto k = static_cast<double>(p.neighbours) / per_step_;
    const auto drift = p.strides_apart * p.strides_apart - noise * k;
    const auto f = std::clamp(drift_cost * k * drift / p.mixing_price, f_min, f_max);
    share_ = std::clamp(share_ * (1 + share_gain * (f - 1)), share_min, share_max);
  }

  /// How many of `free` neighbours a step pays for: what it earns is saved up, some steps' worth at most.
  std::size_t affordable(std::size_t free, const prospect& p) {
    if (p.mixing_price <= 0)
      return free;
    const auto most = 2 * static_cast<double>(free); // each offers to us, too
    credit_ = std::clamp(credit_, -most, most) + share_ * p.evenness / p.mixing_price;
    const auto due = ++steps_since_ >= steps_between_max;
    const auto count =
        static_cast<std::size_t>(std::clamp(credit_, due ? 1.0 : 0.0, static_cast<double>(free)));
    if (count > 0)
      steps_since_ = 0;
    return count;
  }

  double share_ = share_first;
  std::size_t averagings_ = 0;  ///< since the last step
  double per_step_ = 1;         ///< averagings, smoothed
  double credit_ = 0;           ///< averagings paid for and not made
  std::size_t steps_since_ = 0; ///< the last offer
  worker_id newest_{};          ///< who was offered to last; turns go by ascending number
};

} // namespace dybw
