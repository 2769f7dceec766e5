#pragma once

#include "learning/data/dataset.hpp"
#include "learning/model/model.hpp"

namespace dybw {

/// Multinomial logistic regression. Convex; starts close to zero, where the loss is log(classes). Throws
/// `input_error` (configuration fault) if `parameters`, what follows the colon in "softmax:..", is not empty.
std::shared_ptr<const classifier> make_softmax(const std::string& parameters, const data_shape& data);

} // namespace dybw
