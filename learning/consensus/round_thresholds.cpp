#include "learning/consensus/mutation.hpp"
#include "learning/consensus/round_machine.hpp"

/// The part of the round machine that closes rounds for everybody, under policies that do so.
namespace dybw {

void round_machine::on(neighbour& from, const threshold& m) {
  if (!by_threshold_ || m.round == 0)
    return;
  if (m.generation != coverage_.generation())
    send_facts(from.id);
  const auto tells_coverage = coverage_.learn(m);
  counters_.sweeps_completed = coverage_.sweeps_completed();
  if (!tells_coverage && m.round <= threshold_round_)
    return; // not news: seen, or overtaken by a later one
  threshold_round_ = std::max(threshold_round_, m.round);
  announce(m, &from);
  rounds_over(m.round);
}

/// Saturation on a tree: who has all its neighbours' estimates, and has heard from all its tree neighbours
/// but one that everybody behind them is in, tells that one, by an early `closed`. Who has heard it from all
/// knows that everybody is in. After a new generation the missing one may be another: it is told then.
void round_machine::fire_when_all_are_in() {
  if (phase_ != phase::gathering || close_requested_ || seeks_company_ ||
      std::any_of(neighbours_.begin(), neighbours_.end(),
                  [this](const neighbour& n) { return n.may_still_come(current_); }))
    return;
  const auto& tree = coverage_.connecting();
  std::size_t missing = 0;
  auto last = options_.self;
  for (const auto& n : neighbours_)
    if (n.usable && !n.leaving && n.closed < current_ &&
        std::binary_search(tree.begin(), tree.end(), make_edge(options_.self, n.id))) {
      ++missing;
      last = n.id;
    }
  const auto is_news = mutated(mutation::barrier_tells_once) ? !told_ : told_ != last;
  if (missing == 1 && is_news && !mutated(mutation::barrier_tells_nobody)) {
    told_ = last;
    effects_.push_back(send{last, closed{current_, static_cast<std::uint32_t>(accepted_)}});
  }
  if (missing > (mutated(mutation::barrier_fires_early) ? 1U : 0U))
    return;
  threshold_round_ = std::max(threshold_round_, current_);
  close_requested_ = true;
  announce(threshold{coverage_.generation(), coverage_.sweep(), current_, std::nullopt}, nullptr);
}

void round_machine::fire() {
  if (!by_threshold_)
    return;
  if (for_everybody_)
    return fire_when_all_are_in();
  for (auto& n : neighbours_) {
    const auto e = make_edge(options_.self, n.id);
    if (!n.committed() || n.fired || !coverage_.advances(e, current_))
      continue;
    n.fired = true;
    const auto t = threshold{coverage_.generation(), coverage_.sweep(), current_, e};
    coverage_.cover(e, current_);
    counters_.sweeps_completed = coverage_.sweeps_completed();
    threshold_round_ = std::max(threshold_round_, current_);
    close_requested_ = true;
    announce(t, nullptr);
  }
}

void round_machine::announce(const threshold& t, const neighbour* except) {
  for (const auto& n : neighbours_)
    if (n.usable && &n != except)
      effects_.push_back(send{n.id, t});
}

void round_machine::rounds_over(round_number up_to) {
  up_to = std::min(up_to, options_.last_round);
  if (in_round()) {
    over_ = std::max(over_, up_to);
    close_requested_ = close_requested_ || up_to >= current_;
  } else if (phase_ == phase::computing && up_to > completed_) {
    completed_ = up_to;
    tell_usable(closed{completed_, 0});
    if (options_.on_miss == miss_rule::discard && !is_through())
      restart_step();
  }
}

/// Under DTUR thresholds keep neighbours within one round of each other; a wider gap comes from a healed
/// partition or a hang, and the rounds in between would cover nothing. The other policies catch up by
/// joining.
void round_machine::catch_up(const neighbour& n) {
  if (!by_threshold_ || !n.usable || (phase_ != phase::computing && !in_round()))
    return;
  const auto mine = in_round() ? std::max(current_, over_) : completed_ + 1;
  if (n.in < mine + 2)
    return;
  threshold_round_ = std::max(threshold_round_, n.in - 1);
  announce(threshold{coverage_.generation(), coverage_.sweep(), n.in - 1, std::nullopt}, nullptr);
  rounds_over(n.in - 1);
}

void round_machine::reset_coverage() {
  if (!by_threshold_)
    return;
  auto edges = facts().empty() ? options_.planned_connecting : nullptr;
  if (!edges)
    edges = std::make_shared<const std::vector<edge>>(connecting_edges(
        *options_.graph, options_.connect, options_.self, [this](edge e) { return facts().usable(e); }));
  coverage_.reset(facts().generation(), std::move(edges));
  for (auto& n : neighbours_)
    n.fired = false;
}

} // namespace dybw
