#include "learning/model/estimate_mover.hpp"

namespace dybw {

parameter_block estimate_mover::add_step(const parameter_block& now, const parameter_block& from,
                                         const parameter_block& stepped, double scale) {
  if (scale != 1) {
    agreement_.observe(cosine_between(from.values(), stepped.values(), now.values()));
    scale = agreement_.temper(scale);
  }
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
  return {parameter_block{std::move(moved)}, seen.projection_after - seen.projection_before,
          seen.norm_before};
}

} // namespace dybw
