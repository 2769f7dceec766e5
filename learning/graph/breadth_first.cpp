#include "learning/graph/breadth_first.hpp"

namespace dybw {

breadth_first_tree breadth_first(const topology& graph, worker_id start) {
  breadth_first_tree tree;
  tree.distance.assign(graph.workers(), breadth_first_tree::unreached);
  tree.parent.resize(graph.workers());
  tree.order.reserve(graph.workers());
  tree.order.push_back(start);
  tree.distance[index_of(start)] = 0;
  tree.parent[index_of(start)] = start;
  // Stops as soon as all are reached, which spares most of the edges of a dense graph.
  for (std::size_t next = 0; next < tree.order.size() && tree.order.size() < graph.workers(); ++next) {
    const auto from = tree.order[next];
    for (const auto to : graph.neighbours(from)) {
      if (tree.distance[index_of(to)] != breadth_first_tree::unreached)
        continue;
      tree.distance[index_of(to)] = tree.distance[index_of(from)] + 1;
      tree.parent[index_of(to)] = from;
      tree.order.push_back(to);
    }
  }
  return tree;
}

} // namespace dybw
