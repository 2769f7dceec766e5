#include "actors/worker.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cassert>

namespace dybw {

void worker_state::start(worker_options options) {
  options_ = std::move(options);
  id_ = options_.machine.self;
  totals_.worker = id_;
  const auto graph = options_.machine.graph;
  for (auto neighbour_id : graph->neighbours(id_))
    neighbours_.emplace_back().id = neighbour_id;
  machine_.emplace(std::move(options_.machine));
  detector_.emplace(neighbours_.size(), options_.suspect_after);
  current_ = options_.initial;
  if (options_.training) {
    job_ = std::make_shared<training_job>();
    job_->local = std::make_shared<local_training>(options_.training, current_);
    job_->client = training_client_actor{worker_actor{self_}};
    self_->send(options_.shard, batch_wanted{});
  }
}

void worker_state::meet(const meet_neighbours& x) {
  assert(x.neighbours.size() == neighbours_.size());
  origin_ = x.origin;
  for (std::size_t i = 0; i < neighbours_.size(); ++i) {
    neighbours_[i].handle = x.neighbours[i];
    self_->monitor(neighbours_[i].handle);
  }
}

void worker_state::begin_rounds() {
  detector_->begin(now());
  self_->delayed_send(self_, detector_->heartbeat_every(), heartbeat_due{});
  if (options_.time_limit)
    self_->delayed_send(self_, *options_.time_limit, stop_work{});
  apply(dybw::start{});
}

// --- Messages to events ---

void worker_state::receive(worker_id from, const estimate_message& m) {
  if (!alive(from))
    return;
  auto body = m.body;
  auto& n = *find(from);
  if (body.has_parameters) {
    self_->send(n.handle, id_, received{body.round});
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
  if (alive(from))
    find(from)->window.received(m.round);
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
    if (neighbours_[i].handle.address() == down.source) {
      detector_->give_up(i);
      neighbours_[i].window.reset();
      apply(neighbour_lost{neighbours_[i].id, neighbour_lost::cause::crashed});
    }
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
  const auto timeout = machine_->status().timeout;
  if (timeout && now() < *timeout)
    wake_at(*timeout);
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
    self_->send(n.handle, id_, heartbeat{});
  self_->delayed_send(self_, detector_->heartbeat_every(), heartbeat_due{});
}

snapshot worker_state::take_snapshot() const {
  return {id_, current_, machine_->counters().steps_used};
}

worker_status worker_state::status() const {
  return {id_, machine_->status(), machine_->counters(), now()};
}

// --- Effects ---

void worker_state::apply(const event& e) {
  for (const auto& x : machine_->step(now(), e))
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
      totals_.bytes_sent += estimate_.values().size_bytes();
    }
    ++totals_.estimates_sent;
    self_->send(n.handle, id_, std::move(m));
  } else if (const auto* t = std::get_if<threshold>(&x.message)) {
    self_->send(n.handle, id_, threshold_message{*t, now()});
  } else if (const auto* a = std::get_if<accept>(&x.message)) {
    self_->send(n.handle, id_, *a);
  } else if (const auto* c = std::get_if<closed>(&x.message)) {
    self_->send(n.handle, id_, *c);
  } else if (const auto* l = std::get_if<leaving>(&x.message)) {
    self_->send(n.handle, id_, *l);
  } else {
    self_->send(n.handle, id_, std::get<membership_news>(x.message));
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
  // Its mini-batch was not used: the step that starts anew takes it again, so that every epoch covers the shard.
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
}

void worker_state::perform(const arm_timer& x) {
  if (!wake_up_ || *wake_up_ > x.at)
    wake_at(x.at);
}

void worker_state::perform(const round_done& x) {
  const auto& record = *x.record;
  auto& report = report_.emplace();
  report.mixed.worker = id_;
  report.mixed.round = record.round;
  report.mixed.own_weight = record.own_weight;
  report.mixed.committed = record.committed;
  report.mixed.departed = record.departed;
  report.started = record.started;
  report.joined = record.joined;
  report.compute = compute_time_;
  report.done = record.mixed;
  report.degree = static_cast<std::uint32_t>(record.degree);
  report.accepted = static_cast<std::uint32_t>(record.accepted);
  report.timed_out = record.timed_out;
  report.loss = loss_;
  report.samples = samples_;
  if (!mix_pending_)
    send_report();
}

void worker_state::perform(const membership_changed& x) {
  spdlog::info("worker {}: {} workers in this part of the network", to_string(id_), x.component);
}

void worker_state::perform(const finished& x) {
  finished_ = x;
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
  job_->neighbours.swap(mix_with_);
  job_->wants_step = std::exchange(step_pending_, false);
  job_->step_dropped = false;
  if (job_->wants_step) {
    job_->ticket = ticket_;
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
  report_->mixed.projection_before = options_.training ? job_->mixed.projection_before : 0;
  report_->mixed.projection_after = options_.training ? job_->mixed.projection_after : 0;
  report_->mixed.norm_before = options_.training ? job_->mixed.norm_before : 0;
  self_->send(options_.reporter, std::move(*report_));
  report_.reset();
}

void worker_state::send_last_word() {
  const auto& counters = machine_->counters();
  totals_.completed = finished_->completed;
  totals_.estimates_late = counters.estimates_late;
  totals_.timeouts = counters.timeouts;
  totals_.steps_used = counters.steps_used;
  totals_.steps_discarded = counters.steps_discarded;
  totals_.sweeps_completed = counters.sweeps_completed;
  finished_.reset();
  if (job_)
    job_->client = nullptr; // our own handle: would keep us alive for ever
  self_->send(
      options_.reporter,
      worker_finished{totals_, current_, std::make_shared<const duration_histogram>(threshold_delays_)});
}

// --- Odds and ends ---

/// `delayed_send` cannot be cancelled: one timer message serves as many rounds as it can, and one that was overtaken by
/// an earlier is ignored.
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
      [self](const begin_work&) { self->state.begin_rounds(); },
      [self](worker_id from, const estimate_message& m) { self->state.receive(from, m); },
      [self](worker_id from, const accept& m) { self->state.receive(from, m); },
      [self](worker_id from, const closed& m) { self->state.receive(from, m); },
      [self](worker_id from, const threshold_message& m) { self->state.receive(from, m); },
      [self](worker_id from, const leaving& m) { self->state.receive(from, m); },
      [self](worker_id from, const membership_news& m) { self->state.receive(from, m); },
      [self](worker_id from, const received& m) { self->state.receive(from, m); },
      [self](worker_id from, const heartbeat& m) { self->state.receive(from, m); },
      [self](const mini_batch& batch) { self->state.receive(batch); },
      [self](const training_done& done) { self->state.receive(done); },
      [self](const delay_over& x) { self->state.delay_is_over(x.ticket); },
      [self](const gather_timeout_due& x) { self->state.gather_timeout_is_due(x.at); },
      [self](const heartbeat_due&) { self->state.heartbeat_is_due(); },
      [self](const stop_work&) { self->state.stop(); },
      [self](const snapshot_wanted&) { return self->state.take_snapshot(); },
      [self](const status_wanted&) { return self->state.status(); },
  };
}

} // namespace dybw
