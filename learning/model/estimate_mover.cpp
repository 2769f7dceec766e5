#include "learning/model/estimate_mover.hpp"

#include <cmath>

namespace dybw {

namespace {

/// A gradient that counts for nearly 1 counts for 1: no step size is known that well, and where nothing was
/// averaged it saves a pass over the parameters.
bool is_nearly_1(double scale) {
  return std::abs(scale - 1) < 0.05;
}

} // namespace

parameter_block estimate_mover::add_step(const parameter_block& now, const parameter_block& from,
                                         const parameter_block& stepped, double scale) {
  if (memory_.steps++ % measured_every == 1) // the first has no momentum yet
    memory_.step_length = distance_between(stepped.values(), from.values());
  const auto was_moved = now.values().data() != from.values().data();
  if (!is_nearly_1(scale)) {
    if (was_moved) // else nothing is learnt of neighbours
      memory_.agreement.observe(cosine_between(from.values(), stepped.values(), now.values()));
    scale = memory_.agreement.temper(scale);
  }
  if (is_nearly_1(scale))
    scale = 1;
  if (scale == 1 && !was_moved)
    return stepped;
  return add(now, stepped, from, scale);
}

/// base + weight * (x - y)
parameter_block estimate_mover::add(const parameter_block& base, const parameter_block& x,
                                    const parameter_block& y, double weight) {
  auto moved = pool_.acquire();
  add_difference(base.values(), x.values(), y.values(), weight, moved->values());
  return parameter_block{std::move(moved)};
}

estimate_mover::absorbed estimate_mover::absorb(const parameter_block& own, const parameter_block& theirs,
                                                const parameter_block& mine, double weight) {
  auto moved = pool_.acquire();
  const auto seen = add_difference_with_witness(own.values(), theirs.values(), mine.values(), weight,
                                                moved->values(), *projection_);
  const auto strides = memory_.step_length > 0 ? seen.distance / memory_.step_length : 0;
  return {parameter_block{std::move(moved)}, seen.projection_after - seen.projection_before, seen.norm_before,
          strides};
}

} // namespace dybw
