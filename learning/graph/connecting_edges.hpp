#pragma once

#include "learning/graph/topology.hpp"

#include <functional>

namespace dybw {

/// How the connecting edge set is chosen (`--connect tree|path|file:PATH|any`): DTUR's script P, a set of
/// edges that joins all workers, each of which must be used once per coverage sweep; `any`: as many of all
/// edges as join all workers, whichever come first (`sweep_end::all_joined`).
struct connect_spec {
  enum class kind { tree, path, file, any };
  kind how = kind::tree;
  std::vector<edge> edges; ///< path, file: the planned set, ascending; otherwise empty
};

/// Parses the option and checks it against the graph: a file's edges must be edges of the graph and join all
/// workers. `path` takes 0-1-2-..-N-1 if the graph holds all of these edges; otherwise the edges by which a
/// depth-first walk from worker 0, always on to the unvisited neighbour of least number and back where there
/// is none, first comes to each worker. Throws `input_error`: data fault for an unreadable or malformed file,
/// else configuration fault. REQUIRES: the graph is connected.
connect_spec parse_connect(const std::string& text, const topology& graph);

/// The connecting edges of `self`'s own component of the graph that is left: `up(e)`, called once for each
/// planned edge, says whether it is usable (an edge of a worker that is down is not). Ascending. The result
/// depends on the component alone, so every worker of it that knows the same facts computes the same set.
///  - tree: breadth-first spanning tree from the component's centre (least eccentricity, then least id). In
///    components of more than `exact_centre_workers_max` workers, where that would cost seconds, the start is
///    instead the middle of a longest shortest path as two sweeps find it: from the least id to the farthest
///    worker u, from u to the farthest worker v (each time the least id of those), half way back from v;
///  - path, file: the planned set as far as it is up; where it no longer joins the component, it is completed
///    with edges in ascending order (Kruskal) until it does;
///  - any: all edges of the component.
/// Empty if the component is one worker. Time: linear in the edges, apart from the exact centre.
std::vector<edge> connecting_edges(const topology& graph, const connect_spec& spec, worker_id self,
                                   const std::function<bool(edge)>& up);

constexpr std::size_t exact_centre_workers_max = 512;

} // namespace dybw
