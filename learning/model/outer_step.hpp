#pragma once

#include "learning/model/parameter_block.hpp"

#include <cassert>
#include <span>
#include <vector>

namespace dybw {

/// What is made of the way that a worker's gradient steps and averaging led since its last exchange. Off by
/// default: the way counts as it is.
struct outer_options {
  double momentum = 0; ///< B in [0,1)
  double step = 1;     ///< E > 0
  bool is_on() const noexcept { return momentum != 0 || step != 1; }
};

/// What is taken for the one that is not given. With more momentum the workers of a sparse graph drift apart.
constexpr outer_options outer_standard{0.5, 0.7};

/// An optimiser over rounds: with phi where a worker was before its step and bar where averaging left it,
///
///     m = B m + (bar - phi),  w = phi + E m
///
/// Edges are mutual, so what averaging adds to bar - phi is 0 in sum over the workers: where all take part,
/// their mean moves as one central outer optimiser would move it, whatever edges were committed. (DiLoCo,
/// arXiv 2311.08105; SlowMo, arXiv 1910.00643; here without a byte more on the links.)
class outer_step {
public:
  outer_step(const outer_options& options, std::size_t parameter_count)
      : options_(options), momentum_(options.is_on() ? parameter_count : 0) {}

  bool is_on() const noexcept { return options_.is_on(); }
  /// Writes w to `out`, which may be `bar`. [parameter_count] each. REQUIRES: is_on()
  void apply(std::span<const float> phi, std::span<const float> bar, std::span<float> out) {
    assert(is_on() && phi.size() == momentum_.size() && bar.size() == phi.size() && out.size() == phi.size());
    const auto size = phi.size();
    const auto keep = static_cast<float>(options_.momentum);
    const auto step = static_cast<float>(options_.step);
    const auto* const from = phi.data();
    const auto* const to = bar.data();
    auto* const m = momentum_.data();
    auto* const w = out.data();
#pragma GCC ivdep // each element depends on its own index only, also where `out` is `bar`
    for (std::size_t i = 0; i < size; ++i) {
      m[i] = keep * m[i] + (to[i] - from[i]);
      w[i] = from[i] + step * m[i];
    }
  }

  /// m, a copy; none if it is off.
  parameter_block momentum() const {
    return copy_of(momentum_);
  }
  /// None: at rest.
  void restore(const parameter_block& momentum) {
    if (!is_on() || !momentum)
      return;
    assert(momentum.values().size() == momentum_.size());
    std::ranges::copy(momentum.values(), momentum_.begin());
  }

private:
  outer_options options_;
  std::vector<float> momentum_; ///< m
};

} // namespace dybw
