#pragma once

#include "learning/model/evaluation.hpp"

#include <string>

namespace dybw {

/// A line of evals.jsonl, without its end: the evaluation as a JSON object. What is unset or not finite is
/// null.
std::string evaluation_line(const evaluation& e);

} // namespace dybw
