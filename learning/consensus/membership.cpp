#include "learning/consensus/membership.hpp"

#include "learning/base/random.hpp"

#include <cassert>

namespace dybw {

namespace {

std::uint64_t hash(worker_id a, worker_id b, std::uint64_t version, bool up) {
  const auto ends = (static_cast<std::uint64_t>(a) << 32) | static_cast<std::uint64_t>(b);
  return split_mix(split_mix(ends) ^ (version * 2 + (up ? 1 : 0)));
}

} // namespace

bool membership::learn(const fact& f) {
  assert(f.a <= f.b);
  if (f.version == 0)
    return false; // what everybody knows from the start
  auto& known = known_[{f.a, f.b}];
  const auto is_news = f.version > known.version || (f.version == known.version && known.up && !f.up);
  if (!is_news)
    return false;
  if (known.version > 0)
    generation_ ^= hash(f.a, f.b, known.version, known.up);
  known = status{f.version, f.up};
  generation_ ^= hash(f.a, f.b, f.version, f.up);
  return true;
}

fact membership::next(worker_id a, worker_id b, bool up) const {
  if (b < a)
    std::swap(a, b);
  const auto i = known_.find({a, b});
  return fact{a, b, (i == known_.end() ? 0 : i->second.version) + 1, up};
}

bool membership::is_up(worker_id a, worker_id b) const {
  if (known_.empty())
    return true;
  const auto i = known_.find({a, b});
  return i == known_.end() || i->second.up;
}

std::vector<fact> membership::facts() const {
  std::vector<fact> result;
  result.reserve(known_.size());
  for (const auto& [ends, known] : known_)
    result.push_back(fact{ends.first, ends.second, known.version, known.up});
  return result;
}

bool is_of_graph(const topology& graph, const fact& f) {
  return f.a <= f.b && index_of(f.b) < graph.workers() && (f.a == f.b || graph.has_edge(f.a, f.b));
}

} // namespace dybw
