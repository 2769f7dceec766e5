#include "learning/consensus/mutation.hpp"
#include "learning/consensus/round_machine.hpp"

#include <algorithm>
#include <utility>

/// The part of the round machine that goes by who is there: facts, losses, returns, joiners.
namespace dybw {

void round_machine::learn(const std::vector<fact>& told, const neighbour* from) {
  auto news = members_.learn(told);
  for (std::size_t i = 0, count = news.size(); i < count; ++i)
    if (auto answer = answer_to(news[i]); answer || (answer = raise_forgotten(news[i], from)))
      members_.say(*answer, news);
  if (news.empty())
    return;
  const auto adds = news != told; // our answers, which the sender lacks
  const auto keeps_quiet = mutated(mutation::suspect_privately) && from == nullptr;
  pass_on(std::move(news), neighbours_,
          [&](const neighbour& n) { // also to who is down: it may be alive and must obey
            return (&n != from || adds) && !keeps_quiet;
          });
  reset_coverage();
  update_usable();
  if (in_round())
    recount_all();
}

/// What only this worker can say to news that are false or outdated.
std::optional<fact> round_machine::answer_to(const fact& f) const {
  const auto self = options_.self;
  const auto other = f.a == self ? f.b : f.a;
  if (f.b == self && other == self)
    return members_.own_word(); // we are here
  const auto* n = find(neighbours_, other);
  const auto unheard = f.up && n != nullptr && n->silent && members_.link_up(other);
  if (unheard && (f.a == f.b || f.a == self || f.b == self))
    return facts().next(self, other, false); // others hear it, we do not
  return std::nullopt;
}

/// A link that somebody else says is down, while we hear the other end: who suspected it may have been a
/// process that is gone, and nobody alive would raise it. Once for each time that we hear it anew, since the
/// other end may suspect us and its own word be slower: then it contradicts.
std::optional<fact> round_machine::raise_forgotten(const fact& f, const neighbour* from) {
  if (f.up || f.a == f.b || (f.a != options_.self && f.b != options_.self))
    return std::nullopt;
  auto* n = find(neighbours_, f.a == options_.self ? f.b : f.a);
  if (n == nullptr || n == from || from == nullptr || n->silent || mutated(mutation::forgets_links) ||
      !std::exchange(n->may_raise, false))
    return std::nullopt;
  return facts().next(options_.self, n->id, true);
}

void round_machine::update_usable() {
  for (auto& n : neighbours_) {
    if (members_.usable(n.id) == n.usable)
      continue;
    n.usable = !n.usable;
    if (n.usable)
      returned(n);
    else
      lost(n);
  }
}

void round_machine::lost(neighbour& n) {
  if (!in_round())
    return;
  n.barred = true;
  if (phase_ == phase::gathering && needs_degrees())
    n.accepts_us = false; // it will not hear how many we accept, so it cannot know the edge's weight
  if (std::find(record_.departed.begin(), record_.departed.end(), n.id) == record_.departed.end())
    record_.departed.push_back(n.id);
}

/// A joiner's start: it has heard nobody yet.
void round_machine::take_over() {
  for (auto& n : neighbours_) {
    n.usable = mutated(mutation::joiner_trusts_facts) && members_.usable(n.id);
    n.silent = !n.usable;
    n.met = n.usable || mutated(mutation::joiner_counts_at_once);
  }
  seeks_company_ = !neighbours_.empty();
}

void round_machine::meet(neighbour& n, round_number its_round) {
  seeks_company_ = false;
  const auto had_left = n.leaving;
  n.meet(its_round);
  if (!had_left || n.leaving || !n.usable)
    return;
  note_back(n.id);
  if (!mutated(mutation::meet_in_silence))
    say_where_we_are(n); // while we took it for gone, we told it nothing
}

/// Not in a round that the joiner's predecessor may have counted in, as far as we know.
round_number round_machine::round_for(worker_id joiner) const {
  assert(!members_.link_up(joiner));
  const auto here = in_round() ? std::max(current_, over_) : completed_;
  return std::min(std::max(here, find(neighbours_, joiner)->in), options_.last_round);
}

/// Tells a neighbour whose link has come up what it missed: the facts, and where we are.
void round_machine::returned(neighbour& n) {
  n.last_estimate = now_; // its absence is not its pace
  // It may be a new process that knows nothing of what its predecessor offered, before it was lost or later.
  if (!mutated(mutation::keep_lost_offers))
    n.offered_parameters = false;
  note_back(n.id);
  send_facts(n.id);
  if (mutated(mutation::return_in_silence))
    return;
  say_where_we_are(n);
  catch_up(n);
}

void round_machine::note_back(worker_id id) {
  if (std::find(back_.begin(), back_.end(), id) == back_.end())
    back_.push_back(id);
}

void round_machine::say_where_we_are(const neighbour& n) {
  if (phase_ == phase::left && mutated(mutation::left_in_silence))
    return;
  if (phase_ == phase::left)
    effects_.push_back(send{n.id, leaving{}});
  else if (phase_ == phase::gathering)
    effects_.push_back(send{n.id, estimate{current_, false}});
  else if (phase_ == phase::settling) // it may have accepted what we sent before the link went down
    effects_.push_back(send{n.id, closed{current_, static_cast<std::uint32_t>(accepted_)}});
  else if (completed_ > 0 || !mutated(mutation::first_round_in_silence))
    effects_.push_back(send{n.id, closed{completed_, 0}});
}

} // namespace dybw
