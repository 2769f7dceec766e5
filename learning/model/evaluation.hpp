#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dybw {

/// A score by the name that a trainer gives it.
struct named_score {
  std::string name;
  double value = 0;
  bool smaller_is_better = false;
  friend bool operator==(const named_score&, const named_score&) = default;
};

/// A score that is good enough, as large or as small as it should be.
struct score_target {
  std::string name;
  double value = 0;
};

/// One evaluation of the estimates during a run, or at its end. The worst worker is measured on samples drawn
/// once by the run's seed, against the average model on the same ones: `worst_worker_accuracy` is
/// `test_accuracy` less what the worst of the workers scored is behind there. So one worker alone has the
/// average's accuracy, and neither the choice of the samples nor the number of workers moves the comparison.
struct evaluation {
  /// Since the run's start, when the last of the estimates was taken. In virtual time: when an estimate last
  /// changed.
  double time_s = 0;
  std::uint64_t local_steps = 0;
  std::optional<double> test_accuracy{}; ///< of the average model, whole test set; none: no trainer's score
  std::optional<double> test_loss{};     ///< likewise
  std::optional<double> worst_worker_accuracy{}; ///< none: no worker was scored
  double consensus_distance = 0;                 ///< mean over workers of |w_i - mean|^2
  double cpu_s = 0;                              ///< processor time that this evaluation took
  std::uint32_t scored_workers = 0;              ///< the worst is one of so many, drawn by the seed
  std::uint32_t scored_samples = 0;              ///< .. on so many test samples, drawn likewise
  bool at_end = false;               ///< of what the run left, after its last averages; not while it ran
  std::vector<named_score> scores{}; ///< of the average model, by a trainer; empty without trainers
};

/// Whether the average model is good enough: by its accuracy, or by a score that a trainer gives it.
inline bool reaches(const evaluation& e, const std::optional<double>& accuracy,
                    const std::optional<score_target>& target) {
  if (accuracy && e.test_accuracy >= *accuracy)
    return true;
  return target && std::ranges::any_of(e.scores, [&](const named_score& s) {
           return s.name == target->name &&
                  (s.smaller_is_better ? s.value <= target->value : s.value >= target->value);
         });
}

} // namespace dybw
