#include "learning/consensus/pairwise_machine.hpp"

#include "learning/consensus/mutation.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace dybw {

void rate_consensus::observe(nanoseconds step) {
  constexpr double window = 50; // steps: the inverse of a mean of few is too large on average
  constexpr std::uint64_t few = 5;
  ++steps_;
  const auto s = std::max(to_seconds(step), 1e-9);
  step_s_ += (s - step_s_) / std::min(static_cast<double>(steps_), window);
  if (steps_ < few)
    return;
  const auto before = own_;
  own_ = 1 / step_s_;
  mean_ += own_ - before;
}

void rate_consensus::average(double theirs, double mine, double weight) {
  if (theirs != 0 && mine != 0)
    mean_ += weight * (theirs - mine);
}

pairwise_machine::pairwise_machine(machine_options options)
    : machine_frame(std::move(options)),
      generator_(make_generator(options_.seed, random_stream::schedule, index_of(options_.self))) {
  auto made = make_policy(options_.policy);
  assert(made->averages_in_pairs());
  policy_.reset(static_cast<pairwise_policy*>(made.release()));
  const auto& graph = *options_.graph;
  const auto degree = graph.degree(options_.self);
  for (auto id : graph.neighbours(options_.self)) {
    auto& n = neighbours_.emplace_back();
    n.id = id;
    n.weight = policy_->weight(degree, mutated(mutation::pair_weighs_alone) ? degree : graph.degree(id));
    n.usable = options_.facts.empty(); // a joiner waits for a sign of life
  }
}

/// Takes in what is news and passes it on. `from`: who told it; null for our own word.
void pairwise_machine::learn(const std::vector<fact>& told, const neighbour* from) {
  auto news = members_.learn(told);
  for (const auto& f : news) {
    auto* dead = f.a == f.b && !f.up ? find(neighbours_, f.a) : nullptr;
    if (dead != nullptr && !dead->crashed)
      lose(*dead, neighbour_lost::cause::crashed);
  }
  if (!facts().worker_up(options_.self)) // a false or outdated word
    members_.say(facts().next(options_.self, options_.self, true), news);
  if (!news.empty())
    pass_on(std::move(news), neighbours_, [&](const neighbour& n) { return n.usable && &n != from; });
}

const std::vector<effect>& pairwise_machine::step(nanoseconds now, const event& e) {
  assert(now >= now_);
  now_ = now;
  effects_.clear();
  std::visit([this](const auto& x) { on(x); }, e);
  evaluate();
  return effects_;
}

// --- Events ---

void pairwise_machine::on(const start&) {
  if (phase_ != phase::idle)
    return;
  if (!options_.facts.empty()) // a joiner's are not its predecessor's
    number_ = static_cast<std::uint64_t>(now_.count());
  for (auto& n : neighbours_)
    n.sessions.own = std::max(n.sessions.own, number_); // a link may have broken before the start
  go_on();
}

void pairwise_machine::on(const step_done& e) {
  if (phase_ != phase::computing || e.ticket != ticket_)
    return;
  ++counters_.steps_used;
  current_ = completed_ + 1;
  for (const auto& n : neighbours_) // who is behind in numbers skips some, so that all end with the same
    if (n.usable && !n.leaving)
      current_ = std::max(current_, std::min(n.in, options_.last_round));
  rates_.observe(now_ - step_started_);
  record_.round = current_;
  record_.started = step_started_;
  record_.joined = now_;
  timed_out_ = false;
  effects_.push_back(take_step{current_, policy_->step_scale(rates_.own(), rates_.mean())});
  set_phase(phase::gathering);
  offer_to_some();
  patience_ends_.reset();
  if (const auto patience = policy_->patience(rates_.step()))
    patience_ends_ = saturated_sum(now_, *patience);
  deadline_ = saturated_sum(now_, options_.round_timeout.value_or(answer_limit()));
  if (unanswered() > 0)
    effects_.push_back(arm_timer{patience_ends_ ? std::min(*patience_ends_, deadline_) : deadline_});
}

void pairwise_machine::on(const message_received& e) {
  if (auto* from = find(neighbours_, e.from))
    std::visit([&](const auto& m) { on(*from, m); }, e.message);
}

void pairwise_machine::on(const timer_expired&) {
  if (phase_ != phase::gathering || may_go_on())
    return;
  if (now_ < deadline_) {
    effects_.push_back(arm_timer{deadline_});
    return;
  }
  timed_out_ = true;
  ++counters_.timeouts;
  patience_ends_ = now_;
  for (auto& n : neighbours_) // the answers still count when they come; they are only not waited for
    n.overdue = 0;
}

void pairwise_machine::on(const neighbour_lost& e) {
  auto* n = find(neighbours_, e.id);
  if (n == nullptr)
    return;
  lose(*n, e.why);
  learn(members_.word_of_loss(n->id, n->crashed), nullptr);
}

void pairwise_machine::lose(neighbour& n, neighbour_lost::cause why) {
  n.usable = false;
  n.crashed = n.crashed || why == neighbour_lost::cause::crashed;
  ++n.sessions.own;
  give_up(n);
}

/// Forgets the offer that is unanswered. The other end may have answered it.
void pairwise_machine::give_up(neighbour& n) {
  n.offered = 0;
  n.overdue = 0;
  if (std::find(departed_.begin(), departed_.end(), n.id) == departed_.end())
    departed_.push_back(n.id);
  effects_.push_back(edge_lost{n.id});
}

void pairwise_machine::on(const neighbour_heard& e) {
  auto* n = find(neighbours_, e.id);
  if (n == nullptr || n->crashed)
    return;
  n->usable = true;
  n->leaving = n->closing = false; // it may be another process; it says so again
  if (phase_ == phase::left)
    effects_.push_back(send{n->id, leaving{}});
  else if (phase_ == phase::settling)
    effects_.push_back(send{n->id, closed{current_, 0}});
  learn(members_.word_of_return(n->id), nullptr);
  send_facts(n->id);
}

void pairwise_machine::on(const stop_requested&) {
  stopping_ = true;
}

// --- Messages ---

/// Whether a message was sent before its sender knew that we had given it up. Takes note of its having given
/// us up.
bool pairwise_machine::is_void(neighbour& from, const link_sessions& sessions) {
  if (sessions.own > from.sessions.seen) {
    from.sessions.seen = sessions.own;
    if (from.offered > 0)
      give_up(from);
  }
  return sessions.seen < from.sessions.own && !mutated(mutation::pair_without_sessions);
}

void pairwise_machine::on(neighbour& from, const offer& m) {
  if (mutated(mutation::pair_revives_the_dead) && std::exchange(from.crashed, false))
    from.usable = true;
  if (is_void(from, m.sessions)) {
    if (!mutated(mutation::pair_silent_refusal))
      effects_.push_back(send{from.id, answer{m.number, false, 0, from.sessions}});
    return;
  }
  if (std::exchange(from.crashed, false)) { // it knows that we gave it up: it lives, or does again
    from.usable = true;
    from.leaving = from.closing = false;
    if (!facts().worker_up(from.id))
      learn({facts().next(from.id, from.id, true)}, nullptr);
  }
  from.in = std::max(from.in, m.round);
  const auto crosses = !mutated(mutation::pair_crosses_at_one_end) || options_.self > from.id;
  if (from.offered > 0 && crosses) { // the two have crossed: each is the other's answer
    const auto mine = from.offered;
    from.offered = 0;
    from.pace.observe(now_ - from.offered_at);
    const auto lower = std::min(options_.self, from.id);
    take(from, lower, lower == from.id ? m.number : mine, true, m.rate, from.told_rate);
    return;
  }
  const auto taken = phase_ != phase::left && phase_ != phase::idle;
  effects_.push_back(send{from.id, answer{m.number, taken, taken ? rates_.mean() : 0, from.sessions}});
  if (taken && !mutated(mutation::pair_halves_on_the_answer))
    take(from, from.id, m.number, false, m.rate, rates_.mean());
}

void pairwise_machine::on(neighbour& from, const answer& m) {
  const auto is_owed = from.offered > 0 && m.number == from.offered;
  if (is_void(from, m.sessions) || !(is_owed || mutated(mutation::pair_takes_every_answer)))
    return; // to an offer that was given up
  from.offered = 0;
  from.pace.observe(now_ - from.offered_at);
  if (m.taken)
    take(from, options_.self, m.number, true, m.rate, from.told_rate);
}

/// Says how it stands with us, too: whoever gave us up for a while has forgotten it.
void pairwise_machine::on(neighbour& from, const closed&) {
  const auto is_news = !std::exchange(from.closing, true);
  if (phase_ == phase::left)
    effects_.push_back(send{from.id, leaving{}});
  else if (phase_ == phase::settling && is_news)
    effects_.push_back(send{from.id, closed{current_, 0}});
}

void pairwise_machine::on(neighbour& from, const leaving&) {
  from.leaving = true;
}

void pairwise_machine::on(neighbour& from, const membership_news& m) {
  learn(*m.facts, &from);
}

/// Our half of an exchange.
void pairwise_machine::take(neighbour& n, worker_id first, std::uint64_t number, bool own_offer,
                            double theirs, double mine) {
  effects_.push_back(absorb{
      {options_.self, n.id, first, number, std::max(current_, completed_), n.weight, 0, 0}, own_offer});
  rates_.average(theirs, mine, n.weight);
  n.overdue = 0;
  const auto known = std::find_if(averaged_.begin(), averaged_.end(),
                                  [&](const mix_term& t) { return t.neighbour == n.id; });
  if (known == averaged_.end())
    averaged_.push_back({n.id, n.weight});
  else
    known->weight += n.weight;
}

// --- The round ---

void pairwise_machine::evaluate() {
  for (;;) {
    if (phase_ == phase::computing && stopping_) {
      effects_.push_back(drop_step{ticket_});
      close_down();
    } else if (phase_ == phase::gathering && may_go_on()) {
      finish_round();
    } else if (phase_ == phase::settling &&
               (unanswered() == 0 || mutated(mutation::pair_leaves_unanswered))) {
      if (sweeps_left_ == 0)
        return leave();
      if (std::any_of(neighbours_.begin(), neighbours_.end(), is_working) &&
          !mutated(mutation::pair_closes_alone))
        return; // what they still learn would not come through
      --sweeps_left_;
      for (auto& n : neighbours_)
        if (n.usable && !n.leaving)
          offer_to(n);
      if (unanswered() == 0) // nobody is there
        return leave();
    } else {
      return;
    }
  }
}

void pairwise_machine::offer_to_some() {
  free_.clear();
  chosen_.clear();
  for (auto& n : neighbours_) {
    if (n.offered > 0)
      ++n.overdue;
    else if (n.usable && !n.leaving)
      free_.push_back(n.id);
  }
  policy_->choose(free_, generator_, chosen_);
  for (auto id : chosen_)
    offer_to(*find(neighbours_, id));
}

void pairwise_machine::offer_to(neighbour& n) {
  n.offered = ++number_;
  n.offered_at = now_;
  n.told_rate = rates_.mean();
  effects_.push_back(send{n.id, offer{current_, n.offered, n.told_rate, n.sessions}});
}

std::size_t pairwise_machine::unanswered() const {
  return static_cast<std::size_t>(std::count_if(neighbours_.begin(), neighbours_.end(),
                                                [](const neighbour& n) { return n.offered > 0; }));
}

/// Generous: an answer comes at once from whoever is there, and who is not is the failure detector's
/// business.
nanoseconds pairwise_machine::answer_limit() const {
  auto limit = std::max<nanoseconds>(10 * rates_.step(), std::chrono::seconds{10});
  for (const auto& n : neighbours_)
    if (n.offered > 0 && n.pace.observed())
      limit = std::max(limit, n.pace.bound());
  return limit;
}

bool pairwise_machine::may_go_on() const {
  if (stopping_ || unanswered() == 0)
    return true;
  const auto is_patient = !patience_ends_ || now_ < *patience_ends_;
  const auto longest = policy_->overdue_max();
  return !is_patient && std::none_of(neighbours_.begin(), neighbours_.end(),
                                     [longest](const neighbour& n) { return n.overdue >= longest; });
}

void pairwise_machine::finish_round() {
  completed_ = current_;
  record_.closed = record_.mixed = now_;
  record_.accepted = averaged_.size();
  record_.committed = averaged_;
  record_.departed = departed_;
  record_.own_weight = 1;
  for (const auto& t : averaged_)
    record_.own_weight -= t.weight;
  record_.backup_workers = policy_->retune({current_, neighbours_.size(), averaged_.size()});
  record_.timed_out = timed_out_;
  averaged_.clear();
  departed_.clear();
  effects_.push_back(round_done{&record_});
  go_on();
}

/// No step will come: averages a few times more, once nobody that is averaged with makes steps any more.
/// Answers are waited for however long they take: giving up on one that is merely late would leave the
/// exchange one-sided.
void pairwise_machine::close_down() {
  set_phase(phase::settling);
  sweeps_left_ = policy_->closing_sweeps();
  current_ = std::max(current_, completed_);
  for (const auto& n : neighbours_)
    effects_.push_back(send{n.id, closed{current_, 0}});
}

machine_status pairwise_machine::status() const {
  auto s = status_of_phase();
  if (!in_round())
    return s;
  for (const auto& n : neighbours_)
    if (n.offered > 0)
      s.waiting_for.push_back({n.id, wait_cause::kind::estimate, n.offered_at});
    else if (phase_ == phase::settling && sweeps_left_ > 0 && is_working(n))
      s.waiting_for.push_back({n.id, wait_cause::kind::closing, phase_since_});
  s.quorum_missing = s.waiting_for.size();
  return s;
}

} // namespace dybw
