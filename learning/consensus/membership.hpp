#pragma once

#include "learning/consensus/messages.hpp"
#include "learning/graph/topology.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace dybw {

/// What one worker knows about who is up: facts with versions, merged so that any order of arrival gives the
/// same result (higher version wins; of equal versions, down wins, then resting). Holds only facts that were
/// ever changed: at most one per worker and per link of the graph.
class membership {
public:
  /// Takes a fact in. Returns whether it was news.
  bool learn(const fact& f);

  /// The fact that would declare a worker or a link up or down now: the known version plus one.
  fact next(worker_id a, worker_id b, bool up) const;
  /// Likewise a worker's word of itself: it is up, and rests or does not.
  fact next(worker_id self, bool rests) const;

  bool worker_up(worker_id id) const { return look_up(id, id).up; }
  bool rests(worker_id id) const { return look_up(id, id).rests; }
  bool link_up(edge e) const { return look_up(e.a, e.b).up; }
  /// The link and both its ends are up, and neither rests: it may be mixed over.
  bool usable(edge e) const {
    return link_up(e) && worker_up(e.a) && worker_up(e.b) && !rests(e.a) && !rests(e.b);
  }

  /// A hash of all known facts: workers that know the same facts have the same generation, whatever the order
  /// in which they learned them. 0 while nothing was ever declared.
  std::uint64_t generation() const noexcept { return generation_; }

  std::vector<fact> facts() const;
  bool empty() const noexcept { return known_.empty(); }
  std::size_t size() const noexcept { return known_.size(); } ///< facts

private:
  struct status {
    std::uint64_t version = 0;
    bool up = true;
    bool rests = false;
  };
  status look_up(worker_id a, worker_id b) const;

  std::map<std::pair<worker_id, worker_id>, status> known_;
  std::uint64_t generation_ = 0; ///< exclusive or of the facts' hashes
};

/// Whether the fact is about a worker or a link of this graph.
bool is_of_graph(const topology& graph, const fact& f);

} // namespace dybw
