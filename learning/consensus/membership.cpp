#include "learning/consensus/membership.hpp"

#include "learning/base/random.hpp"

#include <cassert>

namespace dybw {

namespace {

std::uint64_t hash(worker_id a, worker_id b, std::uint64_t version, bool up, bool rests) {
  const auto ends = (static_cast<std::uint64_t>(a) << 32) | static_cast<std::uint64_t>(b);
  const auto plain = split_mix(split_mix(ends) ^ (version * 2 + (up ? 1 : 0)));
  return rests ? split_mix(plain) : plain;
}

/// Of two words of equal version the stronger prevails.
int strength(bool up, bool rests) {
  return up ? (rests ? 1 : 0) : 2;
}

} // namespace

bool membership::learn(const fact& f) {
  assert(f.a <= f.b);
  if (f.version == 0)
    return false; // what everybody knows from the start
  auto& known = known_[{f.a, f.b}];
  const auto is_news =
      f.version > known.version ||
      (f.version == known.version && strength(f.up, f.rests) > strength(known.up, known.rests));
  if (!is_news)
    return false;
  if (known.version > 0)
    generation_ ^= hash(f.a, f.b, known.version, known.up, known.rests);
  known = status{f.version, f.up, f.rests};
  generation_ ^= hash(f.a, f.b, f.version, f.up, f.rests);
  return true;
}

fact membership::next(worker_id a, worker_id b, bool up) const {
  if (b < a)
    std::swap(a, b);
  return fact{a, b, look_up(a, b).version + 1, up};
}

fact membership::next(worker_id self, bool rests) const {
  return fact{self, self, look_up(self, self).version + 1, true, rests};
}

membership::status membership::look_up(worker_id a, worker_id b) const {
  if (known_.empty())
    return {};
  const auto i = known_.find({a, b});
  return i == known_.end() ? status{} : i->second;
}

std::vector<fact> membership::facts() const {
  std::vector<fact> result;
  result.reserve(known_.size());
  for (const auto& [ends, known] : known_)
    result.push_back(fact{ends.first, ends.second, known.version, known.up, known.rests});
  return result;
}

bool is_of_graph(const topology& graph, const fact& f) {
  return f.a <= f.b && index_of(f.b) < graph.workers() && (f.a == f.b || graph.has_edge(f.a, f.b)) &&
         (!f.rests || (f.up && f.a == f.b));
}

} // namespace dybw
