#pragma once

#include "apps/options/option_values.hpp"
#include "learning/run/run_config.hpp"

#include <string_view>

namespace dybw {

/// Reads the options of a run whose trainers (--trainer or --attach) or learners (`config.own_learner`) have
/// a model and data of their own. How they step is their affair: options of built-in models are refused.
/// Throws `input_error`.
void read_own_model(const option_values& given, run_config& config);

/// Whether it can stand for a command that a node offers: letters, digits, '.', '-' and '_'.
bool is_trainer_name(std::string_view name) noexcept;

/// Reads --target. Throws `input_error`.
score_target read_target(const option_values& given, const run_config& config);

} // namespace dybw
