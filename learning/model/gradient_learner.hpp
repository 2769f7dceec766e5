#pragma once

#include "learning/model/training_setup.hpp"

namespace dybw {

/// Gradient steps of a classifier on the run's data, with or without momentum:
///
///     w~ = w - eta * v,  v = momentum * v + gradient(w) + weight_decay * w
///
/// v is kept in two places, so that a step that does not count leaves no trace.
class gradient_learner final : public local_learner {
public:
  /// REQUIRES: the setup's model is a classifier, and it has data.
  explicit gradient_learner(std::shared_ptr<const training_setup> setup);

  learner_output step(const learner_input& at, std::span<const float> w, std::span<float> next) override;
  void keep() override { velocity_.swap(velocity_next_); }
  void repeat(const learner_input& at, std::span<const float> w) override { compute_gradient(at, w); }
  parameter_block state(bool of_newest) const override; ///< v
  void restore(const parameter_block& state, bool of_newest) override;

private:
  double compute_gradient(const learner_input& at, std::span<const float> w);

  std::shared_ptr<const training_setup> setup_;
  const classifier& classifier_;
  std::vector<float> velocity_; ///< empty without momentum
  std::vector<float> velocity_next_;
};

} // namespace dybw
