#pragma once

#include "learning/consensus/reports/run_statistics.hpp"
#include "learning/model/parameter_block.hpp"
#include "learning/run/run_result.hpp"

#include <vector>

namespace dybw {

/// A run as it ended.
struct finished_run {
  run_result result;
  std::vector<worker_series> series;
  double bin_width_s = 0;
  parameter_block average; ///< of the estimates at the end; none with `--model none`
};

} // namespace dybw
