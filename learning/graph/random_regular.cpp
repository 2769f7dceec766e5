#include "learning/graph/random_regular.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <unordered_set>

namespace dybw {

namespace {

std::uint64_t key_of(edge e) {
  return std::uint64_t{static_cast<std::uint32_t>(e.a)} << 32 | static_cast<std::uint32_t>(e.b);
}

/// Mixes `loose` edges by swaps of their ends; `fixed` ones only say what may not be doubled.
void swap_ends(std::vector<edge>& loose, const std::vector<edge>& fixed, random_generator& generator) {
  if (loose.size() < 2)
    return;
  std::unordered_set<std::uint64_t> present;
  present.reserve(loose.size() + fixed.size());
  for (const auto& e : loose)
    present.insert(key_of(e));
  for (const auto& e : fixed)
    present.insert(key_of(e));

  constexpr std::size_t tries_per_edge = 10;
  std::uniform_int_distribution<std::size_t> pick{0, loose.size() - 1};
  std::bernoulli_distribution turn;
  for (std::size_t i = 0; i < tries_per_edge * loose.size(); ++i) {
    auto& one = loose[pick(generator)];
    auto& other = loose[pick(generator)];
    const auto [a, b] = one;
    const auto [c, d] = turn(generator) ? edge{other.b, other.a} : other;
    if (a == d || b == c)
      continue;
    const auto crossed = make_edge(a, d);
    const auto uncrossed = make_edge(c, b);
    // Also true where one and the other are the same or share an end: then the swap gives back an old edge.
    if (present.contains(key_of(crossed)) || present.contains(key_of(uncrossed)))
      continue;
    present.erase(key_of(one));
    present.erase(key_of(other));
    present.insert(key_of(crossed));
    present.insert(key_of(uncrossed));
    one = crossed;
    other = uncrossed;
  }
}

} // namespace

std::vector<edge> random_regular_edges(std::size_t workers, std::size_t degree, random_generator& generator) {
  assert(2 <= degree && degree < workers);
  std::vector<worker_id> order(workers);
  for (std::size_t i = 0; i < workers; ++i)
    order[i] = worker_at(i);
  std::shuffle(order.begin(), order.end(), generator);
  const auto between = [&](std::size_t i, std::size_t j) {
    return make_edge(order[i % workers], order[j % workers]);
  };

  std::vector<edge> cycle;
  for (std::size_t i = 0; i < workers; ++i)
    cycle.push_back(between(i, i + 1));
  std::vector<edge> loose;
  for (std::size_t offset = 2; offset <= degree / 2; ++offset)
    for (std::size_t i = 0; i < workers; ++i)
      loose.push_back(between(i, i + offset));
  if (degree % 2 == 1) { // an edge across for each pair; with an odd number of workers the first gets two
    const auto half = (workers + 1) / 2;
    for (std::size_t i = 0; i < half; ++i)
      loose.push_back(between(i, i + half));
  }
  swap_ends(loose, cycle, generator);
  cycle.insert(cycle.end(), loose.begin(), loose.end());
  return cycle;
}

} // namespace dybw
