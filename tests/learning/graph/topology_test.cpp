#include "learning/graph/edge_numbers.hpp"
#include "learning/graph/topology.hpp"

#include "tests/learning/graph/support.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <numeric>

using namespace dybw;
using dybw::testing::refusal;

namespace {

using adjacency = std::function<bool(std::size_t, std::size_t)>; // asked for i != j only

std::vector<edge> edges_where(std::size_t workers, const adjacency& adjacent) {
  std::vector<edge> edges;
  for (std::size_t i = 0; i < workers; ++i)
    for (std::size_t j = i + 1; j < workers; ++j)
      if (adjacent(i, j))
        edges.push_back({worker_at(i), worker_at(j)});
  return edges;
}

std::vector<edge> edges_of(const topology& graph) {
  return {graph.edges().begin(), graph.edges().end()};
}

/// Reachability by repeated relaxation over the edge list.
bool connected(const topology& graph) {
  std::vector<bool> reached(graph.workers());
  reached[0] = true;
  for (auto changed = true; changed;) {
    changed = false;
    for (const auto& e : graph.edges()) {
      if (reached[index_of(e.a)] == reached[index_of(e.b)])
        continue;
      reached[index_of(e.a)] = reached[index_of(e.b)] = true;
      changed = true;
    }
  }
  return std::find(reached.begin(), reached.end(), false) == reached.end();
}

/// Every accessor against the adjacency.
void check_graph(const topology& graph, std::size_t workers, const adjacency& adjacent) {
  CAPTURE(graph.name());
  CAPTURE(workers);
  REQUIRE(graph.workers() == workers);
  CHECK(edges_of(graph) == edges_where(workers, adjacent));
  CHECK(connected(graph));
  auto smallest = workers;
  for (std::size_t i = 0; i < workers; ++i) {
    std::vector<worker_id> expected;
    for (std::size_t j = 0; j < workers; ++j) {
      const auto joined = i != j && adjacent(i, j);
      if (joined)
        expected.push_back(worker_at(j));
      CHECK(graph.has_edge(worker_at(i), worker_at(j)) == joined);
    }
    const auto found = graph.neighbours(worker_at(i));
    CHECK(std::vector<worker_id>(found.begin(), found.end()) == expected);
    CHECK(graph.degree(worker_at(i)) == expected.size());
    smallest = std::min(smallest, expected.size());
  }
  CHECK(graph.smallest_degree() == smallest);
}

std::string refused(const std::string& text, std::size_t workers) {
  return refusal([&] { make_topology(text, workers, 1); });
}

} // namespace

TEST_CASE("topology: edges are put in order, turned round and merged") {
  const topology graph{
      4,
      {{worker_at(3), worker_at(1)}, {worker_at(0), worker_at(2)}, {worker_at(1), worker_at(3)}},
      "file:x"};
  CHECK(edges_of(graph) == std::vector<edge>{{worker_at(0), worker_at(2)}, {worker_at(1), worker_at(3)}});
  CHECK(graph.name() == "file:x");
  CHECK(first_unreachable(graph) == worker_at(1));
}

TEST_CASE("topology: rings, paths, stars and complete graphs of 1 to 40 workers are what they are called") {
  for (std::size_t n = 1; n <= 40; ++n) {
    check_graph(make_topology("ring", n, 1), n,
                [&](auto i, auto j) { return (i + 1) % n == j || (j + 1) % n == i; });
    check_graph(make_topology("path", n, 1), n, [](auto i, auto j) { return i + 1 == j || j + 1 == i; });
    check_graph(make_topology("star", n, 1), n, [](auto i, auto j) { return i == 0 || j == 0; });
    check_graph(make_topology("complete", n, 1), n, [](auto, auto) { return true; });
  }
}

TEST_CASE("topology: a ring of two is a single edge, of one has none") {
  CHECK(make_topology("ring", 2, 1).edges().size() == 1);
  CHECK(make_topology("ring", 1, 1).edges().empty());
  CHECK(make_topology("ring", 3, 1).edges().size() == 3);
}

TEST_CASE("topology: a torus of any sides has neither loops nor double edges") {
  for (std::size_t rows = 1; rows <= 7; ++rows) {
    for (std::size_t columns = 1; columns <= 7; ++columns) {
      const auto next = [](std::size_t x, std::size_t y, std::size_t side) {
        return (x + 1) % side == y || (y + 1) % side == x;
      };
      const auto text = "torus:" + std::to_string(rows) + 'x' + std::to_string(columns);
      check_graph(make_topology(text, rows * columns, 1), rows * columns, [&](auto i, auto j) {
        const auto same_row = i / columns == j / columns;
        const auto same_column = i % columns == j % columns;
        return (same_row && next(i % columns, j % columns, columns)) ||
               (same_column && next(i / columns, j / columns, rows));
      });
    }
  }
  CHECK(make_topology("torus:2x2", 4, 1).edges().size() == 4);
  CHECK(make_topology("torus:1x2", 2, 1).edges().size() == 1);
  CHECK(make_topology("torus:3x3", 9, 1).smallest_degree() == 4);
}

TEST_CASE("topology: a circulant joins workers whose distance round the ring is an offset") {
  for (std::size_t n = 2; n <= 40; ++n) {
    for (std::size_t other = 2; other <= n / 2; ++other) {
      const auto adjacent = [&](std::size_t i, std::size_t j) {
        const auto apart = std::min((i + n - j) % n, (j + n - i) % n);
        return apart == 1 || apart == other;
      };
      check_graph(make_topology("circulant:" + std::to_string(other) + ",1", n, 1), n, adjacent);
    }
  }
  CHECK(make_topology("circulant:2,3", 7, 1).smallest_degree() == 4);
}

TEST_CASE("topology: a circulant is refused exactly where the offsets share a divisor with the workers") {
  for (std::size_t n = 2; n <= 40; ++n)
    for (std::size_t offset = 1; offset <= n / 2; ++offset)
      CHECK((refused("circulant:" + std::to_string(offset), n) == "accepted") == (std::gcd(n, offset) == 1));
}

TEST_CASE("topology: a random graph is connected and regular up to one") {
  const auto check = [](std::size_t n, std::size_t degree, std::uint64_t seed) {
    CAPTURE(n);
    CAPTURE(degree);
    CAPTURE(seed);
    const auto graph = make_topology("random:" + std::to_string(degree), n, seed);
    REQUIRE(graph.workers() == n);
    CHECK(graph.edges().size() == (n * degree + 1) / 2); // so no double was merged away
    CHECK(connected(graph));
    std::size_t above = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const auto found = graph.degree(worker_at(i));
      REQUIRE((found == degree || found == degree + 1));
      above += found - degree;
    }
    CHECK(above == n * degree % 2);
  };
  for (std::size_t n = 3; n <= 16; ++n)
    for (std::size_t degree = 2; degree < n; ++degree)
      for (std::uint64_t seed = 1; seed <= 20; ++seed)
        check(n, degree, seed);
  for (std::size_t n = 17; n <= 200; ++n)
    for (const std::size_t degree : {2, 3, 6})
      check(n, degree, n);
  for (std::size_t n = 17; n <= 200; n += 13)
    for (const auto degree : {n / 2, n - 2, n - 1})
      check(n, degree, n);
  for (const std::size_t degree : {2, 3, 6, 7})
    check(1000, degree, 1);
  check(999, 7, 1);
}

TEST_CASE("topology: a random graph depends on the seed alone and not on a pattern") {
  const auto edges = [](std::uint64_t seed) { return edges_of(make_topology("random:6", 1000, seed)); };
  CHECK(edges(1) == edges(1));
  CHECK(edges(1) != edges(2));

  // A random graph of degree 6 has about (6-1)^3 / 6 = 21 triangles; the pattern that it starts from 2,000.
  const auto graph = make_topology("random:6", 1000, 1);
  std::size_t triangles = 0;
  for (const auto& e : graph.edges())
    for (const auto third : graph.neighbours(e.a))
      triangles += e.b < third && graph.has_edge(e.b, third);
  CHECK(triangles < 60);

  // Two workers of twelve are neighbours with probability 3/11; 5 standard deviations of 2,000 draws are
  // 0.05.
  int joined = 0;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed)
    joined += make_topology("random:3", 12, seed).has_edge(worker_at(3), worker_at(7));
  CHECK(joined / 2000.0 == doctest::Approx(3.0 / 11).epsilon(0.18));
}

TEST_CASE("topology: a file's graph has the file's edges") {
  const dybw::testing::text_file file{
      "# a square with a diagonal\n0 1\n2 1 # turned round\n\n2\t3\r\n  3 0\n1 0\n0 2"};
  const auto graph = make_topology("file:" + file.path(), 4, 1);
  check_graph(graph, 4, [](auto i, auto j) { return std::min(i, j) != 1 || std::max(i, j) != 3; });
  CHECK(graph.name() == "file:" + file.path());
}

TEST_CASE("topology: the example file is a connected graph of eight workers") {
  const auto graph = make_topology("file:" DYBW_SOURCE_DIR "/config/example.topology", 8, 1);
  CHECK(graph.edges().size() == 11);
  CHECK(graph.smallest_degree() == 2);
}

TEST_CASE("topology: wrong input is refused in a line that names value, constraint and mend") {
  CHECK(refused("torus:2x3", 8) ==
        "2 --topology=torus:2x3 must have as many cells as workers, 6 cells for 8 workers; "
        "choose --topology torus:2x4");
  CHECK(refused("rign", 8) ==
        "2 --topology=rign must be ring, path, star, complete, torus:RxC, circulant:O1,O2,.., "
        "random:DEGREE or file:PATH, found \"rign\"; choose for example --topology ring");
  CHECK(refused("circulant:2,4", 8) ==
        "2 --topology=circulant:2,4 must be connected, worker 1 cannot be reached from "
        "worker 0; choose --topology circulant:2,4,1");
  CHECK(refused("random:9", 8) ==
        "2 --topology=random:9 must have DEGREE for 8 workers from 2 to 7, a whole number, "
        "found \"9\"; choose for example --topology random:3");
  CHECK(refused("ring", 0) ==
        "2 --workers=0 must be from 1 to 20000000, as a graph needs; choose --workers 8");

  const std::vector<std::pair<std::string, std::size_t>> others{{"", 8},
                                                                {"Ring", 8},
                                                                {"ring:", 8},
                                                                {"ring:3", 8},
                                                                {"star:0", 8},
                                                                {"torus", 8},
                                                                {"torus:", 8},
                                                                {"torus:8", 8},
                                                                {"torus:2x", 8},
                                                                {"torus:2x4x1", 8},
                                                                {"torus:2X4", 8},
                                                                {"torus:0x8", 8},
                                                                {"torus:-2x-4", 8},
                                                                {"torus:2 x4", 8},
                                                                {"torus:2x4 ", 8},
                                                                {"random", 8},
                                                                {"random:", 8},
                                                                {"random:1", 8},
                                                                {"random:8", 8},
                                                                {"random:3.0", 8},
                                                                {"random:2", 2},
                                                                {"random:2", 1},
                                                                {"circulant:", 8},
                                                                {"circulant:1,,2", 8},
                                                                {"circulant:0,1", 8},
                                                                {"circulant:5", 8},
                                                                {"circulant:1,1", 8},
                                                                {"circulant:1,x", 8},
                                                                {"circulant:1", 1},
                                                                {"file", 8},
                                                                {"file:", 8},
                                                                {"complete", 10'000},
                                                                {"random:5000", 10'000},
                                                                {"torus:4294967296x4294967296", 8}};
  for (const auto& [text, workers] : others) {
    const auto message = refused(text, workers);
    CAPTURE(text);
    CAPTURE(message);
    CHECK(message.starts_with("2 --topology=" + text + " must "));
    CHECK(message.find("; ") != std::string::npos);
    CHECK(message.find('\n') == std::string::npos);
  }
}

TEST_CASE("topology: the mend for a torus has the right number of cells") {
  for (std::size_t n = 1; n <= 60; ++n) {
    const auto message = refused("torus:61x1", n);
    const auto mend = message.substr(message.rfind("torus:"));
    CAPTURE(message);
    CHECK(refused(mend, n) == "accepted");
  }
}

TEST_CASE("topology: a disconnected file is refused with the first worker that cannot be reached") {
  const dybw::testing::text_file file{"0 1\n1 4\n2 3\n"};
  CHECK(refused("file:" + file.path(), 5) ==
        "2 --topology=file:" + file.path() +
            " must be connected, worker 2 cannot be reached from worker 0; add "
            "an edge that leads there");
  const dybw::testing::text_file empty{"# nothing yet\n"};
  CHECK(refused("file:" + empty.path(), 2).find("worker 1 cannot be reached") != std::string::npos);
  CHECK(refused("file:" + empty.path(), 1) == "accepted");
}

TEST_CASE("edge_numbers: both ends find their edge, and no other") {
  const auto graph = make_topology("random:5", 24, 3);
  const edge_numbers numbers{graph};
  CHECK(numbers.count() == graph.edges().size());
  std::size_t found = 0;
  for (std::size_t i = 0; i < graph.workers(); ++i)
    for (std::size_t j = 0; j < graph.workers(); ++j) {
      const auto e = numbers.between(worker_at(i), worker_at(j));
      REQUIRE((e < numbers.count()) == graph.has_edge(worker_at(i), worker_at(j)));
      if (e == numbers.count())
        continue;
      CHECK(graph.edges()[e] == make_edge(worker_at(i), worker_at(j)));
      ++found;
    }
  CHECK(found == 2 * numbers.count());
  CHECK(numbers.between(worker_at(0), worker_at(1'000'000)) == numbers.count());
}
