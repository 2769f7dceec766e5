#include "learning/consensus/round_machine.hpp"

#include "learning/consensus/mutation.hpp"

#include <algorithm>
#include <cassert>

namespace dybw {

round_machine::round_machine(machine_options options)
    : machine_frame(std::move(options)), policy_(make_policy(options_.policy)),
      weights_(options_.weights.value_or(policy_->default_weights())),
      by_threshold_(policy_->closes_by_threshold()), for_everybody_(policy_->waits_for_everybody()),
      timeout_(options_.graph->workers(), by_threshold_, for_everybody_) {
  if (connecting_rule(options_) != options_.connect)
    options_.planned_connecting = nullptr;
  for (auto id : options_.graph->neighbours(options_.self)) {
    auto& n = neighbours_.emplace_back();
    n.id = id;
    n.planned_degree = static_cast<std::uint32_t>(options_.graph->degree(id));
  }
  if (!options_.facts.empty())
    take_over();
  reset_coverage();
}

const std::vector<effect>& round_machine::step(nanoseconds now, const event& e) {
  assert(now >= now_);
  now_ = now;
  effects_.clear();
  if (!untold_.empty() && (told_coverage_ != now_ || std::holds_alternative<timer_expired>(e)))
    tell_untold();
  const auto was_round = current_;
  const auto was_gathering = phase_ == phase::gathering;
  std::visit([this](const auto& x) { on(x); }, e);
  const auto skip =
      mutated(mutation::evaluate_once) &&
      (std::holds_alternative<neighbour_lost>(e) || std::holds_alternative<neighbour_heard>(e) ||
       (std::holds_alternative<message_received>(e) &&
        std::holds_alternative<membership_news>(std::get<message_received>(e).message)));
  if (!skip)
    evaluate();
  const auto gathers_anew = phase_ == phase::gathering && (!was_gathering || current_ != was_round);
  if (gathers_anew)
    deadline_ = saturated_sum(now_, options_.round_timeout.value_or(gather_limit()));
  const auto told = untold_wakes_ && untold_.empty();
  const auto wakes_now = !untold_.empty() && !untold_wakes_;
  untold_wakes_ = !untold_.empty();
  if (wakes_now)
    effects_.push_back(arm_timer{now_});
  else if (untold_.empty() && (gathers_anew || (told && phase_ == phase::gathering)))
    effects_.push_back(arm_timer{deadline_});
  check_invariants();
  return effects_;
}

// --- Events ---

void round_machine::on(const start&) {
  if (phase_ != phase::idle)
    return;
  for (auto& n : neighbours_)
    n.last_estimate = now_;
  if (!options_.facts.empty())
    for (const auto& n : neighbours_)
      send_facts(n.id); // also a sign of life: who hears it raises the link
  begin_step();
}

void round_machine::on(const step_done& e) {
  if (phase_ != phase::computing || e.ticket != ticket_)
    return; // a dropped step's
  on(step_resumed{});
  timeout_.observe_step(now_ - step_started_);
  counters_.steps_used += e.gradients;
  record_.gradients = e.gradients;
  join(round_to_join());
}

void round_machine::on(const message_received& e) {
  auto* from = find(neighbours_, e.from);
  if (from == nullptr)
    return;
  if (!is_believable(e.message)) {
    ++counters_.rounds_refused;
    return;
  }
  const auto was_committed = from->committed();
  std::visit([&](const auto& m) { on(*from, m); }, e.message);
  if (!in_round())
    return;
  recount(*from);
  if (from->committed() && !was_committed)
    committed_lately_.push_back(static_cast<std::size_t>(from - neighbours_.data()));
}

void round_machine::on(const timer_expired&) {
  if (phase_ != phase::gathering || now_ < deadline_)
    return;
  record_.timed_out = true;
  ++counters_.timeouts;
  close_requested_ = true;
  seeks_company_ = false;
  if (by_threshold_ && !mutated(mutation::timeout_closes_alone)) {
    threshold_round_ = std::max(threshold_round_, current_);
    announce(threshold{coverage().generation(), coverage().sweep(), current_, std::nullopt}, nullptr);
  }
}

void round_machine::on(const neighbour_lost& e) {
  auto* n = find(neighbours_, e.id);
  if (n == nullptr)
    return;
  n->silent = true;
  learn(members_.word_of_loss(n->id, e.why == neighbour_lost::cause::crashed), nullptr);
}

void round_machine::on(const neighbour_heard& e) {
  auto* n = find(neighbours_, e.id);
  if (n == nullptr)
    return;
  n->silent = false;
  n->may_raise = true;
  if (mutated(mutation::joiner_raises_nothing) && !n->met)
    return;
  learn(members_.word_of_return(n->id), nullptr);
  if (n->usable)
    return;
  send_facts(n->id); // it may not know that it was declared down, or we not that it came back
  if (members_.rests())
    say_where_we_are(*n); // it may seek company, and we may rest for long
}

void round_machine::on(const paused&) {
  if (!in_round())
    return;
  for (auto& n : neighbours_) { // what they made of the round while we slept is not known: mix nothing
    lost(n);
    n.accepts_us = false;
  }
  recount_all();
  close_requested_ = true;
  if (options_.corrects && !mutated(mutation::correction_survives_paused)) // neighbours may count the edges
    learn({members_.word_of_rest(members_.rests())}, nullptr);
}

void round_machine::on(const stop_requested&) {
  stopping_ = true;
  if (mutated(mutation::stop_in_any_phase) && phase_ != phase::left)
    leave();
}

void round_machine::on(const step_stalled&) {
  if (phase_ == phase::computing && !members_.rests() && !mutated(mutation::rests_in_private))
    learn({members_.word_of_rest(true)}, nullptr);
}

void round_machine::on(const step_resumed&) {
  if (members_.rests() && !mutated(mutation::rests_for_ever))
    learn({members_.word_of_rest(false)}, nullptr);
}

// --- Messages ---

/// A round in which nobody can be comes from a broken worker. Taken in, it would end the run for all: they
/// would skip the rounds up to there. (A sweep takes a round at least, so there are no more of them.)
bool round_machine::is_believable(const protocol_message& m) const {
  if (const auto* x = std::get_if<estimate>(&m))
    return may_be_in(x->round);
  if (const auto* x = std::get_if<accept>(&m))
    return may_be_in(x->round);
  if (const auto* x = std::get_if<closed>(&m))
    return may_be_in(x->round);
  if (const auto* x = std::get_if<threshold>(&m))
    return may_be_in(x->round) && (x->sweep <= x->round || mutated(mutation::believes_every_round));
  return true;
}

void round_machine::on(neighbour& from, const estimate& m) {
  if (m.round == 0)
    return; // no such round
  meet(from, m.round);
  from.take_note(m, now_);
  const auto has_said_how_many = told_ && !mutated(mutation::barrier_accepts_more);
  if (phase_ == phase::gathering && from.acceptable(current_) && !has_said_how_many)
    accept_estimate(from);
  else if (m.round <= completed_ || (in_round() && m.round <= current_))
    ++counters_.estimates_late;
  catch_up(from);
}

void round_machine::on(neighbour& from, const accept& m) {
  meet(from, m.round);
  from.in = std::max(from.in, m.round);
  if (in_round() && m.round == current_ && !from.barred)
    from.accepts_us = true;
}

void round_machine::on(neighbour& from, const closed& m) {
  if (mutated(mutation::ignore_closed))
    return;
  meet(from, m.round);
  from.closed = std::max(from.closed, m.round);
  from.in = std::max(from.in, m.round + 1);
  if (in_round() && m.round == current_ && !from.closed_degree && !from.barred)
    from.closed_degree = m.degree; // the first: it is said again, with degree 0, when a link comes up
  catch_up(from);
}

void round_machine::on(neighbour& from, const leaving&) {
  from.leaving = true;
  seeks_company_ = false;
}

void round_machine::on(neighbour& from, const membership_news& m) {
  if (m.facts)
    learn(*m.facts, &from);
}

// --- The round ---

void round_machine::evaluate() {
  for (;;) {
    if (in_round())
      fire();
    if (phase_ == phase::gathering && should_close())
      close();
    if (phase_ == phase::settling && settled()) {
      finish_round();
      continue;
    }
    if (phase_ == phase::computing && is_through()) {
      effects_.push_back(drop_step{ticket_});
      leave();
    }
    return;
  }
}

void round_machine::restart_step() {
  effects_.push_back(drop_step{ticket_});
  ++counters_.steps_discarded;
  step_started_ = now_;
  effects_.push_back(compute{++ticket_});
}

round_number round_machine::round_to_join() const {
  auto round = completed_ + 1;
  if (by_threshold_ || mutated(mutation::join_own_next_round))
    return round;
  for (const auto& n : neighbours_)
    if (n.usable && !n.leaving)
      round = std::max(round, std::min(n.in, options_.last_round));
  return round;
}

void round_machine::join(round_number round) {
  assert(round > completed_ && round <= options_.last_round);
  if (round - 1 > completed_) {
    completed_ = round - 1;
    tell_usable(closed{completed_, 0});
  }
  current_ = round;
  over_ = round;
  accepted_ = 0;
  close_requested_ = false;
  told_.reset();
  record_.round = round;
  record_.started = step_started_;
  record_.joined = now_;
  record_.timed_out = false;
  record_.committed.clear();
  record_.departed.clear();
  set_phase(phase::gathering);
  for (auto& n : neighbours_) {
    n.enter(round);
    if (n.apart_in(round))
      record_.departed.push_back(n.id);
  }
  told_generation_ = correction_generation();
  tell_usable(estimate{round, true, told_generation_});
  for (auto& n : neighbours_)
    if (n.acceptable(current_))
      accept_estimate(n);
  committed_lately_.clear();
  recount_all();
}

void round_machine::accept_estimate(neighbour& n) {
  assert(phase_ == phase::gathering && n.acceptable(current_));
  n.accepted = true;
  n.names_ours = n.generation == told_generation_ || mutated(mutation::corrects_across_generations);
  ++accepted_;
  effects_.push_back(send{n.id, accept{current_}});
  effects_.push_back(use_estimate{n.id, current_});
}

bool round_machine::should_close() const {
  if (close_requested_ || stopping_)
    return true;
  if (seeks_company_)
    return false;
  auto view = round_view{current_, neighbours_.size(), accepted_, tally_.to_come(), current_};
  if (policy_->looks_at_the_slowest() && !mutated(mutation::hop_without_gap))
    view.slowest_in = slowest_in();
  if (policy_->quorum_is_met(view))
    return true;
  return view.still_to_come == 0 && !for_everybody_ && !mutated(mutation::wait_for_all_live);
}

round_number round_machine::slowest_in() const {
  if (tally_.to_come() == 0)
    return current_;
  if (!tally_.slowest()) {
    auto slowest = ~round_number{0};
    std::size_t count = 0;
    for (const auto& n : neighbours_)
      if (n.counted.to_come && n.counted.in <= slowest) {
        count = n.counted.in == slowest ? count + 1 : 1;
        slowest = n.counted.in;
      }
    tally_.set_slowest(slowest, count);
  }
  return std::min(current_, *tally_.slowest());
}

/// To be called for whoever has changed while a round is open.
void round_machine::recount(neighbour& n) {
  const auto is = n.standing(current_);
  tally_.change(static_cast<std::size_t>(&n - neighbours_.data()), n.counted, is);
  n.counted = is;
}

void round_machine::recount_all() {
  for (auto& n : neighbours_)
    recount(n);
}

void round_machine::close() {
  record_.accepted = accepted_;
  record_.closed = now_;
  set_phase(phase::settling);
  tell_usable(closed{current_, static_cast<std::uint32_t>(accepted_)});
}

bool round_machine::awaits_closing(const neighbour& n) const {
  return needs_degrees() && n.owes_closing(current_);
}

bool round_machine::settled() const {
  return tally_.answers_owed() == 0 && (!needs_degrees() || tally_.closings_owed() == 0);
}

double round_machine::weight_of(const neighbour& n) const {
  return weights_ == weight_rule::graph ? metropolis_weight(neighbours_.size(), n.planned_degree)
                                        : metropolis_weight(record_.accepted, *n.closed_degree);
}

void round_machine::finish_round() {
  double others = 0;
  for (const auto& n : neighbours_) {
    if (!n.committed() || (needs_degrees() && !n.closed_degree))
      continue; // of the second kind only who departed, at one end, before it closed: the edge is lost
    record_.committed.push_back(
        {n.id, weight_of(n), n.names_ours && counts_into_correction(told_generation_)});
    others += record_.committed.back().weight;
  }
  record_.own_weight = 1 - others;
  assert(record_.own_weight >= 1 / (1.0 + static_cast<double>(neighbours_.size())) - 1e-12);
  record_.mixed = now_;
  record_.returned.swap(back_);
  back_.clear();
  record_.backup_workers =
      policy_->retune(round_outcome{current_, neighbours_.size(), record_.committed.size()});
  timeout_.observe_wait(now_ - record_.joined, counters_.sweeps_completed);
  completed_ = std::max(current_, over_);
  record_.generation = correction_generation();
  effects_.push_back(mix{current_, record_.committed, record_.generation});
  effects_.push_back(round_done{&record_});
  if (completed_ > current_)
    tell_usable(closed{completed_, 0});
  begin_step();
}

// --- Odds and ends ---

nanoseconds round_machine::gather_limit() const {
  auto limit = timeout_.limit(completed_ - std::min(completed_, options_.completed));
  for (const auto& n : neighbours_)
    if (n.may_still_come(current_))
      limit = std::max(limit, timeout_.limit(n.pace));
  return limit;
}

void round_machine::tell_usable(const protocol_message& m) {
  for (const auto& n : neighbours_)
    if (n.usable && !n.leaving)
      effects_.push_back(send{n.id, m});
}

machine_status round_machine::status() const {
  auto s = status_of_phase();
  for (const auto& n : neighbours_) {
    if (phase_ == phase::gathering && (n.may_still_come(current_) || seeks_company_)) {
      ++s.quorum_missing;
      s.waiting_for.push_back({n.id, wait_cause::kind::estimate, phase_since_});
    } else if (phase_ == phase::settling && n.owes_answer(current_)) {
      s.waiting_for.push_back({n.id, wait_cause::kind::answer, phase_since_});
    } else if (phase_ == phase::settling && awaits_closing(n)) {
      s.waiting_for.push_back({n.id, wait_cause::kind::closing, phase_since_});
    }
  }
  if (phase_ == phase::gathering && by_threshold_)
    s.waiting_for.push_back({options_.self, wait_cause::kind::threshold, phase_since_});
  return s;
}

void round_machine::check_invariants() const {
#ifndef NDEBUG
  assert(!in_round() || current_ > completed_);
  assert(phase_ == phase::idle || phase_ == phase::left || completed_ < options_.last_round);
  std::size_t accepted = 0;
  for (const auto& n : neighbours_) {
    accepted += n.accepted ? 1u : 0u;
    assert(!in_round() || !n.accepted || n.offered >= current_);
    assert(!n.fired || by_threshold_);
  }
  assert(!in_round() || accepted == accepted_);
  if (!in_round())
    return;
  for (const auto& n : neighbours_) {
    const auto is = n.standing(current_);
    assert(is.to_come == n.counted.to_come && is.owes_answer == n.counted.owes_answer);
    assert(is.owes_closing == n.counted.owes_closing && is.owes_branch == n.counted.owes_branch);
    assert(is.in == n.counted.in);
  }
#endif
}

} // namespace dybw
