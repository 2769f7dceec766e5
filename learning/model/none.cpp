#include "learning/model/none.hpp"

#include "learning/base/error.hpp"

namespace dybw {

namespace {

class none final : public classifier {
public:
  std::string name() const override { return "none"; }
  std::size_t parameter_count() const noexcept override { return 0; }
  parameter_layout layout() const override { return {}; }
  void initialise(std::uint64_t, std::span<float>) const override {}
  std::unique_ptr<model_workspace> make_workspace(std::size_t) const override {
    return std::make_unique<model_workspace>();
  }
  double loss_and_gradient(std::span<const float>, const batch_view&, std::span<float>,
                           model_workspace&) const override {
    return 0;
  }
  batch_score score(std::span<const float>, const batch_view&, model_workspace&) const override { return {}; }
};

} // namespace

std::shared_ptr<const classifier> make_none(const std::string& parameters, const data_shape&) {
  if (!parameters.empty())
    throw input_error(input_fault::configuration, "none takes no parameters", "--model none:" + parameters,
                      "write none");
  return std::make_shared<none>();
}

} // namespace dybw
