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
  double even = 0;
  for (auto id : graph.neighbours(options_.self)) {
    even += static_cast<double>(degree) / static_cast<double>(std::max(degree, graph.degree(id)));
    auto& n = neighbours_.emplace_back();
    n.id = id;
    n.weight = policy_->weight(degree, mutated(mutation::pair_weighs_alone) ? degree : graph.degree(id));
    n.usable = options_.facts.empty(); // a joiner waits for a sign of life
  }
  if (degree > 0)
    evenness_ = even / static_cast<double>(degree);
  for (auto& n : neighbours_)
    recount(n);
}

/// Takes in what is news and passes it on. `from`: who told it; null for our own word.
void pairwise_machine::learn(const std::vector<fact>& told, const neighbour* from) {
  auto news = members_.learn(told);
  for (const auto& f : news) {
    auto* dead = f.a == f.b && !f.up ? find(neighbours_, f.a) : nullptr;
    if (dead != nullptr && !dead->crashed)
      lose(*dead, neighbour_lost::cause::crashed);
  }
  if (const auto word = members_.own_word()) // what was told is false or outdated
    members_.say(*word, news);
  if (news.empty())
    return;
  const auto adds = news != told; // our word, which the sender lacks
  pass_on(std::move(news), neighbours_, [&](const neighbour& n) { return &n != from || adds; });
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
  on(step_resumed{});
  counters_.steps_used += e.gradients;
  record_.gradients = e.gradients;
  current_ = completed_ + 1;
  rates_.observe(now_ - step_started_);
  record_.round = current_;
  record_.started = step_started_;
  record_.joined = now_;
  timed_out_ = false;
  effects_.push_back(
      take_step{current_, policy_->step_scale(rates_.own(), rates_.mean()), correction_generation()});
  set_phase(phase::gathering);
  offer_to_some(e);
  patience_ends_.reset();
  if (const auto patience = policy_->patience(rates_.step()))
    patience_ends_ = may_answer_within(*patience) ? saturated_sum(now_, *patience) : now_;
  deadline_ = saturated_sum(now_, options_.round_timeout.value_or(answer_limit()));
  if (may_go_on())
    return;
  const auto is_patient = patience_ends_ && *patience_ends_ > now_;
  effects_.push_back(arm_timer{is_patient ? std::min(*patience_ends_, deadline_) : deadline_});
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
    set_overdue(n, 0);
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
  set_overdue(n, 0);
  recount(n);
  if (!std::exchange(n.departed, true))
    departed_.push_back(n.id);
  effects_.push_back(edge_lost{n.id});
}

/// It may be another process, or have said meanwhile what we did not take in: it says so again, if asked.
void pairwise_machine::revive(neighbour& n) {
  n.usable = true;
  n.leaving = n.closing = false;
  recount(n);
  if (phase_ == phase::left)
    effects_.push_back(send{n.id, leaving{}});
  else if (phase_ == phase::settling)
    effects_.push_back(send{n.id, closed{current_, closed::asks}});
  if (phase_ == phase::settling && stopping_)
    bound_closing();
}

void pairwise_machine::on(const neighbour_heard& e) {
  auto* n = find(neighbours_, e.id);
  if (n == nullptr)
    return;
  if (!n->crashed) {
    revive(*n);
    learn(members_.word_of_return(n->id), nullptr);
  }
  send_facts(n->id); // whoever is said to have crashed, and has not, contradicts
}

void pairwise_machine::on(const stop_requested&) {
  if (std::exchange(stopping_, true) || phase_ != phase::settling)
    return;
  bound_closing();
}

/// Nobody waits for it anyway: offers are answered without its step. But whoever watches shall know.
void pairwise_machine::on(const step_stalled&) {
  if (phase_ == phase::computing && !members_.rests())
    learn({members_.word_of_rest(true)}, nullptr);
}

void pairwise_machine::on(const step_resumed&) {
  if (members_.rests())
    learn({members_.word_of_rest(false)}, nullptr);
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
    revive(from);
    if (!facts().worker_up(from.id))
      learn({facts().next(from.id, from.id, true)}, nullptr);
    learn(members_.word_of_return(from.id), nullptr);
    send_facts(from.id); // what was told meanwhile went past it
  }
  if (may_be_in(m.round))
    from.in = std::max(from.in, m.round);
  else
    ++counters_.rounds_refused; // the number only: the offer must have its answer
  const auto crosses = !mutated(mutation::pair_crosses_at_one_end) || options_.self > from.id;
  if (from.offered > 0 && crosses) { // the two have crossed: each is the other's answer
    const auto mine = std::exchange(from.offered, 0);
    recount(from);
    from.pace.observe(now_ - from.offered_at);
    const auto lower = std::min(options_.self, from.id);
    take(from, lower, lower == from.id ? m.number : mine, true, {m.rate, m.generation}, from.told);
    return;
  }
  const auto taken = phase_ != phase::left && phase_ != phase::idle;
  const auto ours = taken ? our_word() : exchange_word{};
  effects_.push_back(send{from.id, answer{m.number, taken, ours.rate, from.sessions, ours.generation}});
  if (taken && !mutated(mutation::pair_halves_on_the_answer))
    take(from, from.id, m.number, false, {m.rate, m.generation}, ours);
}

void pairwise_machine::on(neighbour& from, const answer& m) {
  const auto is_owed = from.offered > 0 && m.number == from.offered;
  if (is_void(from, m.sessions) || !(is_owed || mutated(mutation::pair_takes_every_answer)))
    return; // to an offer that was given up
  from.offered = 0;
  recount(from);
  from.pace.observe(now_ - from.offered_at);
  if (m.taken)
    take(from, options_.self, m.number, true, {m.rate, m.generation}, from.told);
}

/// Says how it stands with us, too, if it asks: whoever gave us up for a while has forgotten it, whether or
/// not we knew of its last step. That it asks nothing in return ends the matter.
void pairwise_machine::on(neighbour& from, const closed& m) {
  const auto is_news = !std::exchange(from.closing, true);
  recount(from);
  if (phase_ == phase::left)
    effects_.push_back(send{from.id, leaving{}});
  else if (phase_ == phase::settling &&
           (is_news || (m.degree == closed::asks && !mutated(mutation::pair_tells_closing_once))))
    effects_.push_back(send{from.id, closed{current_, 0}});
}

void pairwise_machine::on(neighbour& from, const leaving&) {
  from.leaving = true;
  recount(from);
}

void pairwise_machine::on(neighbour& from, const membership_news& m) {
  learn(*m.facts, &from);
}

/// Who makes no steps any more has no part in corrections: it would be dragged along, and that would hold the
/// others back. So it names a generation that is nobody's.
pairwise_machine::exchange_word pairwise_machine::our_word() const {
  constexpr auto nobodys = ~std::uint64_t{0};
  return {rates_.mean(), options_.corrects && phase_ == phase::settling ? nobodys : correction_generation()};
}

/// Our half of an exchange.
void pairwise_machine::take(neighbour& n, worker_id first, std::uint64_t number, bool own_offer,
                            exchange_word theirs, exchange_word ours) {
  const auto corrects =
      (theirs.generation == ours.generation || mutated(mutation::pair_corrects_across_generations)) &&
      members_.usable(n.id) && counts_into_correction(ours.generation);
  effects_.push_back(absorb{{.worker = options_.self,
                             .neighbour = n.id,
                             .first = first,
                             .number = number,
                             .round = std::max(current_, completed_),
                             .weight = n.weight,
                             .generation = correction_generation(),
                             .corrects = corrects},
                            own_offer});
  rates_.average(theirs.rate, ours.rate, n.weight);
  policy_->averaged();
  set_overdue(n, 0);
  if (n.averaged == 0) {
    averaged_.push_back({n.id, n.weight});
    n.averaged = averaged_.size();
  } else {
    averaged_[n.averaged - 1].weight += n.weight;
  }
}

// --- The round ---

void pairwise_machine::evaluate() {
  for (;;) {
    if (phase_ == phase::computing && stopping_) {
      effects_.push_back(drop_step{ticket_});
      close_down();
    } else if (phase_ == phase::gathering && may_go_on()) {
      finish_round();
    } else if (phase_ == phase::settling && (owing_.empty() || mutated(mutation::pair_leaves_unanswered))) {
      if (sweeps_left_ == 0)
        return leave();
      if (working_ > 0 && !(closing_ends_ && now_ >= *closing_ends_) && !mutated(mutation::pair_closes_alone))
        return; // what they still learn would not come through
      --sweeps_left_;
      for (auto& n : neighbours_)
        if (is_there(n))
          offer_to(n);
      if (owing_.empty()) // nobody is there
        return leave();
    } else {
      return;
    }
  }
}

void pairwise_machine::offer_to_some(const step_done& e) {
  for (auto* n : owing_)
    set_overdue(*n, n->overdue + 1);
  chosen_.clear();
  policy_->choose(free_, {e.mixing_price, e.strides_apart, evenness_, neighbours_.size()}, generator_,
                  chosen_);
  if (chosen_.size() == free_.size()) { // all at once, instead of one by one
    for (auto id : free_)
      find(neighbours_, id)->counts_as_free = false;
    free_.clear();
  }
  for (auto id : chosen_)
    offer_to(*find(neighbours_, id));
}

void pairwise_machine::offer_to(neighbour& n) {
  n.offered = ++number_;
  n.offered_at = now_;
  n.told = our_word();
  recount(n);
  effects_.push_back(send{n.id, offer{current_, n.offered, n.told.rate, n.sessions, n.told.generation}});
}

/// The weights of those that owe an answer to an estimate with the newest step in it.
double pairwise_machine::unanswered() const {
  double weight = 0;
  for (const auto* n : owing_)
    if (n->offered_at >= record_.joined)
      weight += n->weight;
  return weight;
}

/// Whether anybody usually does, or is not known yet.
bool pairwise_machine::may_answer_within(nanoseconds patience) const {
  return std::ranges::any_of(
      owing_, [&](const neighbour* n) { return !n->pace.observed() || n->pace.usual() <= patience; });
}

/// To be called whenever a neighbour's standing has changed.
void pairwise_machine::recount(neighbour& n) {
  if (const auto is_free = is_there(n) && n.offered == 0; is_free != n.counts_as_free) {
    n.counts_as_free = is_free;
    const auto place = std::lower_bound(free_.begin(), free_.end(), n.id);
    if (is_free)
      free_.insert(place, n.id);
    else
      free_.erase(place);
  }
  if (is_working(n) != n.counts_as_working) {
    n.counts_as_working = is_working(n);
    working_ += n.counts_as_working ? 1 : std::size_t(-1);
  }
  if (n.offered > 0 && !n.owing_place) {
    n.owing_place = owing_.size();
    owing_.push_back(&n);
  } else if (n.offered == 0 && n.owing_place) {
    owing_[*n.owing_place] = owing_.back();
    owing_.back()->owing_place = n.owing_place;
    owing_.pop_back();
    n.owing_place.reset();
  }
}

void pairwise_machine::set_overdue(neighbour& n, std::size_t rounds) {
  const auto longest = policy_->overdue_max();
  longest_overdue_ -= n.overdue >= longest ? 1U : 0U;
  n.overdue = rounds;
  longest_overdue_ += n.overdue >= longest ? 1U : 0U;
}

/// Generous: an answer comes at once from whoever is there, and who is not is the failure detector's
/// business.
nanoseconds pairwise_machine::answer_limit() const {
  auto limit =
      std::max<nanoseconds>(10 * std::min(rates_.step(), pace_estimator::time_max), std::chrono::seconds{10});
  for (const auto* n : owing_)
    if (n->pace.observed())
      limit = std::max(limit, n->pace.bound());
  return limit;
}

/// Likewise: who was asked to stop, too, says that it has made its last step at once.
nanoseconds pairwise_machine::closing_limit() const {
  auto limit = answer_limit();
  for (const auto& n : neighbours_)
    if (is_working(n) && n.pace.observed())
      limit = std::max(limit, n.pace.bound());
  return limit;
}

bool pairwise_machine::may_go_on() const {
  if (stopping_ || owing_.empty())
    return true;
  const auto is_patient = !patience_ends_ || now_ < *patience_ends_;
  return !is_patient && longest_overdue_ == 0;
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
  for (const auto& t : averaged_)
    find(neighbours_, t.neighbour)->averaged = 0;
  for (auto id : departed_)
    find(neighbours_, id)->departed = false;
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
  if (stopping_)
    bound_closing();
}

/// After a stop: neighbours that were asked, too, have made their last step as soon as we hear of it. Others
/// may go on for as long as they like.
void pairwise_machine::bound_closing() {
  if (sweeps_left_ == 0 || working_ == 0 || closing_ends_ || mutated(mutation::pair_waits_after_stop))
    return;
  closing_ends_ = saturated_sum(now_, closing_limit());
  effects_.push_back(arm_timer{*closing_ends_});
}

/// Not before one that its predecessor is known to have been in, and not behind us: others wait for its last.
round_number pairwise_machine::round_for(worker_id joiner) const {
  const auto here = std::max(completed_, current_);
  return std::min(std::max(here, find(neighbours_, joiner)->in), options_.last_round);
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
