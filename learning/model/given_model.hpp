#pragma once

#include "learning/model/model.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace dybw {

/// A model of which no more is known than what it is called, its arrays and where it begins: what learners
/// that are not built in learn.
class given_model final : public model {
public:
  given_model(std::string name, parameter_layout layout, std::vector<float> values)
      : name_(std::move(name)), layout_(std::move(layout)), values_(std::move(values)) {}

  std::string name() const override { return name_; }
  std::size_t parameter_count() const noexcept override { return values_.size(); }
  parameter_layout layout() const override { return layout_; }
  void initialise(std::uint64_t, std::span<float> parameters) const override {
    std::ranges::copy(values_, parameters.begin());
  }

private:
  std::string name_;
  parameter_layout layout_;
  std::vector<float> values_;
};

} // namespace dybw
