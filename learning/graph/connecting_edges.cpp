#include "learning/graph/connecting_edges.hpp"

#include "learning/base/option_text.hpp"
#include "learning/graph/breadth_first.hpp"
#include "learning/graph/worker_sets.hpp"

#include <algorithm>
#include <iterator>
#include <limits>

namespace dybw {

namespace {

const std::string option = "--connect";

std::string text_of(edge e) {
  return to_string(e.a) + ' ' + to_string(e.b);
}

/// The edges by which a depth-first walk from worker 0 first comes to each worker.
std::vector<edge> depth_first_edges(const topology& graph) {
  std::vector<edge> edges;
  std::vector<bool> visited(graph.workers());
  std::vector<std::size_t> tried(graph.workers()); // how many of the worker's neighbours
  std::vector<worker_id> trail{worker_at(0)};
  visited[0] = true;
  while (!trail.empty()) {
    const auto here = trail.back();
    const auto neighbours = graph.neighbours(here);
    auto& next = tried[index_of(here)];
    while (next < neighbours.size() && visited[index_of(neighbours[next])])
      ++next;
    if (next == neighbours.size()) {
      trail.pop_back();
      continue;
    }
    const auto there = neighbours[next];
    visited[index_of(there)] = true;
    edges.push_back(make_edge(here, there));
    trail.push_back(there);
  }
  std::sort(edges.begin(), edges.end());
  return edges;
}

std::vector<edge> planned_path(const topology& graph) {
  std::vector<edge> edges;
  for (std::size_t i = 1; i < graph.workers(); ++i) {
    if (!graph.has_edge(worker_at(i - 1), worker_at(i)))
      return depth_first_edges(graph);
    edges.push_back(make_edge(worker_at(i - 1), worker_at(i)));
  }
  return edges;
}

std::vector<edge> planned_file(const option_text& text, std::string_view path, const topology& graph) {
  const topology planned{graph.workers(), read_edge_file(path, graph.workers()), text.value};
  for (const auto& e : planned.edges())
    if (!graph.has_edge(e.a, e.b))
      text.refuse("have edges of --topology " + graph.name() + " only", "edge " + text_of(e) + " is none",
                  "remove it from the file or choose another --topology");
  if (const auto unreachable = first_unreachable(planned))
    text.refuse("join all workers", "worker " + to_string(*unreachable) + " cannot be reached from worker 0",
                "add an edge that leads there");
  return {planned.edges().begin(), planned.edges().end()};
}

/// The part of the graph that is up and hangs together with one worker.
struct component {
  std::vector<worker_id> members; ///< ascending
  std::vector<edge> edges;        ///< ascending
};

component component_of(const topology& graph, worker_id self, const std::function<bool(edge)>& up) {
  std::vector<edge> usable;
  std::copy_if(graph.edges().begin(), graph.edges().end(), std::back_inserter(usable), up);
  const topology rest{graph.workers(), std::move(usable), {}};
  component found;
  found.members = breadth_first(rest, self).order;
  std::sort(found.members.begin(), found.members.end());

  std::vector<bool> is_member(graph.workers());
  for (const auto id : found.members)
    is_member[index_of(id)] = true;
  std::copy_if(rest.edges().begin(), rest.edges().end(), std::back_inserter(found.edges),
               [&](edge e) { return is_member[index_of(e.a)]; });
  return found;
}

/// The component as a connected graph of its own: its workers numbered in ascending order, so that "least id"
/// means the same in both.
topology renumbered(const component& part, std::size_t workers) {
  std::vector<std::size_t> number(workers);
  for (std::size_t i = 0; i < part.members.size(); ++i)
    number[index_of(part.members[i])] = i;
  std::vector<edge> edges;
  edges.reserve(part.edges.size());
  for (const auto& e : part.edges)
    edges.push_back({worker_at(number[index_of(e.a)]), worker_at(number[index_of(e.b)])});
  return {part.members.size(), std::move(edges), {}};
}

/// Most workers need no search of their own: nobody's eccentricity is below its distance from anybody, or
/// below anybody's eccentricity less that distance.
worker_id exact_centre(const topology& graph) {
  auto centre = worker_at(0);
  auto least = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> at_least(graph.workers());
  for (std::size_t i = 0; i < graph.workers(); ++i) {
    if (at_least[i] >= least)
      continue;
    const auto tree = breadth_first(graph, worker_at(i));
    const auto eccentricity = tree.eccentricity();
    if (eccentricity < least) {
      least = eccentricity;
      centre = worker_at(i);
    }
    for (std::size_t j = i + 1; j < graph.workers(); ++j)
      at_least[j] = std::max({at_least[j], tree.distance[j], eccentricity - tree.distance[j]});
  }
  return centre;
}

worker_id double_sweep_centre(const topology& graph) {
  const auto farthest = [](const breadth_first_tree& tree) {
    const auto most = std::max_element(tree.distance.begin(), tree.distance.end());
    return worker_at(static_cast<std::size_t>(most - tree.distance.begin()));
  };
  const auto back = breadth_first(graph, farthest(breadth_first(graph, worker_at(0))));
  auto centre = farthest(back);
  for (auto steps = back.eccentricity() / 2; steps > 0; --steps)
    centre = back.parent[index_of(centre)];
  return centre;
}

std::vector<edge> spanning_tree(const component& part, std::size_t workers) {
  const auto graph = renumbered(part, workers);
  const auto centre =
      graph.workers() <= exact_centre_workers_max ? exact_centre(graph) : double_sweep_centre(graph);
  const auto tree = breadth_first(graph, centre);
  std::vector<edge> edges;
  for (const auto id : tree.order)
    if (id != centre)
      edges.push_back(
          make_edge(part.members[index_of(id)], part.members[index_of(tree.parent[index_of(id)])]));
  std::sort(edges.begin(), edges.end());
  return edges;
}

std::vector<edge> completed(const std::vector<edge>& planned, const component& part, std::size_t workers) {
  std::vector<edge> edges;
  worker_sets joined{workers};
  for (const auto& e : planned) {
    if (!std::binary_search(part.edges.begin(), part.edges.end(), e))
      continue;
    joined.join(e);
    edges.push_back(e);
  }
  std::copy_if(part.edges.begin(), part.edges.end(), std::back_inserter(edges),
               [&](edge e) { return joined.join(e); });
  std::sort(edges.begin(), edges.end());
  return edges;
}

} // namespace

connect_spec parse_connect(const std::string& text, const topology& graph) {
  const option_text value{option, text};
  if (text == "tree")
    return {};
  if (text == "path")
    return {connect_spec::kind::path, planned_path(graph)};
  if (text == "any")
    return {connect_spec::kind::any, {}};
  const auto [name, path] = split_form(text);
  if (name == "file" && path && !path->empty())
    return {connect_spec::kind::file, planned_file(value, *path, graph)};
  value.refuse("be tree, path, any or file:PATH", "found " + excerpt(text),
               "choose for example " + option + " tree");
}

std::vector<edge> connecting_edges(const topology& graph, const connect_spec& spec, worker_id self,
                                   const std::function<bool(edge)>& up) {
  auto part = component_of(graph, self, up);
  if (spec.how == connect_spec::kind::any)
    return std::move(part.edges);
  if (spec.how == connect_spec::kind::tree)
    return spanning_tree(part, graph.workers());
  return completed(spec.edges, part, graph.workers());
}

} // namespace dybw
