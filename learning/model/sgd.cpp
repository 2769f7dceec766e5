#include "learning/model/sgd.hpp"

#include <cassert>
#include <cmath>

namespace dybw {

double step_size_at(const sgd_options& options, std::uint64_t epoch) {
  return options.step_size * std::pow(options.step_decay, static_cast<double>(epoch));
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
