#pragma once

#include "learning/data/dataset.hpp"
#include "learning/model/model.hpp"

namespace dybw {

/// Parses `softmax`, `mlp:H1,H2,..` or `cnn:..` (cnn.hpp) and builds the model for such samples. `none` gives
/// a model without parameters whose loss is 0. Throws `input_error` (configuration fault) for anything else.
std::shared_ptr<const classifier> make_model(const std::string& text, const data_shape& data);

/// Throws like `make_model` for what is no model of any data.
void check_model(const std::string& text);

} // namespace dybw
