#pragma once

#include "learning/consensus/network_parts.hpp"
#include "learning/consensus/worker_machine.hpp"

#include <optional>

namespace dybw {

/// Who is up and who is down as one worker knows it: the facts, the worker's own words on its neighbours, and
/// the part of the network that it is in. Whom the news are passed on to is the machine's business. Not
/// thread-safe; deterministic.
class known_members {
public:
  /// Nothing was ever declared. `graph` and `parts` outlive this; others may use `parts` too.
  known_members(const topology& graph, worker_id self, network_parts& parts);

  /// A joiner's start, with the facts of its welcome. What its predecessor said and did is not known: so
  /// every link is down until its other end is heard, and a false or outdated word of our own end is
  /// contradicted.
  void take_over(const std::vector<fact>& facts);

  /// Takes in the facts that are of this graph; returns those that were news.
  std::vector<fact> learn(const std::vector<fact>& facts);

  /// Takes in this worker's own word; adds it to the news.
  void say(const fact& word, std::vector<fact>& news);

  /// From now on this worker makes no steps, or makes them again: its word on that, to be learned.
  fact word_of_rest(bool rests);
  bool rests() const noexcept { return rests_; }
  /// This worker's word on itself, if what is known of it is false or outdated.
  std::optional<fact> own_word() const;

  /// This worker's word on a neighbour that its failure detector gave up, or heard again: one fact to learn,
  /// or none if it is known.
  std::vector<fact> word_of_loss(worker_id neighbour, bool crashed) const;
  std::vector<fact> word_of_return(worker_id neighbour) const;

  /// Looks what part of the network the facts leave this worker in. To be done after something was learned.
  membership_changed look_at_part();

  const membership& facts() const noexcept { return facts_; }
  std::size_t component() const noexcept { return part_.workers; } ///< workers in this part
  worker_id lowest() const noexcept { return part_.lowest; }       ///< the lowest-numbered of them
  /// The connecting edges of this part.
  coverage_sweep::edge_set connecting() const { return parts_.connecting(self_, facts_); }
  bool link_up(worker_id neighbour) const { return facts_.link_up(make_edge(self_, neighbour)); }
  /// The link and both its ends are up, and neither rests.
  bool usable(worker_id neighbour) const { return facts_.usable(make_edge(self_, neighbour)); }

private:
  const topology& graph_;
  worker_id self_;
  network_parts& parts_;
  membership facts_;
  bool rests_ = false;
  network_part part_;
};

} // namespace dybw
