#include "learning/model/gradient_learner.hpp"

#include <algorithm>
#include <cassert>

namespace dybw {

namespace {

const classifier& classifier_of(const training_setup& setup) {
  return dynamic_cast<const classifier&>(*setup.model);
}

} // namespace

double step_share(const training_setup& setup, round_number completed) {
  if (setup.learners || !(setup.sgd.step_size > 0))
    return 1;
  return step_size_at(setup.sgd, completed, setup.rounds_per_pass) / setup.sgd.step_size;
}

training_workspace::training_workspace(const training_setup& setup)
    : features_(setup.data ? setup.batch * setup.data->features : 0), labels_(setup.data ? setup.batch : 0),
      gradient_(setup.data ? setup.model->parameter_count() : 0),
      scratch_(setup.data ? classifier_of(setup).make_workspace(setup.batch) : nullptr) {}

std::unique_ptr<local_learner> make_learner(const std::shared_ptr<const training_setup>& setup,
                                            worker_id id) {
  return setup->learners ? setup->learners(id) : std::make_unique<gradient_learner>(setup);
}

gradient_learner::gradient_learner(std::shared_ptr<const training_setup> setup)
    : setup_(std::move(setup)), classifier_(classifier_of(*setup_)) {
  if (setup_->sgd.momentum > 0) {
    velocity_.resize(classifier_.parameter_count());
    velocity_next_.resize(velocity_.size());
  }
}

double gradient_learner::compute_gradient(const learner_input& at, std::span<const float> w) {
  const auto& data = *setup_->data;
  auto& workspace = *at.workspace;
  assert(!at.rows.empty() && at.rows.size() <= setup_->batch);
  const auto features = workspace.features_.values().first(at.rows.size() * data.features);
  const auto labels = std::span{workspace.labels_}.first(at.rows.size());
  data.gather(at.rows, features, labels);
  return classifier_.loss_and_gradient(w, batch_view{features, labels}, workspace.gradient_.values(),
                                       *workspace.scratch_);
}

learner_output gradient_learner::step(const learner_input& at, std::span<const float> w,
                                      std::span<float> next) {
  const auto loss = compute_gradient(at, w);
  sgd_step(setup_->sgd, step_size_at(setup_->sgd, at.completed, setup_->rounds_per_pass), w,
           at.workspace->gradient_.values(), at.goes_on ? velocity_next_ : velocity_, velocity_next_, next);
  return {loss, at.rows.size()};
}

parameter_block gradient_learner::state(bool of_newest) const {
  return copy_of(of_newest ? velocity_next_ : velocity_);
}

void gradient_learner::restore(const parameter_block& state, bool of_newest) {
  if (velocity_.empty() || !state)
    return;
  assert(state.values().size() == velocity_.size());
  std::ranges::copy(state.values(), (of_newest ? velocity_next_ : velocity_).begin());
}

} // namespace dybw
