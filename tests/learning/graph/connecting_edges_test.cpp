#include "learning/graph/connecting_edges.hpp"

#include "tests/learning/graph/support.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

using namespace dybw;
using dybw::testing::refusal;
using dybw::testing::text_file;

namespace {

const auto all_up = [](edge) { return true; };

std::vector<edge> edges_of(const topology& graph) {
  return {graph.edges().begin(), graph.edges().end()};
}

edge between(std::size_t a, std::size_t b) {
  return make_edge(worker_at(a), worker_at(b));
}

/// Distances from one worker along these edges by repeated relaxation; unreached workers are missing.
std::map<worker_id, std::size_t> distances(worker_id from, const std::vector<edge>& edges) {
  std::map<worker_id, std::size_t> found{{from, 0}};
  const auto relax = [&](worker_id x, worker_id y) {
    if (!found.contains(x))
      return false;
    const auto through = found[x] + 1;
    const auto [at, is_new] = found.try_emplace(y, through);
    const auto better = is_new || through < at->second;
    at->second = std::min(at->second, through);
    return better;
  };
  for (auto changed = true; changed;) {
    changed = false;
    for (const auto& e : edges) {
      changed |= relax(e.a, e.b);
      changed |= relax(e.b, e.a);
    }
  }
  return found;
}

std::size_t eccentricity(worker_id from, const std::vector<edge>& edges) {
  std::size_t most = 0;
  for (const auto& [id, distance] : distances(from, edges))
    most = std::max(most, distance);
  return most;
}

topology random_graph(std::size_t trial) {
  const auto workers = 3 + trial % 20;
  const std::vector<std::string> texts{"random:2", "ring", "complete", "star", "path"};
  return make_topology(texts[trial % texts.size()], workers, trial);
}

/// What is left after some edges and some workers have gone.
std::vector<edge> survivors(const topology& graph, std::mt19937_64& generator) {
  std::bernoulli_distribution edge_lost{0.15};
  std::bernoulli_distribution worker_lost{0.1};
  std::set<worker_id> lost;
  for (std::size_t i = 0; i < graph.workers(); ++i)
    if (worker_lost(generator))
      lost.insert(worker_at(i));
  std::vector<edge> left;
  for (const auto& e : graph.edges())
    if (!edge_lost(generator) && !lost.contains(e.a) && !lost.contains(e.b))
      left.push_back(e);
  return left;
}

} // namespace

TEST_CASE(
    "connecting_edges: tree, path and file join exactly what hangs together, the same for every member") {
  std::mt19937_64 generator{11};
  for (std::size_t trial = 0; trial < 400; ++trial) {
    const auto graph = random_graph(trial);
    const auto left = survivors(graph, generator);
    const auto up = [&](edge e) { return std::find(left.begin(), left.end(), e) != left.end(); };
    std::string lines;
    for (const auto& e : graph.edges())
      lines += to_string(e.b) + ' ' + to_string(e.a) + '\n';
    const text_file file{lines};
    for (const std::string& text : {std::string{"tree"}, std::string{"path"}, "file:" + file.path()}) {
      CAPTURE(graph.name());
      CAPTURE(trial);
      CAPTURE(text);
      const auto spec = parse_connect(text, graph);
      for (std::size_t i = 0; i < graph.workers(); ++i) {
        const auto self = worker_at(i);
        const auto found = connecting_edges(graph, spec, self, up);
        const auto members = distances(self, left);
        REQUIRE(std::is_sorted(found.begin(), found.end()));
        CHECK(std::adjacent_find(found.begin(), found.end()) == found.end());
        CHECK(std::all_of(found.begin(), found.end(), up));
        const auto joined = distances(self, found);
        REQUIRE(joined.size() == members.size());
        for (const auto& e : found)
          CHECK(members.contains(e.a));
        if (text == "tree" || text == "path")
          CHECK(found.size() + 1 == members.size());
        else // all edges of the graph were planned
          CHECK(found.size() == static_cast<std::size_t>(std::count_if(left.begin(), left.end(), [&](edge e) {
                  return members.contains(e.a);
                })));
        for (const auto& [other, distance] : members)
          CHECK(connecting_edges(graph, spec, other, up) == found);
      }
    }
  }
}

TEST_CASE(
    "connecting_edges: the tree keeps the distances from the centre, least eccentricity then least id") {
  std::mt19937_64 generator{12};
  for (std::size_t trial = 0; trial < 200; ++trial) {
    const auto graph = random_graph(trial);
    const auto left = survivors(graph, generator);
    const auto up = [&](edge e) { return std::find(left.begin(), left.end(), e) != left.end(); };
    const auto tree = connecting_edges(graph, {}, worker_at(0), up);
    std::pair<std::size_t, worker_id> centre{graph.workers(), worker_at(0)};
    for (const auto& [id, distance] : distances(worker_at(0), left))
      centre = std::min(centre, {eccentricity(id, left), id});
    CAPTURE(graph.name());
    CAPTURE(trial);
    CHECK(distances(centre.second, tree) == distances(centre.second, left));
  }
}

TEST_CASE("connecting_edges: the tree of a ring opens it opposite the centre") {
  const auto opened = [](std::size_t workers) {
    const auto graph = make_topology("ring", workers, 1);
    const auto tree = connecting_edges(graph, {}, worker_at(5), all_up);
    std::vector<edge> missing;
    std::set_difference(graph.edges().begin(), graph.edges().end(), tree.begin(), tree.end(),
                        std::back_inserter(missing));
    return missing;
  };
  CHECK(opened(8) == std::vector{between(4, 5)});
  CHECK(opened(512) == std::vector{between(256, 257)}); // the last size with an exact centre, 0
  // Beyond it two sweeps, 0 -> 300 -> 0, and half way back to worker 150.
  CHECK(opened(600) == std::vector{between(449, 450)});
}

TEST_CASE("connecting_edges: large components are joined by the same tree for every member") {
  const auto graph = make_topology("random:3", 700, 3);
  std::mt19937_64 generator{13};
  const auto left = survivors(graph, generator);
  const auto up = [&](edge e) { return std::binary_search(left.begin(), left.end(), e); };
  const auto largest = [&] {
    std::size_t members = 0;
    worker_id of{};
    for (const std::size_t i : {0, 1, 2, 3, 4, 5})
      if (const auto size = distances(worker_at(i), left).size(); size > members) {
        members = size;
        of = worker_at(i);
      }
    REQUIRE(members > exact_centre_workers_max);
    return of;
  }();
  const auto members = distances(largest, left);
  const auto tree = connecting_edges(graph, {}, largest, up);
  CHECK(tree.size() + 1 == members.size());
  CHECK(distances(largest, tree).size() == members.size());
  for (const auto& [id, distance] : members)
    if (index_of(id) % 50 == 0)
      CHECK(connecting_edges(graph, {}, id, up) == tree);
}

TEST_CASE("connecting_edges: a worker on its own has none") {
  for (const auto* text : {"tree", "path"}) {
    const auto graph = make_topology("star", 4, 1);
    const auto without_centre = [](edge e) { return e.a != worker_at(0); };
    CHECK(connecting_edges(graph, parse_connect(text, graph), worker_at(2), without_centre).empty());
    const auto single = make_topology("ring", 1, 1);
    CHECK(connecting_edges(single, parse_connect(text, single), worker_at(0), all_up).empty());
  }
}

TEST_CASE("connecting_edges: a usable edge is asked for once") {
  const auto graph = make_topology("complete", 6, 1);
  std::map<edge, int> asked;
  connecting_edges(graph, {}, worker_at(0), [&](edge e) { return ++asked[e] > 0; });
  CHECK(asked.size() == 15);
  for (const auto& [e, times] : asked)
    CHECK(times == 1);
}

TEST_CASE("connecting_edges: path follows the numbers where the graph holds them") {
  for (const auto* text : {"ring", "complete", "path", "circulant:1,3"}) {
    const auto graph = make_topology(text, 9, 1);
    const auto spec = parse_connect("path", graph);
    CHECK(spec.edges == edges_of(make_topology("path", 9, 1)));
    CHECK(connecting_edges(graph, spec, worker_at(4), all_up) == spec.edges);
  }
}

TEST_CASE("connecting_edges: path is a depth-first walk where the graph does not hold the numbers") {
  // torus:2x4 is   0-1-2-3-0      and 3-4 is no edge: the walk goes 0 1 2 3 7 4 5 6.
  //                4-5-6-7-4
  const auto graph = make_topology("torus:2x4", 8, 1);
  CHECK(parse_connect("path", graph).edges == std::vector{between(0, 1), between(1, 2), between(2, 3),
                                                          between(3, 7), between(4, 5), between(4, 7),
                                                          between(5, 6)});
  // In a star it has to go back each time.
  const auto star = make_topology("star", 5, 1);
  CHECK(parse_connect("path", star).edges == edges_of(star));
}

TEST_CASE("connecting_edges: a broken path is mended with the first edges in order") {
  const auto graph = make_topology("complete", 5, 1);
  const auto spec = parse_connect("path", graph);
  const auto up = [](edge e) { return e != between(1, 2) && e != between(0, 2) && e != between(3, 4); };
  CHECK(connecting_edges(graph, spec, worker_at(3), up) ==
        std::vector{between(0, 1), between(0, 3), between(0, 4), between(2, 3)});
}

TEST_CASE("connecting_edges: a file's edges are all used, more than a tree too") {
  const auto graph = make_topology("complete", 4, 1);
  const text_file file{"3 2\n0 1\n1 2\n0 2\n1 0\n"};
  const auto spec = parse_connect("file:" + file.path(), graph);
  CHECK(spec.edges == std::vector{between(0, 1), between(0, 2), between(1, 2), between(2, 3)});
  CHECK(connecting_edges(graph, spec, worker_at(0), all_up) == spec.edges);
}

TEST_CASE("connecting_edges: any edges are those of the worker's own part, all of them") {
  const auto graph = make_topology("complete", 5, 1);
  const auto spec = parse_connect("any", graph);
  CHECK(connecting_edges(graph, spec, worker_at(2), all_up) == edges_of(graph));
  const auto up = [](edge e) { return (index_of(e.a) < 2) == (index_of(e.b) < 2); };
  CHECK(connecting_edges(graph, spec, worker_at(1), up) == std::vector{between(0, 1)});
  CHECK(connecting_edges(graph, spec, worker_at(2), up) ==
        std::vector{between(2, 3), between(2, 4), between(3, 4)});
}

TEST_CASE("connecting_edges: wrong input is refused in a line that says what is wrong") {
  const auto graph = make_topology("ring", 4, 1);
  const auto refused = [&](const std::string& text) { return refusal([&] { parse_connect(text, graph); }); };
  for (const auto* text : {"", "trees", "tree:1", "path:", "file", "file:"})
    CHECK(refused(text) == std::string{"2 --connect="} + text +
                               " must be tree, path, any or file:PATH, found \"" + text +
                               "\"; choose for example --connect tree");
  const text_file stranger{"0 1\n0 2\n2 3\n"};
  CHECK(refused("file:" + stranger.path()) ==
        "2 --connect=file:" + stranger.path() +
            " must have edges of --topology ring only, edge 0 2 is none; remove "
            "it from the file or choose another --topology");
  const text_file parts{"0 1\n2 3\n"};
  CHECK(refused("file:" + parts.path()) ==
        "2 --connect=file:" + parts.path() +
            " must join all workers, worker 2 cannot be reached from worker 0; add "
            "an edge that leads there");
  const text_file malformed{"0 1\n0 x\n"};
  CHECK(refused("file:" + malformed.path()).starts_with("3 an edge must be two worker numbers"));
  CHECK(refused("file:/no/such/file").starts_with("3 cannot read"));
}
