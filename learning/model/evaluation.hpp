#pragma once

#include <cstdint>

namespace dybw {

/// One evaluation of the estimates during a run.
struct evaluation {
  double time_s = 0; ///< since the run's start, when the last of the estimates was taken
  std::uint64_t local_steps = 0;
  double test_accuracy = 0; ///< of the average model, whole test set
  double test_loss = 0;
  double worst_worker_accuracy = 0; ///< interim evaluations: on the first 500 to 2,000 test samples
  double consensus_distance = 0;    ///< mean over workers of |w_i - mean|^2
  double cpu_s = 0;                 ///< processor time that this evaluation took
};

} // namespace dybw
