#pragma once

#include "learning/model/model.hpp"
#include "learning/model/parameter_block.hpp"

#include <algorithm>
#include <utility>

namespace dybw {

/// A model of which no more is known than what it is called, its arrays and where it begins: what learners
/// that are not built in learn.
class given_model final : public model {
public:
  given_model(std::string name, parameter_layout layout, parameter_block start)
      : name_(std::move(name)), layout_(std::move(layout)), start_(std::move(start)) {}

  std::string name() const override { return name_; }
  std::size_t parameter_count() const noexcept override { return start_.values().size(); }
  parameter_layout layout() const override { return layout_; }
  void initialise(std::uint64_t, std::span<float> parameters) const override {
    std::ranges::copy(start_.values(), parameters.begin());
  }
  /// Where it begins.
  const parameter_block& start() const noexcept { return start_; }

private:
  std::string name_;
  parameter_layout layout_;
  parameter_block start_;
};

} // namespace dybw
