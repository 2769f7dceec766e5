#include "learning/consensus/mutation.hpp"
#include "learning/consensus/round_machine.hpp"

#include <algorithm>
#include <utility>

/// The part of the round machine that closes rounds for everybody, under policies that do so.
namespace dybw {

void round_machine::on(neighbour& from, const threshold& m) {
  if (!by_threshold_ || m.round == 0)
    return;
  auto tells_coverage = false;
  if (m.generation != facts().generation()) {
    send_facts(from.id);
  } else {
    const auto sweep = coverage().sweep();
    tells_coverage = coverage_.learn(m);
    counters_.sweeps_completed = coverage_.sweeps_completed();
    fire_looks_at_all_ = fire_looks_at_all_ || coverage_.sweep() != sweep;
  }
  if (!tells_coverage && m.round <= threshold_round_)
    return; // not news: seen, or overtaken by a later one
  spread(m, &from);
  rounds_over(m.round);
}

/// Saturation on a tree: who has all its neighbours' estimates, and has heard from all its tree neighbours
/// but one that everybody behind them is in, tells that one, by an early `closed`. Who has heard it from all
/// knows that everybody is in. After a new generation the missing one may be another: it is told then.
void round_machine::fire_when_all_are_in() {
  if (phase_ != phase::gathering || close_requested_ || seeks_company_ || tally_.to_come() > 0)
    return;
  const auto missing = tally_.branches_owed();
  if (missing == 1) {
    const auto last = neighbours_[tally_.last_branch()].id;
    const auto is_news = mutated(mutation::barrier_tells_once) ? !told_ : told_ != last;
    if (is_news && !mutated(mutation::barrier_tells_nobody)) {
      told_ = last;
      effects_.push_back(send{last, closed{current_, static_cast<std::uint32_t>(accepted_)}});
    }
  }
  if (missing > (mutated(mutation::barrier_fires_early) ? 1U : 0U))
    return;
  threshold_round_ = std::max(threshold_round_, current_);
  close_requested_ = true;
  announce(threshold{coverage().generation(), coverage().sweep(), current_, std::nullopt}, nullptr);
}

void round_machine::fire() {
  if (!by_threshold_)
    return;
  if (for_everybody_)
    return fire_when_all_are_in();
  if (std::exchange(fire_looks_at_all_, false)) {
    for (auto& n : neighbours_)
      fire_for(n);
  } else {
    for (auto place : committed_lately_)
      fire_for(neighbours_[place]);
  }
  committed_lately_.clear();
}

/// If a sweep ends with this edge, no other that was committed in this round counts for the next.
void round_machine::fire_for(neighbour& n) {
  const auto e = make_edge(options_.self, n.id);
  if (!n.committed() || n.fired || !coverage().advances(e, current_))
    return;
  n.fired = true;
  const auto t = threshold{coverage_.generation(), coverage_.sweep(), current_, e};
  coverage_.cover(e, current_);
  counters_.sweeps_completed = coverage_.sweeps_completed();
  close_requested_ = true;
  spread(t, nullptr);
}

/// Passes on what is news: at once if it closes a round, and the first of a moment; what else comes to be
/// covered at this moment together, at its end.
void round_machine::spread(const threshold& t, const neighbour* except) {
  const auto closes = t.round > threshold_round_;
  threshold_round_ = std::max(threshold_round_, t.round);
  const auto has_edges = t.covered || t.more;
  if (closes || !has_edges || (told_coverage_ != now_ && untold_.empty())) {
    if (!closes && has_edges)
      told_coverage_ = now_;
    return announce(t, except);
  }
  if (mutated(mutation::keeps_coverage))
    return;
  if (untold_.empty() || untold_.back().sweep != t.sweep || untold_.back().round != t.round)
    untold_.push_back({t.sweep, t.round, {}});
  coverage_.add_to(untold_.back().edges, t);
}

void round_machine::tell_untold() {
  for (auto& u : untold_)
    announce(threshold{coverage_.generation(), u.sweep, u.round, std::nullopt,
                       std::make_shared<const covered_edges>(
                           covered_edges{coverage_.connecting_set(), std::move(u.edges)})},
             nullptr);
  untold_.clear();
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
  announce(threshold{coverage().generation(), coverage().sweep(), n.in - 1, std::nullopt}, nullptr);
  rounds_over(n.in - 1);
}

/// Nothing is covered any more. The edges are only looked up when they are needed: several facts often come
/// together.
void round_machine::reset_coverage() {
  if (!by_threshold_)
    return;
  coverage_is_old_ = fire_looks_at_all_ = true;
  untold_.clear(); // of another generation
  for (auto& n : neighbours_)
    n.fired = false;
  if (!for_everybody_)
    return;
  const auto& tree = coverage().connecting();
  for (auto& n : neighbours_)
    n.is_branch = std::binary_search(tree.begin(), tree.end(), make_edge(options_.self, n.id));
}

coverage_sweep& round_machine::coverage() {
  if (std::exchange(coverage_is_old_, false)) {
    const auto is_planned = facts().empty() && options_.planned_connecting;
    coverage_.reset(facts().generation(), is_planned ? options_.planned_connecting : members_.connecting(),
                    sweeps_end(options_));
  }
  return coverage_;
}

} // namespace dybw
