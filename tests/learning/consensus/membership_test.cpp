#include "learning/consensus/membership.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace dybw;

namespace {

fact random_fact(std::mt19937& g) {
  const auto a = worker_at(g() % 4);
  const auto b = worker_at(g() % 4);
  return fact{std::min(a, b), std::max(a, b), 1 + g() % 3, g() % 2 == 0};
}

bool same(const membership& x, const membership& y) {
  return x.facts() == y.facts() && x.generation() == y.generation();
}

} // namespace

TEST_CASE("membership: everything is up and of generation 0 until declared otherwise") {
  const auto m = membership{};
  CHECK(m.usable(make_edge(worker_at(0), worker_at(1))));
  CHECK(m.generation() == 0);
  CHECK(m.empty());
}

TEST_CASE("membership: the higher version wins, of equal versions down wins") {
  auto m = membership{};
  const auto a = worker_at(1);
  CHECK(m.learn({a, a, 2, true}));
  CHECK_FALSE(m.learn({a, a, 1, false}));
  CHECK(m.worker_up(a));
  CHECK(m.learn({a, a, 2, false}));
  CHECK_FALSE(m.learn({a, a, 2, true}));
  CHECK_FALSE(m.worker_up(a));
  CHECK(m.learn({a, a, 3, true}));
  CHECK(m.worker_up(a));
  CHECK(m.facts().size() == 1);
}

TEST_CASE("membership: the next fact is news to everybody who knows the same") {
  auto m = membership{};
  const auto a = worker_at(2);
  const auto b = worker_at(0);
  for (auto up : {false, true, false}) {
    const auto f = m.next(a, b, up);
    CHECK(f.a == b); // ordered
    auto other = m;
    CHECK(other.learn(f));
    CHECK(m.learn(f));
    CHECK(m.link_up(make_edge(a, b)) == up);
  }
}

TEST_CASE("membership: a link is usable only with both its ends") {
  auto m = membership{};
  const auto e = make_edge(worker_at(0), worker_at(1));
  m.learn(m.next(worker_at(1), worker_at(1), false));
  CHECK(m.link_up(e));
  CHECK_FALSE(m.usable(e));
}

TEST_CASE("membership: any order and any repetition of facts lead to the same knowledge and generation") {
  auto g = std::mt19937{1};
  for (int trial = 0; trial < 2000; ++trial) {
    std::vector<fact> facts;
    for (auto n = 1 + g() % 12; n > 0; --n)
      facts.push_back(random_fact(g));
    auto once = membership{};
    for (const auto& f : facts)
      once.learn(f);
    auto shuffled = facts;
    shuffled.insert(shuffled.end(), facts.begin(),
                    facts.begin() + static_cast<std::ptrdiff_t>(g() % facts.size()));
    std::shuffle(shuffled.begin(), shuffled.end(), g);
    auto other = membership{};
    for (const auto& f : shuffled)
      other.learn(f);
    REQUIRE(same(once, other));
    // Idempotent: what is known is no news.
    for (const auto& f : once.facts())
      REQUIRE_FALSE(other.learn(f));
  }
}

TEST_CASE("membership: merging is associative: through a third worker or directly") {
  auto g = std::mt19937{2};
  for (int trial = 0; trial < 1000; ++trial) {
    membership parts[3];
    for (auto& p : parts)
      for (auto n = g() % 6; n > 0; --n)
        p.learn(random_fact(g));
    const auto merge = [](membership to, const membership& from) {
      for (const auto& f : from.facts())
        to.learn(f);
      return to;
    };
    REQUIRE(same(merge(merge(parts[0], parts[1]), parts[2]), merge(parts[0], merge(parts[1], parts[2]))));
    REQUIRE(same(merge(parts[0], parts[1]), merge(parts[1], parts[0])));
  }
}

TEST_CASE("membership: different knowledge has different generations") {
  auto g = std::mt19937{3};
  for (int trial = 0; trial < 2000; ++trial) {
    membership x;
    membership y;
    for (int n = 0; n < 4; ++n) {
      x.learn(random_fact(g));
      y.learn(random_fact(g));
    }
    REQUIRE((x.facts() == y.facts()) == (x.generation() == y.generation()));
  }
}
