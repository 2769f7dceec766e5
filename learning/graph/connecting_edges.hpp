#pragma once

#include "learning/graph/topology.hpp"

#include <functional>

namespace dybw {

/// How the connecting edge set is chosen (`--connect tree|path|file:PATH`): DTUR's script P, a set of edges
/// that joins all workers, each of which must be used once per coverage sweep.
struct connect_spec {
  enum class kind { tree, path, file };
  kind how = kind::tree;
  std::vector<edge> edges; ///< file: as read
};

/// Parses the option and checks it against the graph: a file's edges must be edges of the graph and join all
/// workers. Throws `input_error`. `path` uses edges of the graph along a walk of the workers in depth-first
/// order when there is no Hamiltonian path 0,1,2,.. in the graph; see the implementation for the exact rule.
connect_spec parse_connect(const std::string& text, const topology& graph);

/// The connecting edges of `self`'s own component of the graph that is left: `up(e)` says which planned edges
/// are usable (an edge of a worker that is down is not). Ascending. Every worker that knows the same facts
/// computes the same set.
///  - tree: breadth-first spanning tree from the component's centre (least eccentricity, then least id);
///  - path, file: the planned set as far as it is up; where it no longer joins the component, it is completed
///  with edges
///    in ascending order (Kruskal) until it does.
/// Empty if the component is one worker.
std::vector<edge> connecting_edges(const topology& graph, const connect_spec& spec, worker_id self,
                                   const std::function<bool(edge)>& up);

} // namespace dybw
