#include "learning/model/sgd.hpp"

#include <cassert>
#include <cmath>

namespace dybw {

std::uint64_t rounds_per_pass(std::uint64_t training_samples, std::uint64_t workers, std::uint64_t batch) {
  assert(workers > 0 && batch > 0);
  if (batch >= training_samples || workers >= training_samples) // their product might not fit
    return 1;
  return (training_samples - 1) / (workers * batch) + 1;
}

double step_size_at(const sgd_options& options, round_number completed, std::uint64_t rounds_per_pass) {
  assert(rounds_per_pass > 0);
  return options.step_size * std::pow(options.step_decay, static_cast<double>(completed / rounds_per_pass));
}

void sgd_step(const sgd_options& options, double eta, std::span<const float> w,
              std::span<const float> gradient, std::span<const float> velocity,
              std::span<float> velocity_next, std::span<float> w_next) {
  assert(gradient.size() == w.size() && w_next.size() == w.size());
  const auto size = w.size();
  const auto step = static_cast<float>(eta);
  const auto decay = static_cast<float>(options.weight_decay);
  const auto* const w_old = w.data();
  const auto* const g = gradient.data();
  auto* const w_new = w_next.data();

  // Each element depends on its own index only, so the loops may run in packets (ivdep) although
  // `velocity_next` may be `velocity`.
  if (options.momentum == 0) {
#pragma GCC ivdep
    for (std::size_t i = 0; i < size; ++i)
      w_new[i] = w_old[i] - step * (g[i] + decay * w_old[i]);
    return;
  }
  assert(velocity.size() == size && velocity_next.size() == size);
  const auto momentum = static_cast<float>(options.momentum);
  const auto* const v_old = velocity.data();
  auto* const v_new = velocity_next.data();
#pragma GCC ivdep
  for (std::size_t i = 0; i < size; ++i) {
    const auto v = momentum * v_old[i] + (g[i] + decay * w_old[i]);
    v_new[i] = v;
    w_new[i] = w_old[i] - step * v;
  }
}

} // namespace dybw
