#include "learning/consensus/network_parts.hpp"

#include "tests/learning/consensus/worker_probe.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace dybw;
using namespace dybw::test;

namespace {

/// Whom one reaches, step by step.
std::vector<worker_id> reached(const topology& graph, const membership& facts, worker_id from) {
  std::vector<worker_id> found{from};
  for (std::size_t i = 0; i < found.size(); ++i)
    for (auto next : graph.neighbours(found[i]))
      if (facts.usable(make_edge(found[i], next)) &&
          std::find(found.begin(), found.end(), next) == found.end())
        found.push_back(next);
  return found;
}

} // namespace

TEST_CASE("known_parts: parts and connecting edges are those of the facts, for every worker") {
  std::mt19937 g{1};
  for (int trial = 0; trial < 200; ++trial) {
    const auto graph = std::make_shared<const topology>(make_topology("random:3", 4 + 2 * (g() % 6), g()));
    known_parts parts{graph, nullptr};
    membership facts;
    for (int change = 0; change < 12; ++change) {
      const auto edges = graph->edges();
      const auto e = edges[g() % edges.size()];
      facts.learn(facts.next(e.a, g() % 3 == 0 ? e.a : e.b, g() % 3 == 0));
      for (std::size_t i = 0; i < graph->workers(); ++i) {
        const auto id = worker_at(i);
        const auto others = reached(*graph, facts, id);
        REQUIRE(parts.part_of(id, facts).workers == others.size());
        REQUIRE(parts.part_of(id, facts).lowest == *std::min_element(others.begin(), others.end()));
        REQUIRE(*parts.connecting(id, facts) ==
                connecting_edges(*graph, {}, id, [&](edge x) { return facts.usable(x); }));
      }
    }
  }
}

TEST_CASE("known_parts: what was worked out is kept, and is one object for a part") {
  const auto graph = std::make_shared<const topology>(make_topology("ring", 6, 1));
  known_parts parts{graph, nullptr};
  membership facts;
  facts.learn(link_fact(0, 1, 1, false));
  facts.learn(link_fact(2, 3, 1, false)); // 1 2 and 3 4 5 0
  const auto edges = parts.connecting(worker_at(1), facts);
  CHECK(parts.connecting(worker_at(2), facts) == edges);
  CHECK(parts.connecting(worker_at(0), facts) != edges);
  membership later = facts;
  later.learn(link_fact(0, 1, 2, true));
  parts.part_of(worker_at(0), later);
  CHECK(parts.connecting(worker_at(1), facts) == edges);
  CHECK(parts.generations_seen() == 2);
  CHECK(parts.edge_sets_made() == 2);
}

TEST_CASE("known_parts: however many generations there are, only some are kept") {
  const auto graph = std::make_shared<const topology>(make_topology("ring", 4, 1));
  known_parts parts{graph, nullptr};
  membership facts;
  for (std::uint64_t version = 1; version <= 1000; ++version) {
    facts.learn(link_fact(0, 1, version, version % 2 == 0));
    CHECK(parts.part_of(worker_at(0), facts).workers == 4);
  }
  CHECK(parts.generations_seen() == 1000);
  facts.learn(link_fact(1, 2, 1, false));
  CHECK(parts.part_of(worker_at(0), facts).workers == 4); // 0-1 is up
}

TEST_CASE(
    "known_parts: who rests belongs to the part, but no edge that is to be mixed over leads through it") {
  const auto graph = std::make_shared<const topology>(make_topology("ring", 6, 1));
  known_parts parts{graph, nullptr};
  membership facts;
  facts.learn(facts.next(worker_at(1), true));
  CHECK(parts.part_of(worker_at(4), facts).workers == 6);
  CHECK(parts.connecting(worker_at(4), facts)->size() == 4);
  CHECK(parts.connecting(worker_at(1), facts)->empty());
  facts.learn(facts.next(worker_at(4), true)); // 2 3 and 5 0 are left
  CHECK(parts.part_of(worker_at(4), facts).workers == 6);
  CHECK(*parts.connecting(worker_at(2), facts) == std::vector{edge{worker_at(2), worker_at(3)}});
  CHECK(*parts.connecting(worker_at(5), facts) == std::vector{edge{worker_at(0), worker_at(5)}});
  facts.learn(facts.next(worker_at(1), false));
  CHECK(parts.connecting(worker_at(2), facts)->size() == 4);
}
