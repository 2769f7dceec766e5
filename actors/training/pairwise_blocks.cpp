#include "actors/training/pairwise_blocks.hpp"

namespace dybw {

pairwise_blocks::pairwise_blocks(const training_setup* setup) : setup_(setup) {
  if (setup == nullptr)
    return;
  parameter_count_ = setup->model->parameter_count();
  mover_.emplace(parameter_count_, setup->projection, setup->correction);
}

parameter_block pairwise_blocks::begin_step(const parameter_block& own, double unanswered) {
  began_ = own;
  const auto before = std::exchange(before_step_, {});
  const auto after = std::exchange(after_step_, {});
  return mover_ && unanswered > 0 ? mover_->without_step(own, before, after, unanswered) : own;
}

parameter_block pairwise_blocks::add_step(const parameter_block& own, const parameter_block& at,
                                          const parameter_block& stepped, const take_step& x) {
  if (!mover_)
    return own;
  mover_->correction().enter(x.generation);
  before_step_ = own;
  after_step_ = mover_->add_step(own, {std::exchange(began_, {}), at, stepped}, x.scale,
                                 step_share(*setup_, x.round - 1));
  return after_step_;
}

bool pairwise_blocks::take(worker_id from, const parameter_block& block, bool needed) {
  auto& came = held_[from].came;
  if (block)
    came = block;
  return !needed || !mover_ || came.values().size() == parameter_count_;
}

parameter_block pairwise_blocks::absorb(const parameter_block& own, const dybw::absorb& x) {
  auto& held = held_[x.half.neighbour];
  const auto mine = std::exchange(x.own_offer ? held.offered : held.answered, {});
  const auto theirs = std::exchange(held.came, {});
  auto& half = news_.halves.emplace_back(x.half);
  if (!mover_)
    return own;
  mover_->correction().enter(half.generation);
  const auto done = mover_->absorb(own, theirs, mine, half.weight, half.corrects);
  half.projection = done.projection;
  half.size = done.size;
  half.correction = done.correction.projection;
  half.correction_size = done.correction.norm;
  disagreement_.observe(done.strides);
  return done.estimate;
}

} // namespace dybw
