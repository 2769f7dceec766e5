#pragma once

#include "learning/base/types.hpp"

#include <cstdint>
#include <span>

namespace dybw {

/// Step rule of one worker. Velocity is local: never mixed, changed only by gradients that are used.
struct sgd_options {
  double step_size = 0.1;    ///< eta at first, >= 0
  double step_decay = 1.0;   ///< eta is multiplied by this after each pass over all training data, in (0,1]
  double momentum = 0.0;     ///< in [0,1)
  double weight_decay = 0.0; ///< L2: adds weight_decay * w to the gradient, >= 0
};

/// In how many rounds all workers together take as many samples as there are, if each takes part with a full
/// mini-batch: what counts as a pass over the data for `step_decay`. REQUIRES: workers, batch >= 1.
std::uint64_t rounds_per_pass(std::uint64_t training_samples, std::uint64_t workers, std::uint64_t batch);

/// eta of the step after `completed` rounds: step_size * step_decay^passes. It depends on the round alone, so
/// that everybody's steps of a round have the same size, however large the shards are: with sizes of their
/// own the workers would weigh unequally, and settle elsewhere.
double step_size_at(const sgd_options& options, round_number completed, std::uint64_t rounds_per_pass);

/// One step, in one pass over memory: v' = momentum * v + (g + weight_decay * w);  w~ = w - eta * v'.
/// All spans are [parameter_count] and do not overlap, except that `velocity_next` may be `velocity`. Without
/// momentum the velocity spans are not touched and may be empty. Keeping `velocity` apart from
/// `velocity_next` lets a caller drop a step.
void sgd_step(const sgd_options& options, double eta, std::span<const float> w,
              std::span<const float> gradient, std::span<const float> velocity,
              std::span<float> velocity_next, std::span<float> w_next);

} // namespace dybw
