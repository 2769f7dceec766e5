#pragma once

#include "learning/model/local_training.hpp"
#include "learning/model/make_model.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>

namespace dybw::test {

/// `samples` of four features and two classes, which softmax can tell apart.
inline std::shared_ptr<const dataset> small_data(std::size_t samples) {
  std::mt19937_64 generator{samples};
  std::uniform_real_distribution<float> feature{0, 1};
  auto data = std::make_shared<dataset>();
  data->features = 4;
  data->classes = 2;
  std::vector<float> values(samples * 4);
  for (auto& x : values)
    x = feature(generator);
  for (std::size_t i = 0; i < samples; ++i)
    data->labels.push_back(values[4 * i] > values[4 * i + 1] ? 1 : 0);
  data->values = std::move(values);
  return data;
}

inline std::shared_ptr<const training_setup> small_setup() {
  auto learner = make_model("softmax", {4, 2});
  const auto count = learner->parameter_count();
  return std::make_shared<const training_setup>(training_setup{
      std::move(learner), small_data(120), std::make_shared<const sign_projection>(1, count), {}, 8});
}

/// A block of the model's size, all entries `value`.
inline parameter_block filled_block(const dybw::model& learner, float value) {
  auto buffer = std::make_shared<float_buffer>(learner.parameter_count());
  std::ranges::fill(buffer->values(), value);
  return parameter_block{std::move(buffer)};
}

inline std::vector<std::uint32_t> rows_from(std::uint32_t first, std::size_t count) {
  std::vector<std::uint32_t> rows(count);
  std::iota(rows.begin(), rows.end(), first);
  return rows;
}

} // namespace dybw::test
