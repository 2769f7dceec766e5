#pragma once

#include "learning/base/types.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>

namespace dybw {

/// Smoothed mean and deviation of observed times, with the gains of RFC 6298 (1/8 and 1/4), and the bound on
/// an honest wait that follows from them: 10 x (mean + 4 x deviation), at least one second. The factor 10
/// keeps honest straggling steps below it (docs/protocol.md). Rare stragglers are forgotten by a smoothed
/// mean before they strike again: so it is at least 10 x the longest time observed, which fades slowly.
class pace_estimator {
public:
  static constexpr nanoseconds time_max = std::chrono::hours{24 * 365}; ///< no bound overflows

  void observe(nanoseconds t) noexcept {
    t = std::min(t, time_max);
    longest_ = std::max(t, longest_ - longest_ / 256);
    if (!observed_) {
      mean_ = t;
      deviation_ = t / 2;
      observed_ = true;
      return;
    }
    deviation_ += (nanoseconds{std::abs((t - mean_).count())} - deviation_) / 4;
    mean_ += (t - mean_) / 8;
  }

  bool observed() const noexcept { return observed_; }
  nanoseconds usual() const noexcept { return mean_; } ///< the mean; 0 before any

  nanoseconds bound() const noexcept {
    return std::max<nanoseconds>({10 * (mean_ + 4 * deviation_), 10 * longest_, std::chrono::seconds{1}});
  }

private:
  nanoseconds mean_{0};
  nanoseconds deviation_{0};
  nanoseconds longest_{0};
  bool observed_ = false;
};

/// How long a worker gathers before it gives up on those who are missing: ten times what it has seen them
/// take. As long as it has seen little, much longer: the first waits tell little. A straggler's pace takes a
/// round per edge to reach those far from it (under DTUR, a sweep), and rare stragglers take many rounds to
/// show. So what is not known fades only slowly.
class gather_timeout {
public:
  /// `by_threshold`, `for_everybody`: when the policy closes rounds (`policy`).
  gather_timeout(std::size_t workers, bool by_threshold, bool for_everybody)
      : workers_(workers), by_threshold_(by_threshold), for_everybody_(for_everybody) {}

  /// The worker's own step took so long. Only the first two count: with a time for local steps the first may
  /// be a single one.
  void observe_step(nanoseconds t) {
    if (steps_seen_ == 2)
      return;
    ++steps_seen_;
    first_steps_ = std::max(first_steps_, std::min(t, pace_estimator::time_max));
  }

  /// A round took so long from joining to mixing. Under DTUR the wait that shows how slow the slowest are
  /// comes once per sweep, so a sweep's longest is observed.
  void observe_wait(nanoseconds t, std::uint64_t sweeps_completed) {
    if (for_everybody_)
      wait_.observe(t);
    longest_ = std::max(longest_, t);
    if (sweeps_completed == sweeps_timed_)
      return;
    wait_.observe(longest_);
    sweeps_timed_ = sweeps_completed;
    longest_ = nanoseconds{0};
  }

  /// After so many rounds, whoever is missing.
  nanoseconds limit(round_number rounds) const {
    const auto is_early = rounds < workers_ || (by_threshold_ && !wait_.observed());
    const auto later = static_cast<std::int64_t>(is_early ? 0 : rounds - workers_);
    const auto faded = std::max<nanoseconds>(unknown() / (64 + later) * 64, std::chrono::seconds{1});
    return wait_.observed() ? std::max(faded, wait_.bound()) : faded;
  }

  /// While a neighbour of this pace is missing: at least this.
  nanoseconds limit(const pace_estimator& pace) const { return pace.observed() ? pace.bound() : unknown(); }

private:
  nanoseconds unknown() const {
    const auto t = std::max<nanoseconds>(10 * first_steps_, std::chrono::seconds{10});
    return for_everybody_ ? 10 * t : t; // the slowest worker and the longest way, none of which was seen yet
  }

  std::size_t workers_;
  bool by_threshold_;
  bool for_everybody_;
  nanoseconds first_steps_{0}; ///< the longer one
  int steps_seen_ = 0;
  pace_estimator wait_;
  nanoseconds longest_{0};
  std::uint64_t sweeps_timed_ = 0;
};

} // namespace dybw
