#include "learning/model/local_training.hpp"

#include <algorithm>
#include <cassert>

namespace dybw {

namespace {

parameter_block copy_of(std::span<const float> values) {
  if (values.empty())
    return {};
  auto copy = std::make_shared<float_buffer>(values.size());
  std::ranges::copy(values, copy->values().begin());
  return parameter_block{std::move(copy)};
}

} // namespace

training_workspace::training_workspace(const training_setup& setup)
    : features_(setup.batch * setup.data->features), labels_(setup.batch),
      gradient_(setup.learner->parameter_count()), scratch_(setup.learner->make_workspace(setup.batch)) {}

local_training::local_training(std::shared_ptr<const training_setup> setup, parameter_block initial,
                               const parameter_block& velocity)
    : setup_(std::move(setup)), pool_(setup_->learner->parameter_count()), current_(std::move(initial)) {
  assert(current_.values().size() == setup_->learner->parameter_count());
  if (setup_->sgd.momentum > 0) {
    velocity_.resize(setup_->learner->parameter_count());
    velocity_next_.resize(velocity_.size());
    if (velocity) {
      assert(velocity.values().size() == velocity_.size());
      std::ranges::copy(velocity.values(), velocity_.begin());
    }
  }
}

parameter_block local_training::velocity() const {
  return copy_of(velocity_);
}

training_state local_training::state() const {
  if (stepped_)
    return {{}, stepped_, copy_of(velocity_next_)};
  return {current_, {}, copy_of(velocity_)};
}

void local_training::restore(const training_state& x) {
  current_ = x.current;
  stepped_ = x.stepped;
  if (!velocity_.empty())
    std::ranges::copy(x.velocity.values(), (stepped_ ? velocity_next_ : velocity_).begin());
}

double local_training::compute_gradient(std::span<const std::uint32_t> rows, training_workspace& workspace) {
  const auto& data = *setup_->data;
  assert(!rows.empty() && rows.size() <= setup_->batch);
  const auto features = workspace.features_.values().first(rows.size() * data.features);
  const auto labels = std::span{workspace.labels_}.first(rows.size());
  data.gather(rows, features, labels);
  return setup_->learner->loss_and_gradient(current_.values(), batch_view{features, labels},
                                            workspace.gradient_.values(), *workspace.scratch_);
}

void local_training::repeat_gradient(std::span<const std::uint32_t> rows, training_workspace& workspace) {
  if (setup_->sgd.step_size > 0)
    compute_gradient(rows, workspace);
}

local_training::step_outcome local_training::step(std::span<const std::uint32_t> rows, round_number completed,
                                                  training_workspace& workspace) {
  if (setup_->sgd.step_size == 0) {
    stepped_ = current_;
    return {stepped_, 0};
  }
  const auto loss = compute_gradient(rows, workspace);
  auto next = pool_.acquire();
  sgd_step(setup_->sgd, step_size_at(setup_->sgd, completed, setup_->rounds_per_pass), current_.values(),
           workspace.gradient_.values(), velocity_, velocity_next_, next->values());
  stepped_ = parameter_block{std::move(next)};
  return {stepped_, loss};
}

local_training::mix_outcome local_training::mix(std::span<const weighted_block> neighbours,
                                                training_workspace& workspace) {
  assert(stepped_);
  velocity_.swap(velocity_next_);
  mix_outcome outcome;
  const auto own = stepped_.values();
  if (neighbours.empty()) {
    outcome.projection_before = outcome.projection_after = (*setup_->projection)(own);
    outcome.norm_before = norm(own);
    current_ = std::move(stepped_);
  } else {
    workspace.inputs_.clear();
    for (const auto& n : neighbours)
      workspace.inputs_.push_back({n.estimate.values(), n.weight});
    auto mixed = pool_.acquire();
    const auto seen = mix_with_witness(own, workspace.inputs_, mixed->values(), *setup_->projection);
    outcome.projection_before = seen.projection_before;
    outcome.norm_before = seen.norm_before;
    outcome.projection_after = seen.projection_after;
    current_ = parameter_block{std::move(mixed)};
  }
  stepped_ = parameter_block{};
  outcome.mixed = current_;
  return outcome;
}

local_training::step_outcome local_training::step_from(const parameter_block& at,
                                                       std::span<const std::uint32_t> rows,
                                                       round_number completed,
                                                       training_workspace& workspace) {
  current_ = at;
  auto done = step(rows, completed, workspace);
  if (setup_->sgd.step_size > 0)
    velocity_.swap(velocity_next_);
  current_ = std::move(stepped_);
  return done;
}

} // namespace dybw
