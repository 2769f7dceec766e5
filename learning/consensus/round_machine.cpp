#include "learning/consensus/round_machine.hpp"

#include "learning/consensus/mutation.hpp"

#include <algorithm>
#include <cassert>

namespace dybw {

round_machine::round_machine(machine_options options)
    : options_(std::move(options)), policy_(make_policy(options_.policy)),
      weights_(options_.weights.value_or(policy_->default_weights())),
      by_threshold_(policy_->closes_by_threshold()), for_everybody_(policy_->waits_for_everybody()) {
  if (for_everybody_ && options_.connect.how != connect_spec::kind::tree) {
    options_.connect = {}; // any other set of edges may have circles
    options_.planned_connecting = nullptr;
  }
  const auto& graph = *options_.graph;
  for (auto id : graph.neighbours(options_.self)) {
    auto& n = neighbours_.emplace_back();
    n.id = id;
    n.planned_degree = graph.degree(id);
  }
  component_ = graph.workers();
  completed_ = std::min(options_.completed, options_.last_round);
  if (!options_.facts.empty())
    take_over(options_.facts);
  else if (by_threshold_) {
    if (!options_.planned_connecting)
      options_.planned_connecting = std::make_shared<const std::vector<edge>>(
          connecting_edges(graph, options_.connect, options_.self, [](edge) { return true; }));
    coverage_.reset(facts_.generation(), options_.planned_connecting);
  }
}

const std::vector<effect>& round_machine::step(nanoseconds now, const event& e) {
  assert(now >= now_);
  now_ = now;
  effects_.clear();
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
  if (phase_ == phase::gathering && (!was_gathering || current_ != was_round)) {
    deadline_ = now_ + gather_limit();
    effects_.push_back(arm_timer{deadline_});
  }
  check_invariants();
  return effects_;
}

// --- Events ---

void round_machine::on(const start&) {
  if (phase_ != phase::idle)
    return;
  started_ = now_;
  for (auto& n : neighbours_)
    n.last_estimate = now_;
  if (!options_.facts.empty())
    for (const auto& n : neighbours_)
      send_facts(n); // also a sign of life: who hears it raises the link
  begin_step();
}

void round_machine::on(const step_done& e) {
  if (phase_ != phase::computing || e.ticket != ticket_)
    return; // a dropped step's
  if (!first_step_)
    first_step_ = now_ - step_started_;
  ++counters_.steps_used;
  join(round_to_join());
}

void round_machine::on(const message_received& e) {
  auto* from = find(e.from);
  if (from == nullptr)
    return; // a stranger's
  std::visit([&](const auto& m) { on(*from, m); }, e.message);
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
    announce(threshold{coverage_.generation(), coverage_.sweep(), current_, std::nullopt}, nullptr);
  }
}

void round_machine::on(const neighbour_lost& e) {
  auto* n = find(e.id);
  if (n == nullptr)
    return;
  n->silent = true;
  const auto self = options_.self;
  if (e.why == neighbour_lost::cause::crashed) {
    if (facts_.worker_up(n->id))
      learn({facts_.next(n->id, n->id, false)}, nullptr);
  } else if (facts_.link_up(make_edge(self, n->id))) {
    learn({facts_.next(self, n->id, false)}, nullptr);
  }
}

void round_machine::on(const neighbour_heard& e) {
  auto* n = find(e.id);
  if (n == nullptr)
    return;
  n->silent = false;
  if (mutated(mutation::joiner_raises_nothing) && !n->met)
    return;
  if (!facts_.link_up(make_edge(options_.self, n->id)))
    learn({facts_.next(options_.self, n->id, true)}, nullptr);
  if (!n->usable) // it may not know that it was declared down, or we not that it came back
    send_facts(*n);
}

void round_machine::on(const paused&) {
  if (!in_round())
    return;
  for (auto& n : neighbours_) { // what they made of the round while we slept is not known: mix nothing
    lost(n);
    n.accepts_us = false;
  }
  close_requested_ = true;
}

void round_machine::on(const stop_requested&) {
  stopping_ = true;
  if (mutated(mutation::stop_in_any_phase) && phase_ != phase::left)
    leave();
}

// --- Messages ---

void round_machine::on(neighbour& from, const estimate& m) {
  if (m.round == 0)
    return; // no such round
  meet(from, m.round);
  if (m.round > from.offered) {
    from.pace.observe(now_ - from.last_estimate);
    from.last_estimate = now_;
    from.offered = m.round;
    from.offered_parameters = m.has_parameters;
  }
  from.in = std::max(from.in, m.round);
  if (!mutated(
          mutation::ignore_closed)) // in a round means out of the one before, even if it could not say so
    from.closed = std::max(from.closed, m.round - 1);
  if (phase_ == phase::gathering && acceptable(from))
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

void round_machine::on(neighbour& from, const threshold& m) {
  if (!by_threshold_ || m.round == 0)
    return;
  if (m.generation != coverage_.generation())
    send_facts(from);
  const auto tells_coverage = coverage_.learn(m);
  counters_.sweeps_completed = coverage_.sweeps_completed();
  if (!tells_coverage && m.round <= threshold_round_)
    return; // not news: seen, or overtaken by a later one
  threshold_round_ = std::max(threshold_round_, m.round);
  announce(m, &from);
  rounds_over(m.round);
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
    if (phase_ == phase::computing && (stopping_ || completed_ >= options_.last_round)) {
      effects_.push_back(drop_step{ticket_});
      leave();
    }
    return;
  }
}

void round_machine::begin_step() {
  if (stopping_ || completed_ >= options_.last_round)
    return leave();
  set_phase(phase::computing);
  step_started_ = now_;
  effects_.push_back(compute{++ticket_});
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
  record_.degree = neighbours_.size();
  record_.timed_out = false;
  record_.committed.clear();
  record_.departed.clear();
  set_phase(phase::gathering);
  for (auto& n : neighbours_) {
    n.barred = !n.usable || n.apart_in(round);
    if (n.apart_in(round))
      record_.departed.push_back(n.id);
    n.accepted = n.accepts_us = n.fired = false;
    n.closed_degree.reset();
  }
  tell_usable(estimate{round, true});
  for (auto& n : neighbours_)
    if (acceptable(n))
      accept_estimate(n);
}

bool round_machine::acceptable(const neighbour& n) const {
  return n.offered == current_ && n.offered_parameters && !n.accepted && !n.barred && !n.leaving &&
         n.closed < current_;
}

void round_machine::accept_estimate(neighbour& n) {
  assert(phase_ == phase::gathering && acceptable(n));
  n.accepted = true;
  ++accepted_;
  effects_.push_back(send{n.id, accept{current_}});
  effects_.push_back(use_estimate{n.id, current_});
}

bool round_machine::may_still_come(const neighbour& n) const {
  return !n.accepted && !n.barred && !n.leaving && n.offered < current_ && n.closed < current_;
}

bool round_machine::should_close() const {
  if (close_requested_ || stopping_)
    return true;
  if (seeks_company_)
    return false;
  auto view = round_view{current_, neighbours_.size(), accepted_, 0, current_};
  for (const auto& n : neighbours_)
    if (may_still_come(n)) {
      ++view.still_to_come;
      if (!mutated(mutation::hop_without_gap))
        view.slowest_in = std::min(view.slowest_in, n.in);
    }
  if (policy_->quorum_is_met(view))
    return true;
  return view.still_to_come == 0 && !for_everybody_ && !mutated(mutation::wait_for_all_live);
}

void round_machine::close() {
  record_.accepted = accepted_;
  record_.closed = now_;
  set_phase(phase::settling);
  tell_usable(closed{current_, static_cast<std::uint32_t>(accepted_)});
}

bool round_machine::awaits_answer(const neighbour& n) const {
  if (!n.accepted || n.accepts_us || n.barred || n.leaving)
    return false;
  return mutated(mutation::settle_exact_round_only) ? n.closed != current_ : n.closed < current_;
}

bool round_machine::awaits_closing(const neighbour& n) const {
  // A later round's `closed` without this one's: it closed this one while it thought the link down.
  return weights_ == weight_rule::active && n.committed() && !n.closed_degree && n.closed < current_ &&
         !n.barred && !n.leaving;
}

bool round_machine::settled() const {
  return std::none_of(neighbours_.begin(), neighbours_.end(),
                      [this](const neighbour& n) { return awaits_answer(n) || awaits_closing(n); });
}

double round_machine::weight_of(const neighbour& n) const {
  return weights_ == weight_rule::graph ? metropolis_weight(neighbours_.size(), n.planned_degree)
                                        : metropolis_weight(record_.accepted, *n.closed_degree);
}

void round_machine::finish_round() {
  double others = 0;
  for (const auto& n : neighbours_) {
    if (!n.committed() || (weights_ == weight_rule::active && !n.closed_degree))
      continue; // of the second kind only who departed, at one end, before it closed: the edge is lost
    record_.committed.push_back({n.id, weight_of(n)});
    others += record_.committed.back().weight;
  }
  record_.own_weight = 1 - others;
  assert(record_.own_weight >= 1 / (1.0 + static_cast<double>(neighbours_.size())) - 1e-12);
  record_.mixed = now_;
  record_.backup_workers =
      policy_->retune(round_outcome{current_, neighbours_.size(), record_.committed.size()});
  note_wait(now_ - record_.joined);
  completed_ = std::max(current_, over_);
  effects_.push_back(mix{current_, record_.committed});
  effects_.push_back(round_done{&record_});
  if (completed_ > current_)
    tell_usable(closed{completed_, 0});
  begin_step();
}

void round_machine::leave() {
  set_phase(phase::left);
  for (const auto& n : neighbours_)
    effects_.push_back(send{n.id, leaving{}});
  effects_.push_back(finished{completed_});
}

// --- Thresholds ---

/// Saturation on a tree: who has all its neighbours' estimates, and has heard from all its tree neighbours
/// but one that everybody behind them is in, tells that one, by an early `closed`. Who has heard it from all
/// knows that everybody is in. After a new generation the missing one may be another: it is told then.
void round_machine::fire_when_all_are_in() {
  if (phase_ != phase::gathering || close_requested_ || seeks_company_ ||
      std::any_of(neighbours_.begin(), neighbours_.end(),
                  [this](const neighbour& n) { return may_still_come(n); }))
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
    if (options_.on_miss == miss_rule::discard && completed_ < options_.last_round && !stopping_)
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

// --- Membership ---

void round_machine::learn(const std::vector<fact>& facts, const neighbour* from) {
  const auto self = options_.self;
  auto news = std::vector<fact>{};
  for (const auto& f : facts) {
    if (is_of_graph(*options_.graph, f) && facts_.learn(f))
      news.push_back(f);
  }
  for (std::size_t i = 0, count = news.size(); i < count; ++i) {
    const auto f = news[i];
    const auto other = f.a == self ? f.b : f.a;
    const auto* n = find(other);
    const auto unheard = f.up && n != nullptr && n->silent && facts_.link_up(make_edge(self, other));
    auto answer = std::optional<fact>{};
    if (f.a == self && f.b == self && !f.up)
      answer = facts_.next(self, self, true); // we are here
    else if (unheard && (f.a == f.b || f.a == self || f.b == self))
      answer = facts_.next(self, other, false); // others hear it, we do not
    if (answer && facts_.learn(*answer))
      news.push_back(*answer);
  }
  if (news.empty())
    return;
  const auto shared = std::make_shared<const std::vector<fact>>(std::move(news));
  for (const auto& n : neighbours_) // also to who is down: it may be alive and must obey
    if (mutated(mutation::suspect_privately) && from == nullptr)
      break;
    else if (&n != from)
      effects_.push_back(send{n.id, membership_news{shared}});
    else if (shared->size() > 0 && !(*shared == facts)) // our answers, which the sender lacks
      effects_.push_back(send{n.id, membership_news{shared}});
  new_generation();
  update_usable();
}

void round_machine::new_generation() {
  const auto component = component_of(*options_.graph, facts_, options_.self);
  component_ = component.size();
  lowest_ = *std::min_element(component.begin(), component.end());
  effects_.push_back(membership_changed{facts_.generation(), component_, lowest_});
  if (!by_threshold_)
    return;
  coverage_.reset(facts_.generation(), std::make_shared<const std::vector<edge>>(
                                           connecting_edges(*options_.graph, options_.connect, options_.self,
                                                            [this](edge e) { return facts_.usable(e); })));
  for (auto& n : neighbours_)
    n.fired = false;
}

void round_machine::update_usable() {
  for (auto& n : neighbours_) {
    const auto usable = facts_.usable(make_edge(options_.self, n.id));
    if (usable == n.usable)
      continue;
    n.usable = usable;
    if (!usable && !mutated(mutation::keep_lost_offers))
      n.offered_parameters = false; // who returns may be a new process that knows nothing of it
    if (usable)
      returned(n);
    else
      lost(n);
  }
}

void round_machine::lost(neighbour& n) {
  if (!in_round())
    return;
  n.barred = true;
  if (phase_ == phase::gathering && weights_ == weight_rule::active)
    n.accepts_us = false; // it will not hear how many we accept, so it cannot know the edge's weight
  if (std::find(record_.departed.begin(), record_.departed.end(), n.id) == record_.departed.end())
    record_.departed.push_back(n.id);
}

/// A joiner's start. What its predecessor said and did is not known: so every link is down until its other
/// end is heard, and a false or outdated word of our own end is contradicted.
void round_machine::take_over(const std::vector<fact>& facts) {
  const auto self = options_.self;
  facts_ = membership_of_joiner(*options_.graph, self, facts);
  for (auto& n : neighbours_) {
    if (mutated(mutation::joiner_trusts_facts) && facts_.usable(make_edge(self, n.id)))
      continue;
    if (facts_.link_up(make_edge(self, n.id)))
      facts_.learn(facts_.next(self, n.id, false));
    n.silent = true;
    n.usable = false;
    n.met = mutated(mutation::joiner_counts_at_once);
  }
  seeks_company_ = !neighbours_.empty();
  new_generation();
  effects_.clear();
}

/// A neighbour has told a joiner where it is: it sent nothing to our predecessor in rounds after this one.
void round_machine::meet(neighbour& n, round_number its_round) {
  seeks_company_ = false;
  if (!mutated(mutation::leaving_for_ever))
    n.leaving = false; // after `leaving` only a new process says where it is
  if (n.met)
    return;
  n.met = true;
  n.apart_until = its_round;
}

std::optional<welcome> round_machine::welcome_for(worker_id joiner) const {
  const auto n = std::find_if(neighbours_.begin(), neighbours_.end(),
                              [joiner](const neighbour& x) { return x.id == joiner; });
  if (n == neighbours_.end() || phase_ == phase::idle || phase_ == phase::left)
    return std::nullopt;
  assert(!facts_.link_up(make_edge(options_.self, joiner)));
  // Not in a round that its predecessor may have counted in, as far as we know.
  const auto here = in_round() ? std::max(current_, over_) : completed_;
  return welcome{facts_.facts(), std::min(std::max(here, n->in), options_.last_round)};
}

/// Tells a neighbour whose link has come up what it missed: the facts, and where we are.
void round_machine::returned(neighbour& n) {
  n.last_estimate = now_; // its absence is not its pace
  send_facts(n);
  if (mutated(mutation::return_in_silence))
    return;
  if (phase_ == phase::left)
    effects_.push_back(send{n.id, leaving{}});
  else if (phase_ == phase::gathering)
    effects_.push_back(send{n.id, estimate{current_, false}});
  else if (phase_ == phase::settling) // it may have accepted what we sent before the link went down
    effects_.push_back(send{n.id, closed{current_, static_cast<std::uint32_t>(accepted_)}});
  else if (completed_ > 0)
    effects_.push_back(send{n.id, closed{completed_, 0}});
  catch_up(n);
}

void round_machine::send_facts(const neighbour& n) {
  if (!facts_.empty())
    effects_.push_back(
        send{n.id, membership_news{std::make_shared<const std::vector<fact>>(facts_.facts())}});
}

// --- Odds and ends ---

/// DTUR: the wait that shows how slow the slowest are comes once per sweep, so a sweep's longest is observed.
void round_machine::note_wait(nanoseconds t) {
  if (for_everybody_)
    sweep_wait_.observe(t);
  longest_wait_ = std::max(longest_wait_, t);
  if (counters_.sweeps_completed == sweeps_timed_)
    return;
  sweep_wait_.observe(longest_wait_);
  sweeps_timed_ = counters_.sweeps_completed;
  longest_wait_ = nanoseconds{0};
}

nanoseconds round_machine::gather_limit() const {
  if (options_.round_timeout)
    return *options_.round_timeout;
  const auto first = std::min<nanoseconds>(first_step_.value_or(nanoseconds{0}), pace_estimator::time_max);
  auto unknown = std::max<nanoseconds>(10 * first, std::chrono::seconds{10});
  if (for_everybody_)
    unknown *= 10; // the slowest worker and the longest way through the graph, none of which was seen yet
  // The first waits tell little: a straggler's pace takes a round per edge to reach those far from it (under
  // DTUR, a sweep), and rare stragglers take many rounds to show. So what is not known fades only slowly.
  const auto workers = options_.graph->workers();
  const auto done = completed_ - std::min(completed_, options_.completed);
  const auto is_early = done < workers || (by_threshold_ && !sweep_wait_.observed());
  const auto rounds = static_cast<std::int64_t>(is_early ? 0 : done - workers);
  auto limit = std::max<nanoseconds>(unknown / (64 + rounds) * 64, std::chrono::seconds{1});
  for (const auto& n : neighbours_)
    if (may_still_come(n))
      limit = std::max(limit, n.pace.observed() ? n.pace.bound() : unknown);
  if (sweep_wait_.observed())
    limit = std::max(limit, sweep_wait_.bound());
  return limit;
}

void round_machine::set_phase(phase p) {
  phase_ = p;
  phase_since_ = now_;
}

round_machine::neighbour* round_machine::find(worker_id id) {
  const auto i = std::lower_bound(neighbours_.begin(), neighbours_.end(), id,
                                  [](const neighbour& n, worker_id x) { return n.id < x; });
  return i != neighbours_.end() && i->id == id ? &*i : nullptr;
}

template <class Message>
void round_machine::tell_usable(const Message& m) {
  for (const auto& n : neighbours_)
    if (n.usable && !n.leaving)
      effects_.push_back(send{n.id, m});
}

machine_status round_machine::status() const {
  machine_status s;
  s.phase = phase_;
  s.round = in_round() ? current_ : completed_;
  s.completed = completed_;
  s.since = phase_since_;
  s.component = component_;
  s.lowest = lowest_;
  for (const auto& n : neighbours_) {
    if (phase_ == phase::gathering && (may_still_come(n) || seeks_company_)) {
      ++s.quorum_missing;
      s.waiting_for.push_back({n.id, wait_cause::kind::estimate, phase_since_});
    } else if (phase_ == phase::settling && awaits_answer(n)) {
      s.waiting_for.push_back({n.id, wait_cause::kind::answer, phase_since_});
    } else if (phase_ == phase::settling && awaits_closing(n)) {
      s.waiting_for.push_back({n.id, wait_cause::kind::closing, phase_since_});
    }
  }
  if (phase_ == phase::gathering) {
    s.timeout = deadline_;
    if (by_threshold_)
      s.waiting_for.push_back({options_.self, wait_cause::kind::threshold, phase_since_});
  }
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
#endif
}

} // namespace dybw
