#include "learning/model/estimate_mover.hpp"

#include <algorithm>
#include <cmath>

namespace dybw {

namespace {

/// A gradient that counts for nearly 1 counts for 1: no step size is known that well, and where nothing was
/// averaged it saves a pass over the parameters.
bool is_nearly_1(double scale) {
  return std::abs(scale - 1) < 0.05;
}

} // namespace

parameter_block estimate_mover::add_step(const parameter_block& now, const step_ends& step, double scale,
                                         double share) {
  const auto& [began, at, stepped] = step;
  if (memory_.steps++ % measured_every == 1) // the first has no momentum yet
    memory_.step_length = distance_between(stepped.values(), at.values());
  if (!is_nearly_1(scale)) {
    if (now.values().data() != began.values().data()) // else nothing is learnt of neighbours
      memory_.agreement.observe(cosine_between(at.values(), stepped.values(), began.values(), now.values()));
    scale = memory_.agreement.temper(scale);
  }
  if (is_nearly_1(scale))
    scale = 1;
  const auto is_there = now.values().data() == at.values().data();
  if (scale == 1 && is_there && correction_.is_zero())
    return stepped;
  auto moved = pool_.acquire();
  if (scale == 1 && is_there)
    std::ranges::copy(stepped.values(), moved->values().begin());
  else
    add_difference(now.values(), stepped.values(), at.values(), scale, moved->values());
  correction_.add_to(moved->values(), scale * share);
  return parameter_block{std::move(moved)};
}

parameter_block estimate_mover::without_step(const parameter_block& now, const parameter_block& before,
                                             const parameter_block& after, double share) {
  auto point = pool_.acquire();
  add_difference(now.values(), before.values(), after.values(), share, point->values());
  return parameter_block{std::move(point)};
}

estimate_mover::absorbed estimate_mover::absorb(const parameter_block& own, const parameter_block& theirs,
                                                const parameter_block& mine, double weight, bool corrects) {
  auto moved = pool_.acquire();
  const auto seen = add_difference_with_witness(own.values(), theirs.values(), mine.values(), weight,
                                                moved->values(), *projection_);
  const auto strides = memory_.step_length > 0 ? seen.distance / memory_.step_length : 0;
  if (corrects && correction_.is_on()) {
    const auto one = mix_input{theirs.values(), weight, mine.values()};
    correction_.add(own.values(), {&one, 1});
  }
  return {parameter_block{std::move(moved)}, seen.projection_after - seen.projection_before, seen.norm_before,
          strides, correction_.seen()};
}

} // namespace dybw
