#pragma once

#include "apps/options/option_values.hpp"
#include "learning/run/run_config.hpp"

namespace dybw {

/// Reads how many gradient steps workers take between two exchanges, what they make of the way that these
/// led, and how that travels: --local-steps, --local-time, --outer-momentum, --outer-step, --correction,
/// --send. Throws `input_error`. REQUIRES: the model and its steps are read.
void read_strides(const option_values& given, run_config& config);

} // namespace dybw
