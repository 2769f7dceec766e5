#pragma once

#include "learning/model/model.hpp"

namespace dybw {

/// Parses `softmax` or `mlp:H1,H2,..` and builds the model for `features` inputs and `classes` classes.
/// `none` gives a model without parameters whose loss is 0. Throws `input_error` (configuration fault) for
/// anything else.
std::shared_ptr<const model> make_model(const std::string& text, std::size_t features, std::size_t classes);

} // namespace dybw
