#pragma once

#include "learning/graph/topology.hpp"

#include <algorithm>
#include <vector>

namespace dybw {

/// Which edge of a graph joins two workers, as its place in `topology::edges()`: what is kept per edge is
/// found in time that does not depend on the number of workers. Safe to share; `graph` outlives this.
class edge_numbers {
public:
  explicit edge_numbers(const topology& graph) : graph_(graph), first_(graph.workers() + 1) {
    for (std::size_t i = 0; i < graph.workers(); ++i)
      first_[i + 1] = first_[i] + graph.degree(worker_at(i));
    numbers_.resize(first_.back());
    // Edges ascend: so each worker meets its own in the order of its neighbours.
    auto next = first_;
    for (std::size_t i = 0; i < graph.edges().size(); ++i)
      for (const auto end : {graph.edges()[i].a, graph.edges()[i].b})
        numbers_[next[index_of(end)]++] = static_cast<std::uint32_t>(i);
  }

  std::size_t count() const noexcept { return graph_.edges().size(); }

  /// `count()` if no edge joins them. REQUIRES: `from` is a worker of the graph.
  std::size_t between(worker_id from, worker_id to) const {
    const auto neighbours = graph_.neighbours(from);
    const auto i = std::lower_bound(neighbours.begin(), neighbours.end(), to);
    if (i == neighbours.end() || *i != to)
      return count();
    return numbers_[first_[index_of(from)] + static_cast<std::size_t>(i - neighbours.begin())];
  }

private:
  const topology& graph_;
  std::vector<std::size_t> first_;     ///< [workers+1], offsets into numbers_
  std::vector<std::uint32_t> numbers_; ///< [2*edges], by worker and ascending neighbour
};

} // namespace dybw
