#include "learning/consensus/known_members.hpp"

#include "learning/consensus/mutation.hpp"

namespace dybw {

known_members::known_members(const topology& graph, worker_id self, network_parts& parts)
    : graph_(graph), self_(self), parts_(parts), part_{graph.workers(), worker_id{}} {}

void known_members::take_over(const std::vector<fact>& facts) {
  learn(facts);
  if (const auto word = own_word())
    facts_.learn(*word);
  for (auto id : graph_.neighbours(self_))
    if (link_up(id) && !(mutated(mutation::joiner_trusts_facts) && usable(id)))
      facts_.learn(facts_.next(self_, id, false));
  look_at_part();
}

std::vector<fact> known_members::learn(const std::vector<fact>& facts) {
  std::vector<fact> news;
  for (const auto& f : facts)
    if (is_of_graph(graph_, f))
      say(f, news);
  return news;
}

void known_members::say(const fact& word, std::vector<fact>& news) {
  if (facts_.learn(word))
    news.push_back(word);
}

fact known_members::word_of_rest(bool rests) {
  rests_ = rests;
  return facts_.next(self_, rests);
}

std::optional<fact> known_members::own_word() const {
  const auto is_right = facts_.worker_up(self_) && facts_.rests(self_) == rests_;
  return is_right ? std::nullopt : std::optional{facts_.next(self_, rests_)};
}

std::vector<fact> known_members::word_of_loss(worker_id neighbour, bool crashed) const {
  const auto about = crashed ? neighbour : self_;
  if (crashed ? !facts_.worker_up(neighbour) : !link_up(neighbour))
    return {};
  return {facts_.next(about, neighbour, false)};
}

std::vector<fact> known_members::word_of_return(worker_id neighbour) const {
  if (link_up(neighbour))
    return {};
  return {facts_.next(self_, neighbour, true)};
}

membership_changed known_members::look_at_part() {
  part_ = parts_.part_of(self_, facts_);
  return {facts_.generation(), part_.workers, part_.lowest};
}

} // namespace dybw
