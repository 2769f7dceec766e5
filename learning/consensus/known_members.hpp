#pragma once

#include "learning/consensus/worker_machine.hpp"

namespace dybw {

/// Who is up and who is down as one worker knows it: the facts, the worker's own words on its neighbours, and
/// the part of the network that it is in. Whom the news are passed on to is the machine's business. Not
/// thread-safe; deterministic.
class known_members {
public:
  /// Nothing was ever declared. `graph` outlives this.
  known_members(const topology& graph, worker_id self);

  /// A joiner's start, with the facts of its welcome. What its predecessor said and did is not known: so
  /// every link is down until its other end is heard, and a false or outdated word of our own end is
  /// contradicted.
  void take_over(const std::vector<fact>& facts);

  /// Takes in the facts that are of this graph; returns those that were news.
  std::vector<fact> learn(const std::vector<fact>& facts);

  /// Takes in this worker's own word; adds it to the news.
  void say(const fact& word, std::vector<fact>& news);

  /// This worker's word on a neighbour that its failure detector gave up, or heard again: one fact to learn,
  /// or none if it is known.
  std::vector<fact> word_of_loss(worker_id neighbour, bool crashed) const;
  std::vector<fact> word_of_return(worker_id neighbour) const;

  /// Looks what part of the network the facts leave this worker in. To be done after something was learned.
  membership_changed look_at_part();

  const membership& facts() const noexcept { return facts_; }
  std::size_t component() const noexcept { return component_; } ///< workers in this part
  worker_id lowest() const noexcept { return lowest_; }         ///< the lowest-numbered of them
  bool link_up(worker_id neighbour) const { return facts_.link_up(make_edge(self_, neighbour)); }
  /// The link and both its ends are up.
  bool usable(worker_id neighbour) const { return facts_.usable(make_edge(self_, neighbour)); }

private:
  const topology& graph_;
  worker_id self_;
  membership facts_;
  std::size_t component_;
  worker_id lowest_{};
};

} // namespace dybw
