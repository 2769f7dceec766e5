#pragma once

#include "learning/model/evaluation.hpp"

#include <span>
#include <string>

namespace dybw {

/// "rmse 0.132, f1 0.91": the scores but accuracy and loss, which have places of their own. Empty if there is
/// no other.
std::string score_text(std::span<const named_score> scores);

} // namespace dybw
