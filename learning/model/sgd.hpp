#pragma once

#include <cstdint>
#include <span>

namespace dybw {

/// Step rule of one worker. Velocity is local: never mixed, changed only by gradients that are used.
struct sgd_options {
  double step_size = 0.1;    ///< eta at epoch 0, >= 0
  double step_decay = 1.0;   ///< eta is multiplied by this per epoch of the worker's own shard, in (0,1]
  double momentum = 0.0;     ///< in [0,1)
  double weight_decay = 0.0; ///< L2: adds weight_decay * w to the gradient, >= 0
};

/// eta at the worker's own `epoch`: step_size * step_decay^epoch.
double step_size_at(const sgd_options& options, std::uint64_t epoch);

/// One step, in one pass over memory: v' = momentum * v + (g + weight_decay * w);  w~ = w - eta * v'.
/// All spans are [parameter_count] and do not overlap, except that `velocity_next` may be `velocity`. Without
/// momentum the velocity spans are not touched and may be empty. Keeping `velocity` apart from
/// `velocity_next` lets a caller drop a step.
void sgd_step(const sgd_options& options, double eta, std::span<const float> w,
              std::span<const float> gradient, std::span<const float> velocity,
              std::span<float> velocity_next, std::span<float> w_next);

} // namespace dybw
