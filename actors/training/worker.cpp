#include "actors/training/worker.hpp"

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
  in_pairs_ = options_.machine.policy.averages_in_pairs();
  if (options_.records)
    append_new_worker(recorded_, nanoseconds{0}, options_.machine);
  machine_ = make_machine(std::move(options_.machine));
  if (in_pairs_ && options_.training)
    mover_.emplace(options_.training->learner->parameter_count(), options_.training->projection);
  mixed_round_ = saved_round_ = machine_->completed();
  const auto& resumed = options_.resumed;
  current_ = resumed ? resumed->parameters : options_.initial;
  mixed_epoch_ = resumed ? resumed->epoch : 0;
  if (options_.training) {
    job_ = std::make_shared<training_job>();
    job_->local = std::make_shared<local_training>(options_.training, current_,
                                                   resumed ? resumed->velocity : parameter_block{});
    if (resumed)
      options_.resumed->parameters = options_.resumed->velocity = {}; // who holds a block keeps its memory
    job_->client = training_client_actor{worker_actor{self_}};
    self_->send(options_.shard, batch_wanted{});
  }
}

void worker_state::meet(const meet_neighbours& x) {
  assert(x.neighbours.size() == neighbours_.size());
  origin_ = x.origin;
  links_ = x.links;
  for (std::size_t i = 0; i < neighbours_.size(); ++i) {
    neighbours_[i].handle = x.neighbours[i];
    if (neighbours_[i].handle)
      self_->monitor(neighbours_[i].handle);
  }
}

void worker_state::begin_rounds(const begin_work& x) {
  if (x.origin)
    origin_ = x.origin;
  detector_->begin(now());
  self_->delayed_send(self_, detector_->heartbeat_every(), heartbeat_due{});
  if (options_.time_limit)
    self_->delayed_send(self_, std::max(*options_.time_limit - now(), nanoseconds{0}), stop_work{});
  if (options_.checkpointer) {
    self_->delayed_send(self_, options_.checkpoint_every, checkpoint_due{});
    save(job_->local
             ->velocity()); // so that a run can go on that is interrupted before any other, resumed or not
  }
  apply(dybw::start{});
}

// --- Messages to events ---

void worker_state::receive(worker_id from, const estimate_message& m) {
  if (!alive(from))
    return;
  if (in_pairs_) { // from another process, ahead of the offer or answer that it belongs to
    find(from)->came = m.parameters;
    return;
  }
  auto body = m.body;
  auto& n = *find(from);
  if (body.has_parameters) {
    tell(n, received{body.round});
    // An estimate of another size than ours (none checked it on the way) cannot be mixed with.
    body.has_parameters = m.parameters.values().size() == current_.values().size();
    if (body.has_parameters)
      n.estimates.offer(body.round, m.parameters);
  }
  apply(message_received{from, body});
}

void worker_state::receive(worker_id from, const threshold_message& m) {
  if (!alive(from))
    return;
  apply(message_received{from, m.body});
  threshold_delays_.add(now() - m.passed_on);
}

void worker_state::receive(worker_id from, const received& m) {
  if (!alive(from))
    return;
  find(from)->window.received(m.round);
  if (m.round == sent_round_)
    acknowledged_ = now();
}

void worker_state::receive(worker_id from, const heartbeat&) {
  alive(from);
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

void worker_state::neighbour_down(const caf::down_msg& down) {
  if (down.reason == caf::exit_reason::user_shutdown || down.reason == caf::exit_reason::normal)
    return; // the end of the run, not a crash
  for (std::size_t i = 0; i < neighbours_.size(); ++i)
    if (neighbours_[i].handle && neighbours_[i].handle.address() == down.source) {
      detector_->give_up(i);
      neighbours_[i].window.reset();
      apply(neighbour_lost{neighbours_[i].id, neighbour_lost::cause::crashed});
    }
}

void worker_state::link_is_broken(worker_id id) {
  auto* n = find(id);
  if (n == nullptr)
    return;
  detector_->give_up(static_cast<std::size_t>(n - neighbours_.data()));
  n->window.reset();
  apply(neighbour_lost{id, neighbour_lost::cause::silent});
}

void worker_state::receive(const mini_batch& batch) {
  batch_ = batch;
  submit_job();
}

void worker_state::receive([[maybe_unused]] const training_done& done) {
  assert(done.job == job_ && job_under_way_);
  job_under_way_ = false;
  if (job_->wants_mix) {
    current_ = std::move(job_->mixed.mixed);
    if (job_->wants_velocity)
      save(std::exchange(job_->velocity, {}));
    send_report();
  }
  if (job_->wants_step && job_->ticket == ticket_) {
    estimate_ = std::move(job_->stepped.estimate);
    loss_ = job_->stepped.loss;
    const auto delay = options_.clock->delay_after(step_started_, job_->took);
    compute_time_ = job_->took + delay;
    if (delay > nanoseconds{0})
      self_->delayed_send(self_, delay, delay_over{ticket_});
    else
      apply(step_done{ticket_});
  }
  submit_job();
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
  const auto verdict = detector_->check(now());
  if (verdict.paused) {
    spdlog::warn("worker {}: this process was stopped for a while; the round in progress is given up",
                 to_string(id_));
    apply(paused{});
  }
  for (auto i : verdict.lost) {
    spdlog::warn("worker {}: no sign of life from worker {}", to_string(id_), to_string(neighbours_[i].id));
    neighbours_[i].window.reset();
    apply(neighbour_lost{neighbours_[i].id, neighbour_lost::cause::silent});
  }
  for (const auto& n : neighbours_)
    tell(n, heartbeat{});
  report_events();
  self_->delayed_send(self_, detector_->heartbeat_every(), heartbeat_due{});
}

/// Only wanted here: the state is whole between a mix and the next step.
void worker_state::checkpoint_is_due() {
  checkpoint_wanted_ = true;
  if (!machine_->has_left())
    self_->delayed_send(self_, options_.checkpoint_every, checkpoint_due{});
}

snapshot worker_state::take_snapshot() const {
  return {id_, current_, machine_->counters().steps_used};
}

worker_status worker_state::status() const {
  return {id_, machine_->status(), machine_->counters(), now()};
}

welcome_reply worker_state::welcome_for(worker_id joiner) {
  if (find(joiner) == nullptr || machine_->current_phase() == phase::idle)
    return {};
  link_is_broken(joiner); // to its predecessor
  const auto w = machine_->welcome_for(joiner);
  if (!w)
    return {};
  welcome_reply reply;
  reply.joiner = joiner;
  reply.found = true;
  reply.facts.facts = std::make_shared<const std::vector<fact>>(w->facts);
  reply.round = w->round;
  reply.parameters = current_;
  return reply;
}

// --- Effects ---

template <class Body>
void worker_state::tell(const neighbour& to, Body body) {
  if (to.handle)
    self_->send(to.handle, id_, std::move(body));
  else
    self_->send(links_, id_, to.id, std::move(body));
}

void worker_state::apply(const event& e) {
  const auto at = now();
  const auto& effects = machine_->step(at, e);
  if (options_.records) {
    append_event(recorded_, at, id_, e, effects);
    if (recorded_.size() >= recorded_at_once)
      report_events();
  }
  for (const auto& x : effects)
    std::visit([this](const auto& y) { perform(y); }, x);
  submit_job();
}

void worker_state::perform(const send& x) {
  auto& n = *find(x.to);
  if (const auto* body = std::get_if<estimate>(&x.message)) {
    auto m = estimate_message{*body, {}};
    m.body.has_parameters = body->has_parameters && n.window.try_send(body->round);
    if (m.body.has_parameters) {
      m.parameters = estimate_;
      if (std::exchange(sent_round_, body->round) != body->round)
        acknowledged_ = nanoseconds{0};
      totals_.bytes_sent += estimate_.values().size_bytes();
    }
    ++totals_.estimates_sent;
    tell(n, std::move(m));
  } else if (const auto* t = std::get_if<threshold>(&x.message)) {
    tell(n, threshold_message{*t, now()});
  } else if (const auto* a = std::get_if<accept>(&x.message)) {
    tell(n, *a);
  } else if (const auto* c = std::get_if<closed>(&x.message)) {
    tell(n, *c);
  } else if (const auto* l = std::get_if<leaving>(&x.message)) {
    tell(n, *l);
  } else if (const auto* o = std::get_if<offer>(&x.message)) {
    tell_estimate<offer_message>(n, *o, n.offered, true);
  } else if (const auto* r = std::get_if<answer>(&x.message)) {
    tell_estimate<answer_message>(n, *r, n.answered, r->taken);
  } else {
    tell(n, std::get<membership_news>(x.message));
  }
}

void worker_state::perform(const use_estimate& x) {
  find(x.from)->estimates.use(x.round);
}

void worker_state::perform(const compute& x) {
  ticket_ = x.ticket;
  step_started_ = now();
  totals_.discarded += std::exchange(dropped_, nanoseconds{0});
  if (options_.training) {
    step_pending_ = true;
    if (mover_)
      step_from_ = current_;
    return;
  }
  const auto delay = options_.clock->delay_after(step_started_, nanoseconds{0});
  compute_time_ = delay;
  if (delay > nanoseconds{0})
    self_->delayed_send(self_, delay, delay_over{ticket_});
  else
    self_->send(self_, delay_over{ticket_});
}

void worker_state::perform(const drop_step& x) {
  dropped_ = now() - step_started_;
  // Its mini-batch was not used: the step that starts anew takes it again, so that every epoch covers the
  // shard.
  batch_unused_ = batch_unused_ || (job_ && !step_pending_ && job_->wants_step && job_->ticket == x.ticket);
  step_pending_ = false;
  ticket_ = 0;
  if (job_under_way_)
    job_->step_dropped = true; // it may not have begun
}

void worker_state::perform(const mix& x) {
  mix_with_.clear();
  for (const auto& term : x.terms)
    if (options_.training)
      mix_with_.push_back({find(term.neighbour)->estimates.used(x.round), term.weight});
  for (auto& n : neighbours_)
    n.estimates.release(x.round);
  mix_pending_ = options_.training != nullptr;
  mixed_round_ = x.round;
  if (job_)
    mixed_epoch_ = job_->batch.epoch; // the job's batch is still that of the step of this round
}

void worker_state::perform(const arm_timer& x) {
  armed_ = x.at;
  if (!wake_up_ || *wake_up_ > x.at)
    wake_at(x.at);
}

void worker_state::perform(const round_done& x) {
  const auto& record = *x.record;
  auto& report = report_.emplace(make_report(record, make_mix_report(id_, record)));
  report.compute = compute_time_;
  report.loss = loss_;
  report.samples = samples_;
  if (!mix_pending_)
    send_report();
}

void worker_state::perform(const membership_changed& x) {
  spdlog::debug("worker {}: {} workers in this part of the network", to_string(id_), x.component);
  self_->send(options_.reporter, part_changed{id_, x.component, x.lowest});
}

void worker_state::perform(const finished& x) {
  finished_ = x;
}

// --- Pairwise averaging ---

void worker_state::receive(worker_id from, const offer_message& m) {
  if (alive(from) && take_block(from, m.parameters, true))
    apply(message_received{from, m.body});
}

void worker_state::receive(worker_id from, const answer_message& m) {
  if (alive(from) && take_block(from, m.parameters, m.body.taken))
    apply(message_received{from, m.body});
}

/// The neighbour's estimate is that of the message, or came before it from another process. Whether there is
/// one of our size, if one is needed: a message without can mean nothing to us.
bool worker_state::take_block(worker_id from, const parameter_block& block, bool needed) {
  auto& came = find(from)->came;
  if (block)
    came = block;
  return !needed || !mover_ || came.values().size() == current_.values().size();
}

template <class Message, class Body>
void worker_state::tell_estimate(neighbour& to, const Body& body, parameter_block& told, bool tells) {
  if (tells) {
    told = current_;
    ++totals_.estimates_sent;
    totals_.bytes_sent += current_.values().size_bytes();
  }
  tell(to, Message{body, tells ? told : parameter_block{}});
}

void worker_state::perform(const take_step& x) {
  if (mover_)
    current_ = mover_->add_step(current_, step_from_, estimate_, x.scale);
}

/// One pass over the parameters, here and now: a trainer may be deep in our own gradient, and the neighbour
/// goes on with what we told it.
void worker_state::perform(const absorb& x) {
  auto& n = *find(x.half.neighbour);
  auto& half = exchanges_.halves.emplace_back(x.half);
  auto& mine = x.own_offer ? n.offered : n.answered;
  if (mover_) {
    auto done = mover_->absorb(current_, n.came, mine, half.weight);
    current_ = std::move(done.estimate);
    half.projection = done.projection;
    half.size = done.size;
  }
  mine = n.came = {};
}

void worker_state::perform(const edge_lost& x) {
  exchanges_.given_up.push_back(x.neighbour);
}

void worker_state::report_events() {
  if (!recorded_.empty())
    self_->send(options_.reporter, recorded_events{std::exchange(recorded_, {})});
}

// --- Training ---

/// Sends what is to be done to the trainers, once there is anything, the job before is back and the batch is
/// here.
void worker_state::submit_job() {
  if (job_under_way_)
    return;
  const auto step_ready = step_pending_ && (batch_ || batch_unused_);
  if (!mix_pending_ && !step_ready) {
    if (finished_ && !step_pending_)
      send_last_word();
    return;
  }
  if (step_pending_ && !step_ready)
    return; // the batch is on its way; mix and step travel together
  job_->wants_mix = std::exchange(mix_pending_, false);
  job_->wants_velocity =
      options_.checkpointer && job_->wants_mix && checkpoint_wanted_ && !checkpoint_under_way_;
  job_->neighbours.swap(mix_with_);
  job_->wants_step = std::exchange(step_pending_, false);
  job_->step_dropped = false;
  if (job_->wants_step) {
    job_->ticket = ticket_;
    job_->from = step_from_;
    if (!std::exchange(batch_unused_, false)) {
      job_->batch = std::move(*batch_);
      batch_.reset();
      self_->send(options_.shard, batch_wanted{});
    }
    samples_ = static_cast<std::uint32_t>(job_->batch.rows->size());
  }
  job_under_way_ = true;
  self_->send(options_.trainers, job_);
}

void worker_state::send_report() {
  if (!report_)
    return;
  report_->exchanges = std::exchange(exchanges_, {});
  report_->mixed.projection_before = options_.training ? job_->mixed.projection_before : 0;
  report_->mixed.projection_after = options_.training ? job_->mixed.projection_after : 0;
  report_->mixed.norm_before = options_.training ? job_->mixed.norm_before : 0;
  if (options_.training && !mover_) {
    report_->mix_began = std::chrono::duration_cast<nanoseconds>(job_->mix_began - *origin_);
    report_->mix_ended = std::chrono::duration_cast<nanoseconds>(job_->mix_ended - *origin_);
  }
  if (sent_round_ == report_->mixed.round)
    report_->acknowledged = acknowledged_;
  self_->send(options_.reporter, std::move(*report_));
  report_.reset();
}

/// Has the state after the newest mix written. REQUIRES: that mix is done and no later one has been asked
/// for.
void worker_state::save(const parameter_block& velocity) {
  auto x = std::make_shared<checkpoint>();
  x->run_hash = options_.run_hash;
  x->worker = id_;
  x->workers = workers_;
  x->round = mixed_round_;
  x->local_steps = machine_->counters().steps_used;
  x->epoch = mixed_epoch_;
  x->delays = options_.clock->drawn();
  x->elapsed = now();
  if (const auto& before = options_.resumed) {
    x->local_steps += before->local_steps;
    x->elapsed += before->elapsed;
  }
  x->parameters = current_;
  x->velocity = velocity;
  checkpoint_wanted_ = false;
  checkpoint_under_way_ = true;
  saved_round_ = mixed_round_;
  self_->send(options_.checkpointer,
              save_checkpoint{std::move(x), checkpoint_client_actor{worker_actor{self_}}});
}

void worker_state::send_last_word() {
  if (options_.checkpointer && mixed_round_ > saved_round_)
    save(job_->local->velocity());
  const auto& counters = machine_->counters();
  totals_.completed = finished_->completed;
  totals_.estimates_late = counters.estimates_late;
  totals_.timeouts = counters.timeouts;
  totals_.steps_used = counters.steps_used;
  totals_.steps_discarded = counters.steps_discarded;
  totals_.sweeps_completed = counters.sweeps_completed;
  finished_.reset();
  report_events();
  if (job_)
    job_->client = nullptr; // our own handle: would keep us alive for ever
  self_->send(options_.reporter,
              worker_finished{totals_, current_,
                              std::make_shared<const duration_histogram>(threshold_delays_),
                              std::exchange(exchanges_, {})});
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
      [self](const link_broken& x) { self->state.link_is_broken(x.neighbour); },
      [self](const mini_batch& batch) { self->state.receive(batch); },
      [self](const training_done& done) { self->state.receive(done); },
      [self](const delay_over& x) { self->state.delay_is_over(x.ticket); },
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
