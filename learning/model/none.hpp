#pragma once

#include "learning/data/dataset.hpp"
#include "learning/model/model.hpp"

namespace dybw {

/// No parameters, loss 0, no hits: for runs that study the rounds alone. Throws `input_error` (configuration
/// fault) if `parameters` is not empty.
std::shared_ptr<const classifier> make_none(const std::string& parameters, const data_shape& data);

} // namespace dybw
