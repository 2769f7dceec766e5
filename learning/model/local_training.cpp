#include "learning/model/local_training.hpp"

#include <cassert>

namespace dybw {

local_training::local_training(std::shared_ptr<const training_setup> setup, parameter_block initial,
                               const parameter_block& velocity, worker_id id)
    : setup_(std::move(setup)), learner_(make_learner(setup_, id)),
      pool_(setup_->model->parameter_count(), [l = learner_.get()](std::size_t n) { return l->allocate(n); }),
      current_(std::move(initial)) {
  assert(current_.values().size() == setup_->model->parameter_count());
  learner_->restore(velocity, false);
}

training_state local_training::state() {
  auto x = stepped_ ? training_state{{}, stepped_, learner_->state(true)}
                    : training_state{current_, {}, learner_->state(false)};
  if (learner_->is_opaque())
    x.learner = learner_->save();
  return x;
}

void local_training::restore(const training_state& x) {
  current_ = x.current;
  stepped_ = x.stepped;
  learner_->restore(x.velocity, bool{stepped_});
}

void local_training::repeat_gradient(std::span<const std::uint32_t> rows, training_workspace& workspace) {
  if (setup_->sgd.step_size > 0)
    learner_->repeat({rows, 0, &workspace}, current_.values());
}

local_training::step_outcome local_training::step(std::span<const std::uint32_t> rows, round_number completed,
                                                  training_workspace& workspace) {
  if (setup_->sgd.step_size == 0) {
    stepped_ = current_;
    return {stepped_, 0, rows.size()};
  }
  auto next = pool_.acquire();
  const auto done = learner_->step({rows, completed, &workspace}, current_.values(), next->values());
  stepped_ = parameter_block{std::move(next)};
  return {stepped_, done.loss, done.samples};
}

local_training::mix_outcome local_training::mix(std::span<const weighted_block> neighbours,
                                                training_workspace& workspace) {
  assert(stepped_);
  if (setup_->sgd.step_size > 0)
    learner_->keep();
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
    learner_->keep();
  current_ = std::move(stepped_);
  return done;
}

} // namespace dybw
