#include "learning/simulation/network_simulation.hpp"

#include "learning/consensus/mutation.hpp"
#include "learning/consensus/reports/round_report.hpp"
#include "learning/simulation/simulated_coding.hpp"

#include <algorithm>
#include <cassert>

namespace dybw {

network_simulation::network_simulation(simulation_options options, simulated_model* model,
                                       simulation_observer* observer)
    : network_(std::move(options)), model_(model),
      in_pairs_(network_.options.machine.policy.averages_in_pairs()),
      weighs_mixing_(network_.options.machine.policy.weighs_mixing() &&
                     network_.options.mix_time.count() > 0),
      observer_(observer != nullptr ? *observer : nobody_) {
  if (model_ != nullptr)
    for (auto& s : network_.shells)
      s.current = model_->start(s.id);
}

void network_simulation::schedule(nanoseconds at, const fault& f) {
  network_.queue.push(at, {occurrence::kind::strike, 0, 0, faults_.size()});
  faults_.push_back(f);
}

bool network_simulation::run(nanoseconds limit, std::uint64_t events_max) {
  for (; network_.unfinished > 0 && events_max > 0 && has_event_until(limit); --events_max) {
    ++events_handled_;
    handle(network_.queue.pop());
  }
  return network_.unfinished == 0;
}

bool network_simulation::has_event_until(nanoseconds limit) const {
  return !network_.queue.empty() && network_.queue.next_at() <= limit;
}

std::optional<nanoseconds> network_simulation::next_at() const {
  return network_.queue.empty() ? std::nullopt : std::optional{network_.queue.next_at()};
}

std::string network_simulation::who_waits() const {
  std::string text;
  std::size_t waiting = 0;
  for (const auto& s : network_.shells) {
    if (!s.alive || s.finished)
      continue;
    if (++waiting > waiting_named_max)
      continue;
    text += (text.empty() ? "worker " : ", worker ") + to_string(s.id);
    const auto status = s.machine->status();
    if (status.waiting_for.empty()) {
      text += " in round " + std::to_string(status.round) + " (" + std::string{to_string(status.phase)} + ')';
      continue;
    }
    const auto& cause = status.waiting_for.front();
    text += " waits for " +
            (cause.neighbour == s.id ? std::string{"any worker"} : "worker " + to_string(cause.neighbour)) +
            " (" + std::string{to_string(cause.what)} + " of round " + std::to_string(status.round) + ')';
  }
  if (waiting > waiting_named_max)
    text += " and " + std::to_string(waiting - waiting_named_max) + " more";
  return text;
}

void network_simulation::run_on(nanoseconds limit) {
  while (has_event_until(limit)) {
    ++events_handled_;
    handle(network_.queue.pop());
  }
}

void network_simulation::handle(const occurrence& o) {
  if (o.what == occurrence::kind::strike) {
    const auto f = faults_[o.index];
    std::visit([this](const auto& x) { strike(x); }, f);
    return;
  }
  if (o.what == occurrence::kind::delivery && !network_.links[o.index].way.brings(o.era))
    return;
  auto& s = network_.shells[o.worker];
  if (o.what != occurrence::kind::delivery && o.era != s.incarnation)
    return;
  if (o.what == occurrence::kind::rebirth)
    return be_born(s);
  if (!s.alive) {
    if (o.what == occurrence::kind::delivery)
      network_.links[o.index].way.take();
    return;
  }
  if (o.what == occurrence::kind::wake)
    for (const auto& late : take_mail(network_, s))
      happen(s, late);
  else if (now() < s.frozen_until)
    s.mail.push_back(o);
  else
    happen(s, o);
}

void network_simulation::happen(shell& s, const occurrence& o) {
  switch (o.what) {
  case occurrence::kind::start:
    return apply(s, start{});
  case occurrence::kind::delivery:
    if (o.era == network_.links[o.index].way.connection()) // the connection may have broken while it waited
      deliver(s, o.index);
    return;
  case occurrence::kind::step:
    if (o.number != s.ticket)
      return;
    if (now() < s.step_due) // stood still during a hang
      return network_.push(s.step_due, s, o);
    s.ticket = 0;
    if (model_ != nullptr && !in_pairs_)
      s.stepped = model_->step(s.id, s.current);
    return apply(s, step_done_of(s, o.number));
  case occurrence::kind::timer:
    if (o.number == s.timer)
      apply(s, timer_expired{});
    return;
  case occurrence::kind::pulse:
    return pulse(s);
  case occurrence::kind::noticed:
    return give_up(s, o.index, static_cast<neighbour_lost::cause>(o.number));
  case occurrence::kind::stop:
    return apply(s, stop_requested{});
  case occurrence::kind::stalled:
    if (o.number == s.ticket && now() < s.stalled_until)
      apply(s, step_stalled{});
    return;
  case occurrence::kind::resumed:
    if (now() >= s.stalled_until)
      apply(s, step_resumed{});
    return;
  case occurrence::kind::wake:
  case occurrence::kind::strike:
  case occurrence::kind::rebirth:
    break;
  }
  assert(false);
}

// --- Shells.

void network_simulation::apply(shell& s, const event& e) {
  const auto& effects = s.machine->step(now(), e);
  observer_.stepped(now(), s.id, e, effects);
  for (const auto& x : effects)
    std::visit([&](const auto& y) { perform(s, y); }, x);
}

void network_simulation::deliver(shell& s, std::size_t link_index) {
  auto& l = network_.links[link_index];
  auto e = l.way.take();
  if (std::holds_alternative<envelope::connection_broken>(e.content))
    return give_up(s, l.to_slot, neighbour_lost::cause::silent);
  if (network_.listens(s) && s.detector.heard(l.to_slot, now()))
    apply(s, neighbour_heard{l.from});
  if (const auto* ack = std::get_if<envelope::receipt>(&e.content)) {
    network_.links[l.reverse].window.received(ack->round);
    if (!network_.codes.empty() && ack->kept)
      network_.codes[l.reverse].told.kept(ack->round);
    else if (!network_.codes.empty())
      network_.codes[l.reverse].reset();
  } else if (auto* message = std::get_if<protocol_message>(&e.content)) {
    if (auto* x = std::get_if<estimate>(message); x != nullptr && x->has_parameters) {
      auto kept = true;
      if (!network_.codes.empty())
        e.block = arrive(network_, link_index, e.block, kept);
      network_.post(l.reverse, {envelope::receipt{x->round, kept}, {}});
      x->has_parameters = kept;
      if (kept && s.machine->may_be_in(x->round))
        l.slots.offer(x->round, e.block);
    }
    if (in_pairs_ && (std::holds_alternative<offer>(*message) || std::holds_alternative<answer>(*message)) &&
        !take_block(s, link_index, e.block))
      return;
    apply(s, message_received{l.from, std::move(*message)});
  }
}

void network_simulation::pulse(shell& s) {
  for (std::size_t i = 0; i < s.degree; ++i)
    network_.post(s.first_link + i, {envelope::sign_of_life{}, {}});
  const auto verdict = s.detector.check(now());
  if (verdict.paused)
    apply(s, paused{});
  for (auto slot : verdict.lost)
    give_up(s, slot, neighbour_lost::cause::silent);
  network_.push(now() + s.detector.heartbeat_every(), s, {occurrence::kind::pulse});
}

void network_simulation::give_up(shell& s, std::size_t slot, neighbour_lost::cause why) {
  auto& out = network_.links[s.first_link + slot];
  out.window.reset();
  if (!network_.codes.empty())
    network_.codes[s.first_link + slot].reset();
  s.detector.give_up(slot);
  apply(s, neighbour_lost{out.to, why});
}

void network_simulation::owe_mixing(shell& s, std::size_t neighbours) {
  const auto takes = from_seconds(to_seconds(network_.options.mix_time) * static_cast<double>(neighbours));
  s.mixing_owed = saturated_sum(s.mixing_owed, takes);
}

step_done network_simulation::step_done_of(const shell& s, std::uint64_t ticket) const {
  if (!weighs_mixing_)
    return {.ticket = ticket, .gradients = s.step_gradients};
  const auto price = to_seconds(network_.options.mix_time) / std::max(to_seconds(s.step_takes), 1e-9);
  return {ticket, price, network_.options.strides_apart ? network_.options.strides_apart(s.id) : 0,
          s.step_gradients};
}

// --- Effects.

/// The parameters that the message takes along, if any.
estimate_handle network_simulation::load(shell& s, std::size_t link_index, protocol_message& message) {
  auto& l = network_.links[link_index];
  if (auto* x = std::get_if<estimate>(&message)) {
    ++s.counters.estimates_sent;
    x->has_parameters = x->has_parameters && l.window.try_send(x->round);
    if (!x->has_parameters)
      return {};
    ++s.counters.blocks_sent;
    if (network_.codes.empty())
      return s.stepped;
    auto block = code(network_, s, link_index, x->round, s.stepped, model_);
    s.counters.changes_sent += network_.codes[link_index].base.number != 0 ? 1U : 0U;
    return block;
  }
  const auto* reply = std::get_if<answer>(&message);
  const auto is_offer = std::holds_alternative<offer>(message);
  if (!is_offer && (reply == nullptr || !reply->taken))
    return {};
  ++s.counters.estimates_sent;
  ++s.counters.blocks_sent;
  auto& told = network_.told[link_index];
  auto& mine = is_offer ? told.offered : told.answered;
  mine = s.current;
  if (network_.codes.empty())
    return s.current;
  auto block = code_current(network_, s, link_index, model_);
  s.counters.changes_sent += network_.codes[link_index].base.number != 0 ? 1U : 0U;
  if (!mutated(mutation::coding_mixes_own_exactly))
    mine = network_.codes[link_index].sent;
  return block;
}

/// In pairs: what an offer or answer brings. Whether it can be made sense of.
bool network_simulation::take_block(shell& s, std::size_t link_index, const estimate_handle& block) {
  auto& came = network_.told[link_index].came;
  came = block;
  if (network_.codes.empty() || !block)
    return true;
  auto kept = true;
  came = arrive(network_, link_index, block, kept);
  if (network_.codes_changes())
    network_.post(network_.links[link_index].reverse,
                  {envelope::receipt{static_cast<const coded_estimate*>(block.get())->number, kept}, {}});
  if (!kept)
    give_up(s, network_.links[link_index].to_slot, neighbour_lost::cause::silent);
  return kept;
}

void network_simulation::perform(shell& s, const send& e) {
  const auto index = network_.link_between(s.id, e.to);
  auto content = e.message;
  auto block = load(s, index, content);
  network_.post(index, {std::move(content), std::move(block)});
}

void network_simulation::perform(shell& s, const use_estimate& e) {
  network_.links[network_.links[network_.link_between(s.id, e.from)].reverse].slots.use(e.round);
}

void network_simulation::perform(shell& s, const compute& e) {
  s.ticket = e.ticket;
  s.step_began = now();
  const auto next = network_.options.step_time(s.id, now());
  s.step_takes = next.takes;
  s.step_gradients = next.gradients;
  if (model_ != nullptr)
    model_->step_begins(s.id, s.machine->completed(), next.gradients);
  if (!network_.codes.empty() && !in_pairs_)
    choose_bases(network_, s);
  if (in_pairs_)
    s.from = where_from(s, e.unanswered);
  const auto takes = saturated_sum(s.step_takes, std::exchange(s.mixing_owed, nanoseconds{0}));
  const auto begins_in = std::max(s.stalled_until - now(), nanoseconds{0});
  s.step_due = network_.moment_after(saturated_sum(begins_in, takes), "a step is under way");
  watch_for_stall(network_, s);
  network_.push(s.step_due, s, {.what = occurrence::kind::step, .number = e.ticket});
}

void network_simulation::perform(shell& s, const drop_step& e) {
  if (s.ticket != e.ticket)
    return;
  s.ticket = 0;
  s.counters.dropped += now() - s.step_began;
}

void network_simulation::perform(shell& s, const mix& e) {
  owe_mixing(s, e.terms.size());
  mix_inputs_.clear();
  for (const auto& t : e.terms) {
    const auto out = network_.link_between(s.id, t.neighbour);
    mix_inputs_.push_back({network_.links[network_.links[out].reverse].slots.used(e.round), t.weight});
    mix_inputs_.back().corrects = t.corrects;
    if (!network_.codes.empty() && !mutated(mutation::coding_mixes_own_exactly))
      mix_inputs_.back().own = network_.codes[out].sent;
  }
  if (model_ != nullptr) {
    s.before = model_->look(s.stepped);
    s.current = model_->mix(s.id, s.stepped, mix_inputs_, e.generation);
    note_change();
    s.after = model_->look(s.current);
    s.correction = model_->look_at_correction(s.id);
  }
  for (std::size_t i = 0; i < s.degree; ++i) {
    network_.links[network_.links[s.first_link + i].reverse].slots.release(e.round);
    if (!network_.codes.empty())
      network_.codes[s.first_link + i].sent = {};
  }
}

step_start network_simulation::where_from(shell& s, double unanswered) {
  const auto before = std::exchange(s.before_step, {});
  const auto after = std::exchange(s.after_step, {});
  if (unanswered == 0)
    return {s.current, s.current};
  owe_mixing(s, 1);
  return {s.current, model_ != nullptr ? model_->without_step(s.id, s.current, before, after, unanswered)
                                       : estimate_handle{}};
}

void network_simulation::perform(shell& s, const take_step& e) {
  if (model_ != nullptr) {
    s.before_step = s.current;
    s.current = s.after_step = model_->step_onto(s.id, s.from, s.current, e);
    note_change();
  }
  s.from = {};
}

void network_simulation::perform(shell& s, const absorb& e) {
  owe_mixing(s, 1);
  const auto out = network_.link_between(s.id, e.half.neighbour);
  const auto& told = network_.told[out];
  auto half = e.half;
  if (model_ != nullptr) {
    const auto before = model_->look(s.current);
    s.current = model_->absorb(s.id, s.current, network_.told[network_.links[out].reverse].came,
                               e.own_offer ? told.offered : told.answered, half);
    note_change();
    half.projection = model_->look(s.current).projection - before.projection;
    half.size = before.norm;
    const auto correction = model_->look_at_correction(s.id);
    half.correction = correction.projection;
    half.correction_size = correction.norm;
  }
  observer_.exchanged(now(), half);
}

void network_simulation::perform(shell& s, const dybw::edge_lost& e) {
  observer_.edge_lost(now(), s.id, e.neighbour, s.machine->status().round);
}

void network_simulation::perform(shell& s, const arm_timer& e) {
  // Beyond the end of time it never comes, like the steps that it would wait for.
  const auto number = ++s.timer;
  if (e.at <= last_moment)
    network_.push(std::max(e.at, now()), s, {.what = occurrence::kind::timer, .number = number});
}

void network_simulation::perform(shell& s, const round_done& e) {
  auto mixed = make_mix_report(s.id, *e.record);
  mixed.projection_before = s.before.projection;
  mixed.projection_after = s.after.projection;
  mixed.norm_before = s.before.norm;
  mixed.correction = s.correction.projection;
  mixed.correction_size = s.correction.norm;
  observer_.round_done(now(), *e.record, mixed);
}

void network_simulation::perform(shell& s, const dybw::membership_changed& e) {
  network_.peaks.facts = std::max(network_.peaks.facts, s.machine->facts().size());
  observer_.membership_changed(now(), s.id, e);
}

void network_simulation::perform(shell& s, const dybw::finished& e) {
  network_.unfinished -= s.finished ? 0u : 1u;
  s.finished = true;
  observer_.finished(now(), s.id, e);
}

// --- Faults.

void network_simulation::strike(const crash_fault& f) {
  if (crash(network_, f))
    observer_.crashed(now(), f.worker);
}

void network_simulation::strike(const suspicion_fault& f) {
  const auto& s = network_.at(f.who);
  handle({occurrence::kind::noticed, static_cast<std::uint32_t>(f.who), s.incarnation,
          network_.link_between(f.who, f.whom) - s.first_link, static_cast<std::uint64_t>(f.why)});
}

void network_simulation::strike(const restart_fault& f) {
  strike(crash_fault{f.worker, false});
  restart(network_, f,
          [this](shell& giver, std::size_t slot) { give_up(giver, slot, neighbour_lost::cause::silent); });
}

void network_simulation::strike(const forged_fault& f) {
  auto& s = network_.at(f.from);
  if (s.alive)
    network_.post(network_.link_between(f.from, f.to), {f.what, forged_block(s)});
}

estimate_handle network_simulation::forged_block(const shell& s) const {
  const auto& block = in_pairs_ ? s.current : s.stepped;
  return network_.codes.empty() ? block
                                : std::make_shared<const coded_estimate>(coded_estimate{block, {}, 0});
}

void network_simulation::strike(const stop_fault& f) {
  handle({occurrence::kind::stop, static_cast<std::uint32_t>(f.worker), network_.at(f.worker).incarnation});
}

void network_simulation::be_born(shell& s) {
  const auto completed = give_birth(network_, s);
  if (!completed)
    return;
  observer_.restarted(now(), s.id, *completed);
  network_.begin(s);
}

} // namespace dybw
