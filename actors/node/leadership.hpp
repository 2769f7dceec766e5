#pragma once

#include "messages/control.hpp"

#include <vector>

namespace dybw {

/// Which node leads this node's part of the network: the one that hosts the lowest-numbered worker of the
/// part. Nobody is elected; every worker knows its part from the flooded facts. Where the workers of a node
/// see different parts (its links to some neighbours are down), the largest counts, then the one of lowest
/// number; so of all parts that meet on nodes, the node of the best of them leads. Pure; not thread-safe.
class leadership {
public:
  /// How long a node that was not leading waits before it does: parts change in several steps.
  static constexpr nanoseconds settle_time{std::chrono::seconds{1}};

  /// At the beginning of a run all are in one part. A node that joins later is alone until it hears others.
  leadership(std::vector<node_index> placement, node_index self, bool joins, nanoseconds now);

  void changed(worker_id worker, std::size_t component, worker_id lowest, nanoseconds now);

  node_index lead() const noexcept { return lead_; }
  std::size_t component() const noexcept { return component_; } ///< workers in this part
  bool leads(nanoseconds now) const noexcept { return lead_ == self_ && now >= leads_from_; }

private:
  struct view {
    worker_id worker{};
    std::size_t component = 0;
    worker_id lowest{};
  };
  void choose(nanoseconds now, bool at_once);

  std::vector<node_index> placement_;
  node_index self_;
  std::vector<view> views_; ///< of the workers here
  node_index lead_{};
  std::size_t component_ = 0;
  nanoseconds leads_from_{0};
};

} // namespace dybw
