#pragma once

#include <algorithm>
#include <cstddef>

namespace dybw {

/// Which degrees enter the Metropolis weights.
enum class weight_rule {
  active, ///< numbers accepted in the round, as both ends' `closed` messages say (the paper's p_i(k))
  graph,  ///< degrees of the planned graph
};

/// P_ij = 1 / (1 + max(d_i, d_j)) (arXiv 2102.06280, consensus matrix; Metropolis weights). Symmetric in its
/// arguments, and a worker with at most d_i such neighbours keeps at least 1/(1+d_i) on its diagonal.
constexpr double metropolis_weight(std::size_t degree_i, std::size_t degree_j) {
  return 1.0 / (1.0 + static_cast<double>(std::max(degree_i, degree_j)));
}

} // namespace dybw
