#include "actors/training/worker.hpp"

#include "actors/training/trainer.hpp"
#include "learning/consensus/make_machine.hpp"
#include "learning/consensus/record/event_text.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cassert>

namespace dybw {

namespace {

/// Lines of the event log are passed on when they have become so long, in characters.
constexpr std::size_t recorded_at_once = 1U << 16U;

} // namespace

void worker_state::start(worker_options options) {
  options_ = std::move(options);
  id_ = options_.machine.self;
  totals_.worker = id_;
  const auto graph = options_.machine.graph;
  workers_ = static_cast<std::uint32_t>(graph->workers());
  for (auto neighbour_id : graph->neighbours(id_))
    neighbours_.emplace_back().id = neighbour_id;
  detector_.emplace(neighbours_.size(), options_.suspect_after);
  if (!options_.machine.facts.empty()) // joins: the first sign of life counts as heard again
    for (std::size_t i = 0; i < neighbours_.size(); ++i)
      detector_->give_up(i);
  if (options_.machine.policy.averages_in_pairs())
    pairs_.emplace(options_.training.get());
  weighs_mixing_ = options_.training && options_.machine.policy.weighs_mixing();
  if (options_.records)
    append_new_worker(recorded_, nanoseconds{0}, options_.machine);
  machine_ = make_machine(std::move(options_.machine));
  mixed_round_ = saved_round_ = machine_->completed();
  const auto& resumed = options_.resumed;
  current_ = resumed ? resumed->parameters : options_.initial;
  mixed_epoch_ = resumed ? resumed->epoch : 0;
  training_job_ptr job;
  if (options_.training) {
    job = std::make_shared<training_job>();
    job->local = std::make_shared<local_training>(
        options_.training, current_, resumed ? resumed->velocity : parameter_block{}, id_,
        resumed ? resumed->outer : parameter_block{}, resumed ? resumed->correction : parameter_block{});
    if (auto& x = options_.resumed)
      x->parameters = x->velocity = x->outer = x->correction = {}; // who holds a block keeps its memory
    job->client = training_client_actor{worker_actor{self_}};
    if (options_.send != block_format::float32) {
      const auto count = options_.training->model->parameter_count();
      coder_.emplace(options_.send, count);
      if (!pairs_)
        job->coder = std::make_shared<block_coder>(options_.send, count);
    }
  }
  slot_.emplace(std::move(job), options_.clock, bool{options_.shard});
  fetch_batches();
}

void worker_state::meet(const meet_neighbours& x) {
  assert(x.neighbours.size() == neighbours_.size());
  origin_ = x.origin;
  links_ = x.links;
  for (std::size_t i = 0; i < neighbours_.size(); ++i) {
    neighbours_[i].handle = x.neighbours[i];
    if (neighbours_[i].handle)
      self_->monitor(neighbours_[i].handle);
    begin_coding(neighbours_[i]);
  }
}

void worker_state::begin_rounds(const begin_work& x) {
  if (x.origin)
    origin_ = x.origin;
  detector_->begin(now(), time_asleep());
  self_->delayed_send(self_, detector_->heartbeat_every(), heartbeat_due{});
  stop_at_ = options_.time_limit;
  if (options_.checkpointer) {
    checkpoint_at_ = now() + options_.checkpoint_every;
    // So that a run can go on that is interrupted before any other, resumed or not.
    auto state = slot_->state();
    if (options_.resumed)
      state.saved = std::move(options_.resumed->learner);
    save(std::move(state));
  }
  set_timers();
  apply(dybw::start{});
}

// --- Messages to events ---

void worker_state::receive(worker_id from, const estimate_message& m) {
  if (!alive(from))
    return;
  auto body = m.body;
  auto& n = *find(from);
  if (pairs_) {
    const auto cpu_before = thread_cpu_s();
    if (const auto block = arrived(n, {body.round, m.base}, m.parameters))
      pairs_->hold(from, *block);
    if (n.coded)
      mixing_price_.spent(from_seconds(thread_cpu_s() - cpu_before));
    return;
  }
  if (body.has_parameters) {
    const auto block = arrived(n, {body.round, m.base}, m.parameters).value_or(parameter_block{});
    // An estimate of another size than ours (none checked it on the way) cannot be mixed with.
    body.has_parameters = block.values().size() == current_.values().size();
    if (body.has_parameters && machine_->may_be_in(body.round))
      n.estimates.offer(body.round, block);
  }
  apply(message_received{from, body});
}

void worker_state::receive(worker_id from, const threshold_message& m) {
  if (!alive(from))
    return;
  take(message_received{from, m.body});
  threshold_delays_.add(now() - m.passed_on);
  follow_up();
}

void worker_state::receive(worker_id from, const received& m) {
  if (!alive(from))
    return;
  auto& n = *find(from);
  n.window.received(m.round);
  if (n.coded && m.kept)
    n.coded->told.kept(m.round);
  else if (n.coded)
    n.coded->reset();
  if (m.round == sent_round_)
    acknowledged_ = now();
}

/// Notes a sign of life. Returns whether the sender is a neighbour at all.
bool worker_state::alive(worker_id from) {
  auto* n = find(from);
  if (n == nullptr)
    return false;
  if (detector_->heard(static_cast<std::size_t>(n - neighbours_.data()), now()))
    apply(neighbour_heard{from});
  return true;
}

void worker_state::receive(const peer_mail& mail) {
  reads_mail_ = true;
  for_each_message(mail, [this](worker_id from, const auto& body) { receive(from, body); });
  reads_mail_ = false;
  follow_up();
}

void worker_state::neighbour_down(const caf::down_msg& down) {
  if (down.reason == caf::exit_reason::user_shutdown || down.reason == caf::exit_reason::normal)
    return; // the end of the run, not a crash
  for (auto& n : neighbours_)
    if (n.handle && n.handle.address() == down.source)
      lose(n, neighbour_lost::cause::crashed);
}

void worker_state::link_is_broken(worker_id id) {
  if (auto* n = find(id))
    lose(*n, neighbour_lost::cause::silent);
}

void worker_state::lose(neighbour& n, neighbour_lost::cause why) {
  detector_->give_up(static_cast<std::size_t>(&n - neighbours_.data()));
  n.window.reset();
  if (n.coded)
    n.coded->reset();
  apply(neighbour_lost{n.id, why});
}

void worker_state::receive(const mini_batch& batch) {
  slot_->take(batch);
  submit_job();
}

void worker_state::receive(const training_done&) {
  auto done = slot_->take_back(report_, *origin_);
  if (done.mixed)
    current_ = done.mixed;
  if (done.state)
    save(std::move(*done.state));
  if (done.mixed)
    send_report();
  if (!slot_->failure().empty())
    give_up(slot_->failure());
  if (std::exchange(stalled_, false)) {
    if (slot_->failure().empty())
      spdlog::warn("worker {}: {} has ended its step", to_string(id_), slot_->maker());
    apply(step_resumed{});
  }
  const auto delay = slot_->take_step();
  if (delay)
    mixing_price_.stepped(slot_->cost());
  if (delay && *delay > nanoseconds{0})
    self_->delayed_send(self_, *delay, delay_over{slot_->ticket()});
  else if (delay)
    step_is_done(slot_->ticket());
  submit_job();
}

/// Without its learner it does no further round; the others go on.
void worker_state::give_up(const std::string& why) {
  if (std::exchange(gave_up_, true))
    return;
  self_->send(options_.reporter, worker_failed{id_, why});
  apply(stop_requested{});
}

void worker_state::gather_timeout_is_due(nanoseconds at) {
  if (wake_up_ != at)
    return; // an earlier one was set after it
  wake_up_.reset();
  if (now() < armed_)
    wake_at(armed_);
  else
    apply(timer_expired{});
}

void worker_state::heartbeat_is_due() {
  const auto verdict = detector_->check(now(), time_asleep());
  if (verdict.paused) {
    spdlog::warn("worker {}: this process was stopped for a while; the round in progress is given up",
                 to_string(id_));
    apply(paused{});
  } else {
    look_for_stall();
  }
  for (auto i : verdict.lost) {
    spdlog::warn("worker {}: no sign of life from worker {}", to_string(id_), to_string(neighbours_[i].id));
    lose(neighbours_[i], neighbour_lost::cause::silent);
  }
  for (const auto& n : neighbours_)
    tell(n, heartbeat{});
  send_mail();
  report_events();
  set_timers();
  self_->delayed_send(self_, detector_->heartbeat_every(), heartbeat_due{});
}

/// A delayed message holds its receiver, and the thread that this may have of its own. So those that are far
/// off are sent when they are due before the next heartbeat.
void worker_state::set_timers() {
  const auto send_if_near = [this](std::optional<nanoseconds>& at, auto message) {
    if (at && *at - now() <= detector_->heartbeat_every())
      self_->delayed_send(self_, std::max(*std::exchange(at, std::nullopt) - now(), nanoseconds{0}), message);
  };
  send_if_near(stop_at_, stop_work{});
  send_if_near(checkpoint_at_, checkpoint_due{});
}

/// Only wanted here: the state is whole between a mix and the next step.
void worker_state::checkpoint_is_due() {
  checkpoint_wanted_ = true;
  if (machine_->has_left())
    return;
  checkpoint_at_ = now() + options_.checkpoint_every;
  set_timers();
}

welcome_reply worker_state::welcome_for(worker_id joiner) {
  if (find(joiner) == nullptr || machine_->current_phase() == phase::idle)
    return {};
  link_is_broken(joiner); // to its predecessor
  const auto w = machine_->welcome_for(joiner);
  if (!w)
    return {};
  return {joiner, true, {std::make_shared<const std::vector<fact>>(w->facts)}, w->round, current_};
}

// --- Effects ---

void worker_state::apply(const event& e) {
  take(e);
  follow_up();
}

void worker_state::take(const event& e) {
  const auto at = now();
  const auto& effects = machine_->step(at, e);
  if (options_.records) {
    append_event(recorded_, at, id_, e, effects);
    if (recorded_.size() >= recorded_at_once)
      report_events();
  }
  for (const auto& x : effects)
    std::visit([this](const auto& y) { perform(y); }, x);
}

/// After all that came at once: what is to be said, then what is to be computed.
void worker_state::follow_up() {
  if (reads_mail_)
    return;
  mixing_price_.spent(std::exchange(coding_took_, nanoseconds{0}));
  send_mail();
  submit_job();
}

void worker_state::send_mail() {
  if (!mail_.messages.empty())
    self_->send(links_, std::exchange(mail_, {}));
}

void worker_state::perform(const send& x) {
  std::visit([this, &n = *find(x.to)](const auto& body) { say(n, body); }, x.message);
}

void worker_state::say(neighbour& to, const estimate& body) {
  auto m = estimate_message{body, {}};
  m.body.has_parameters = body.has_parameters && to.window.try_send(body.round);
  if (m.body.has_parameters) {
    attach_estimate(to, m);
    if (std::exchange(sent_round_, body.round) != body.round)
      acknowledged_ = nanoseconds{0};
  }
  count_sent(m.parameters);
  tell(to, std::move(m));
}

void worker_state::say(neighbour& to, const offer& body) {
  const auto block = code_current(to);
  pairs_->tell(to.id, block.values, true);
  count_sent(block.words);
  tell(to, offer_message{body, block.words, block.label});
}

void worker_state::say(neighbour& to, const answer& body) {
  if (!body.taken)
    return tell(to, answer_message{body, {}});
  const auto block = code_current(to);
  pairs_->tell(to.id, block.values, false);
  count_sent(block.words);
  tell(to, answer_message{body, block.words, block.label});
}

/// What a threshold says of more edges at once travels within a process only.
void worker_state::say(neighbour& to, const threshold& body) {
  if (to.handle || !body.more)
    return tell(to, threshold_message{body, now()});
  auto one = threshold{body.generation, body.sweep, body.round, body.covered};
  if (one.covered)
    tell(to, threshold_message{one, now()});
  for_each_edge(*body.more, [&](edge e) {
    one.covered = e;
    tell(to, threshold_message{one, now()});
  });
}

void worker_state::count_sent(const parameter_block& block) {
  ++totals_.estimates_sent;
  totals_.bytes_sent += block.values().size_bytes();
}

void worker_state::perform(const compute& x) {
  if (coder_ && !pairs_)
    code_from_what_is_known();
  const auto delay = slot_->begin_step(x.ticket, now(), where_from(x.unanswered), machine_->completed());
  if (delay && *delay > nanoseconds{0})
    self_->delayed_send(self_, *delay, delay_over{x.ticket});
  else if (delay)
    self_->send(self_, delay_over{x.ticket});
}

void worker_state::perform(const mix& x) {
  if (options_.training) {
    auto& blocks = slot_->begin_mix(x.generation);
    for (const auto& term : x.terms) {
      const auto& n = *find(term.neighbour);
      assert(!n.coded || n.coded->sent);
      blocks.push_back({n.estimates.used(x.round), term.weight, n.coded ? n.coded->sent : parameter_block{},
                        term.corrects});
    }
    mixed_epoch_ = slot_->epoch(); // the job's batch is still that of the step of this round
  }
  for (auto& n : neighbours_) {
    n.estimates.release(x.round);
    if (n.coded)
      n.coded->sent = {};
  }
  mixed_round_ = x.round;
}

void worker_state::perform(const arm_timer& x) {
  armed_ = x.at;
  if (!wake_up_ || *wake_up_ > x.at)
    wake_at(x.at);
}

/// In rounds that is the job's business.
parameter_block worker_state::where_from(double unanswered) {
  if (!pairs_)
    return {};
  const auto cpu_before = thread_cpu_s();
  auto from = pairs_->begin_step(current_, unanswered);
  if (unanswered > 0)
    mixing_price_.spent(from_seconds(thread_cpu_s() - cpu_before));
  return from;
}

/// Costs something only because the worker has averaged since the step began.
void worker_state::perform(const take_step& x) {
  const auto cpu_before = thread_cpu_s();
  current_ = pairs_->add_step(current_, slot_->from(), slot_->estimate(), x);
  mixing_price_.spent(from_seconds(thread_cpu_s() - cpu_before));
}

void worker_state::perform(const round_done& x) {
  const auto& record = *x.record;
  report_ = make_report(record, make_mix_report(id_, record));
  slot_->describe_step(report_);
  if (!slot_->mix_is_pending())
    send_report();
}

void worker_state::perform(const membership_changed& x) {
  spdlog::debug("worker {}: {} workers in this part of the network", to_string(id_), x.component);
  self_->send(options_.reporter, part_changed{id_, x.component, x.lowest});
}

void worker_state::report_events() {
  if (!recorded_.empty())
    self_->send(options_.reporter, recorded_events{std::exchange(recorded_, {})});
}

// --- Odds and ends ---

/// `delayed_send` cannot be cancelled: one timer message serves as many rounds as it can, and one that was
/// overtaken by an earlier is ignored.
void worker_state::wake_at(nanoseconds at) {
  wake_up_ = at;
  self_->delayed_send(self_, std::max(at - now(), nanoseconds{0}), gather_timeout_due{at});
}

worker_state::neighbour* worker_state::find(worker_id id) {
  const auto i = std::lower_bound(neighbours_.begin(), neighbours_.end(), id,
                                  [](const neighbour& n, worker_id x) { return n.id < x; });
  return i != neighbours_.end() && i->id == id ? &*i : nullptr;
}

worker_actor::behavior_type worker(worker_actor::stateful_pointer<worker_state> self,
                                   worker_options options) {
  self->state.start(std::move(options));
  self->set_down_handler([self](const caf::down_msg& down) { self->state.neighbour_down(down); });
  return {
      [self](const meet_neighbours& x) { self->state.meet(x); },
      [self](const begin_work& x) { self->state.begin_rounds(x); },
      [self](worker_id from, const estimate_message& m) { self->state.receive(from, m); },
      [self](worker_id from, const accept& m) { self->state.receive(from, m); },
      [self](worker_id from, const closed& m) { self->state.receive(from, m); },
      [self](worker_id from, const threshold_message& m) { self->state.receive(from, m); },
      [self](worker_id from, const leaving& m) { self->state.receive(from, m); },
      [self](worker_id from, const membership_news& m) { self->state.receive(from, m); },
      [self](worker_id from, const received& m) { self->state.receive(from, m); },
      [self](worker_id from, const heartbeat& m) { self->state.receive(from, m); },
      [self](worker_id from, const offer_message& m) { self->state.receive(from, m); },
      [self](worker_id from, const answer_message& m) { self->state.receive(from, m); },
      [self](const peer_mail& mail) { self->state.receive(mail); },
      [self](const link_broken& x) { self->state.link_is_broken(x.neighbour); },
      [self](const mini_batch& batch) { self->state.receive(batch); },
      [self](const training_done& done) { self->state.receive(done); },
      [self](const delay_over& x) { self->state.step_is_done(x.ticket); },
      [self](const gather_timeout_due& x) { self->state.gather_timeout_is_due(x.at); },
      [self](const heartbeat_due&) { self->state.heartbeat_is_due(); },
      [self](const checkpoint_due&) { self->state.checkpoint_is_due(); },
      [self](const checkpoint_handled&) { self->state.checkpoint_is_handled(); },
      [self](const stop_work&) { self->state.stop(); },
      [self](const snapshot_wanted&) { return self->state.take_snapshot(); },
      [self](const status_wanted&) { return self->state.status(); },
      [self](const welcome_wanted& x) { return self->state.welcome_for(x.joiner); },
  };
}

} // namespace dybw
