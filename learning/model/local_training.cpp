#include "learning/model/local_training.hpp"

#include <cassert>

namespace dybw {

local_training::local_training(std::shared_ptr<const training_setup> setup, parameter_block initial,
                               const parameter_block& velocity, worker_id id, const parameter_block& outer,
                               const parameter_block& correction)
    : setup_(std::move(setup)), learner_(make_learner(setup_, id)),
      outer_(setup_->outer, setup_->model->parameter_count()),
      correction_(setup_->correction, setup_->model->parameter_count(), setup_->projection),
      pool_(setup_->model->parameter_count(), [l = learner_.get()](std::size_t n) { return l->allocate(n); }),
      current_(std::move(initial)) {
  assert(current_.values().size() == setup_->model->parameter_count());
  learner_->restore(velocity, false);
  outer_.restore(outer);
  correction_.restore(correction, 0);
}

training_state local_training::state() {
  auto x = stepped_ ? training_state{{}, stepped_, learner_->state(true)}
                    : training_state{current_, {}, learner_->state(false)};
  if (learner_->is_opaque())
    x.learner = learner_->save();
  if (outer_.is_on()) {
    x.current = current_;
    x.outer = outer_.momentum();
  }
  x.correction = correction_.value();
  x.correction_generation = correction_.generation();
  return x;
}

void local_training::restore(const training_state& x) {
  current_ = x.current;
  stepped_ = x.stepped;
  learner_->restore(x.velocity, bool{stepped_});
  outer_.restore(x.outer);
  correction_.restore(x.correction, x.correction_generation);
}

void local_training::repeat_gradient(std::span<const std::uint32_t> rows, training_workspace& workspace) {
  if (setup_->sgd.step_size > 0)
    learner_->repeat({rows, 0, &workspace}, current_.values());
}

local_training::step_outcome local_training::step(row_batches batches, round_number completed,
                                                  training_workspace& workspace,
                                                  const std::atomic<bool>* dropped) {
  const auto share = correction_.is_zero() ? 0 : step_share(*setup_, completed);
  return advance(batches, completed, workspace, dropped, share / static_cast<double>(batches.size()));
}

/// `correction_share`: of the correction, to be added after each gradient step.
local_training::step_outcome local_training::advance(row_batches batches, round_number completed,
                                                     training_workspace& workspace,
                                                     const std::atomic<bool>* dropped,
                                                     double correction_share) {
  assert(!batches.empty());
  step_outcome made;
  if (setup_->sgd.step_size == 0) {
    stepped_ = made.estimate = current_;
    for (const auto rows : batches)
      made.samples += rows.size();
    return made;
  }
  auto next = pool_.acquire();
  std::shared_ptr<float_buffer> last;
  for (const auto& rows : batches) {
    const auto goes_on = &rows != batches.data();
    if (goes_on) {
      if (dropped != nullptr && *dropped)
        break;
      if (!last)
        last = pool_.acquire();
      next.swap(last);
    }
    const auto w = goes_on ? std::as_const(*last).values() : current_.values();
    const auto done = learner_->step({rows, completed, &workspace, goes_on}, w, next->values());
    if (correction_share > 0)
      correction_.add_to(next->values(), correction_share);
    made.loss += done.loss;
    made.samples += done.samples;
  }
  made.loss /= static_cast<double>(batches.size());
  stepped_ = made.estimate = parameter_block{std::move(next)};
  return made;
}

local_training::mix_outcome local_training::mix(std::span<const weighted_block> neighbours,
                                                training_workspace& workspace, std::uint64_t generation) {
  assert(stepped_);
  if (setup_->sgd.step_size > 0)
    learner_->keep();
  mix_outcome outcome;
  const auto own = stepped_.values();
  correction_.enter(generation);
  if (neighbours.empty()) {
    outcome.projection_before = outcome.projection_after = (*setup_->projection)(own);
    outcome.norm_before = norm(own);
    if (outer_.is_on()) {
      auto moved = pool_.acquire(); // neighbours may hold w~
      outer_.apply(current_.values(), own, moved->values());
      current_ = parameter_block{std::move(moved)};
    } else {
      current_ = std::move(stepped_);
    }
  } else {
    workspace.inputs_.clear();
    for (const auto& n : neighbours)
      workspace.inputs_.push_back({n.estimate.values(), n.weight, n.own.values()});
    auto mixed = pool_.acquire();
    const auto seen = mix_with_witness(own, workspace.inputs_, mixed->values(), *setup_->projection);
    outcome.projection_before = seen.projection_before;
    outcome.norm_before = seen.norm_before;
    outcome.projection_after = seen.projection_after;
    if (outer_.is_on())
      outer_.apply(current_.values(), mixed->values(), mixed->values());
    current_ = parameter_block{std::move(mixed)};
    if (correction_.is_on()) {
      auto& counting = workspace.inputs_;
      for (auto i = neighbours.size(); i-- > 0;)
        if (!neighbours[i].corrects)
          counting.erase(counting.begin() + static_cast<std::ptrdiff_t>(i));
      correction_.add(own, counting);
    }
  }
  outcome.correction = correction_.seen();
  stepped_ = parameter_block{};
  outcome.mixed = current_;
  return outcome;
}

local_training::step_outcome local_training::step_from(const parameter_block& at, row_batches batches,
                                                       round_number completed, training_workspace& workspace,
                                                       const std::atomic<bool>* dropped) {
  current_ = at;
  auto done = advance(batches, completed, workspace, dropped, 0);
  if (setup_->sgd.step_size > 0)
    learner_->keep();
  if (outer_.is_on()) {
    auto moved = pool_.acquire();
    outer_.apply(at.values(), stepped_.values(), moved->values());
    stepped_ = done.estimate = parameter_block{std::move(moved)};
  }
  current_ = std::move(stepped_);
  return done;
}

} // namespace dybw
