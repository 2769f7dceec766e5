#pragma once

#include "tests/actors/support/small_training.hpp"

#include <stdexcept>

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

inline std::shared_ptr<const training_setup> throwing_setup() {
  auto setup = *small_setup();
  setup.model = std::make_shared<throwing_model>();
  setup.projection = std::make_shared<const sign_projection>(1, setup.model->parameter_count());
  return std::make_shared<const training_setup>(std::move(setup));
}

} // namespace dybw::test
