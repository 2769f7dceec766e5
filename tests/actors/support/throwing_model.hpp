#pragma once

#include "tests/actors/support/small_training.hpp"

#include <atomic>
#include <new>
#include <stdexcept>
#include <utility>

namespace dybw::test {

/// A model with a bug.
class throwing_model final : public classifier {
public:
  std::string name() const override { return "throwing"; }
  std::size_t parameter_count() const noexcept override { return 3; }
  void initialise(std::uint64_t, std::span<float> parameters) const override {
    std::ranges::fill(parameters, 0.0F);
  }
  std::unique_ptr<model_workspace> make_workspace(std::size_t) const override {
    return std::make_unique<model_workspace>();
  }
  double loss_and_gradient(std::span<const float>, const batch_view&, std::span<float>,
                           model_workspace&) const override {
    throw std::runtime_error("the model is broken");
  }
  batch_score score(std::span<const float>, const batch_view&, model_workspace&) const override { return {}; }
};

/// Another model, in all that is not overridden.
class wrapped_model : public classifier {
public:
  explicit wrapped_model(std::shared_ptr<const classifier> other) : other_(std::move(other)) {}

  std::string name() const override { return other_->name(); }
  std::size_t parameter_count() const noexcept override { return other_->parameter_count(); }
  void initialise(std::uint64_t seed, std::span<float> parameters) const override {
    other_->initialise(seed, parameters);
  }
  std::unique_ptr<model_workspace> make_workspace(std::size_t samples_max) const override {
    return other_->make_workspace(samples_max);
  }
  double loss_and_gradient(std::span<const float> parameters, const batch_view& batch,
                           std::span<float> gradient, model_workspace& workspace) const override {
    return other_->loss_and_gradient(parameters, batch, gradient, workspace);
  }
  batch_score score(std::span<const float> parameters, const batch_view& batch,
                    model_workspace& workspace) const override {
    return other_->score(parameters, batch, workspace);
  }

private:
  std::shared_ptr<const classifier> other_;
};

/// There is no memory for its first score.
class unscored_model final : public wrapped_model {
public:
  using wrapped_model::wrapped_model;
  batch_score score(std::span<const float> parameters, const batch_view& batch,
                    model_workspace& workspace) const override {
    if (!thrown_.exchange(true))
      throw std::bad_alloc{};
    return wrapped_model::score(parameters, batch, workspace);
  }

private:
  mutable std::atomic<bool> thrown_{false};
};

inline std::shared_ptr<const training_setup> throwing_setup() {
  auto setup = *small_setup();
  setup.model = std::make_shared<throwing_model>();
  setup.projection = std::make_shared<const sign_projection>(1, setup.model->parameter_count());
  return std::make_shared<const training_setup>(std::move(setup));
}

} // namespace dybw::test
