#include "learning/graph/random_regular.hpp"

#include <algorithm>
#include <cassert>

namespace dybw {

namespace {

/// The neighbours of each worker, in no order; lists are short enough to be searched from end to end.
class adjacency {
public:
  explicit adjacency(std::size_t workers) : neighbours_(workers) {}

  void add(edge e) {
    of(e.a).push_back(e.b);
    of(e.b).push_back(e.a);
  }

  bool has(worker_id x, worker_id y) const {
    const auto& list = neighbours_[index_of(x)];
    return std::find(list.begin(), list.end(), y) != list.end();
  }

  /// x has `next` as a neighbour in the place of `last`; the other ends do not notice.
  void exchange(worker_id x, worker_id last, worker_id next) {
    *std::find(of(x).begin(), of(x).end(), last) = next;
  }

private:
  std::vector<worker_id>& of(worker_id id) { return neighbours_[index_of(id)]; }

  std::vector<std::vector<worker_id>> neighbours_;
};

/// Mixes `loose` edges by swaps of their ends; `present` holds these and the fixed ones.
void swap_ends(std::vector<edge>& loose, adjacency& present, random_generator& generator) {
  if (loose.size() < 2)
    return;
  constexpr std::size_t tries_per_edge = 10;
  constexpr std::size_t tries_max = 2'000'000;
  std::uniform_int_distribution<std::size_t> pick{0, loose.size() - 1};
  std::bernoulli_distribution turn;
  const auto tries = std::min(tries_per_edge * loose.size(), tries_max);
  for (std::size_t i = 0; i < tries; ++i) {
    auto& one = loose[pick(generator)];
    auto& other = loose[pick(generator)];
    const auto [a, b] = one;
    const auto [c, d] = turn(generator) ? edge{other.b, other.a} : other;
    if (a == d || b == c)
      continue;
    // Also true where the two are the same or share an end: the swap would give back an old edge.
    if (present.has(a, d) || present.has(c, b))
      continue;
    present.exchange(a, b, d);
    present.exchange(b, a, c);
    present.exchange(c, d, b);
    present.exchange(d, c, a);
    one = make_edge(a, d);
    other = make_edge(c, b);
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
  adjacency present{workers};
  for (const auto* edges : {&cycle, &loose})
    for (const auto& e : *edges)
      present.add(e);
  swap_ends(loose, present, generator);
  cycle.insert(cycle.end(), loose.begin(), loose.end());
  return cycle;
}

} // namespace dybw
