#pragma once

#include "learning/graph/edge_numbers.hpp"
#include "learning/monitoring/process_metrics.hpp"

#include <memory>
#include <vector>

namespace dybw {

/// Counts how often each planned edge was mixed over, from the reports of its lower-numbered ends. Not
/// thread-safe.
class edge_commits {
public:
  explicit edge_commits(std::shared_ptr<const topology> graph)
      : graph_(std::move(graph)), numbers_(*graph_), counts_(numbers_.count()) {}

  void add(const mix_report& r) {
    for (const auto& term : r.committed)
      if (r.worker < term.neighbour)
        if (const auto i = numbers_.between(r.worker, term.neighbour); i < counts_.size())
          ++counts_[i];
  }

  /// The edges whose lower end fits, ascending.
  template <class Fits>
  std::vector<edge_metrics> where_lower(Fits fits) const {
    std::vector<edge_metrics> found;
    for (std::size_t i = 0; i < counts_.size(); ++i)
      if (fits(graph_->edges()[i].a))
        found.push_back({graph_->edges()[i], counts_[i]});
    return found;
  }

private:
  std::shared_ptr<const topology> graph_;
  edge_numbers numbers_;
  std::vector<std::uint64_t> counts_; ///< [edges]
};

} // namespace dybw
