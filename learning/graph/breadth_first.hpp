#pragma once

#include "learning/graph/topology.hpp"

#include <limits>

namespace dybw {

/// What a breadth-first search found. Neighbours are visited in ascending order, so the result depends on the
/// graph and the start only.
struct breadth_first_tree {
  static constexpr std::size_t unreached = std::numeric_limits<std::size_t>::max();

  std::vector<worker_id> order;      ///< the workers reached, nearest first; the start is the first
  std::vector<std::size_t> distance; ///< [workers], in edges; `unreached`
  std::vector<worker_id> parent;     ///< [workers], where reached; the start's is itself

  /// Distance of the farthest worker reached.
  std::size_t eccentricity() const { return distance[index_of(order.back())]; }
};

breadth_first_tree breadth_first(const topology& graph, worker_id start);

} // namespace dybw
