#include "actors/node/node.hpp"

#include "actors/client/node_request.hpp"
#include "actors/gateway/gateway.hpp"
#include "actors/node/node_state.hpp"
#include "actors/node/run_loader.hpp"
#include "actors/node/run_measurer.hpp"

namespace dybw {

namespace {

/// What a failed actor said, or the name of its error.
std::string reason_of(const caf::error& e) {
  return e.context().match_elements<std::string>() ? e.context().get_as<std::string>(0) : caf::to_string(e);
}

node_actor::behavior_type node(node_actor::stateful_pointer<node_state> self, node_options options) {
  self->state.start(std::move(options));
  self->set_down_handler([self](const caf::down_msg& down) { self->state.helper_down(down); });
  self->set_exit_handler([self](caf::exit_msg& x) {
    self->state.shut_down();
    self->quit(std::move(x.reason));
  });
  return {
      [](const control_opened&) {}, // it does not call itself, requests do
      [](const control_failed&) {},
      [self](const control_received& x) { self->state.receive(x); },
      [self](const control_closed& x) { self->state.closed(x); },
      [self](const gateway_opened& x) { self->state.open(x); },
      [self](const link_changed& x) { self->state.link_changed(x); },
      [self](const stop_work&) { self->state.leave(); },
      [self](const node_standing_wanted&) { return self->state.standing(); },
      [self](const run_prepared& x) { self->state.prepared(x); },
      [self](const run_measured& x) { self->state.measured(x); },
      [self](const node_request_done& x) { self->state.request_is_done(x); },
      [self](const local_reports_ptr& x) { self->state.take(x); },
      [self](const part_changed& x) { self->state.take(x); },
      [self](const evaluation& x) { self->state.take(x); },
      [self](const target_reached&) { self->state.target_is_reached(); },
      [self](const node_tick&) { self->state.tick(); },
  };
}

} // namespace

void node_state::start(node_options options) {
  options_ = std::move(options);
  epoch_ = std::chrono::steady_clock::now();
  lifecycle_ = run_lifecycle{options_.slots};
  loader_ = self_->spawn<caf::detached + caf::monitored>(
      run_loader, run_loader_client_actor{node_actor{self_}}, options_.files);
  measurer_ = self_->spawn<caf::detached + caf::monitored>(
      run_measurer, run_measurer_client_actor{node_actor{self_}}, options_.files);
}

void node_state::open(const gateway_opened& x) {
  gateway_ = x.gateway;
  advertised_ = x.advertised;
  lifecycle_.advertise(advertised_);
  self_->monitor(gateway_);
  if (options_.join)
    seek_place();
  tick();
}

node_standing node_state::standing() const {
  node_standing x;
  x.failure = failure_;
  x.exit_code = exit_code_;
  x.state = leaving_ && !run_ && discards_ == 0 && !starts_trainers() ? "left"
            : joining_                                                ? "joining"
                                                                      : lifecycle_.state_text();
  if (run_)
    x.run_name = lifecycle_.spec().name;
  return x;
}

void node_state::send_request(node_request_options options, request_handler handler) {
  options.gateway = gateway_;
  options.client = node_actor{self_};
  options.key = ++newest_key_;
  requests_.emplace(options.key, std::move(handler));
  self_->spawn(node_request, std::move(options));
}

void node_state::request_is_done(const node_request_done& x) {
  if (const auto found = requests_.extract(x.key))
    found.mapped()(x);
}

void node_state::helper_down(const caf::down_msg& down) {
  if (gateway_ && down.source == gateway_.address()) {
    failure_ = "the port is lost: " + reason_of(down.reason);
    exit_code_ = exit_network;
  } else if (down.source == loader_.address() || down.source == measurer_.address()) {
    failure_ = "the node failed: " + reason_of(down.reason);
    exit_code_ = 1;
  } else if (host_ && host_->trainers() && down.source == host_->trainers().address()) {
    withdraw("training failed: " + reason_of(down.reason));
  } else if (host_ && down.source == host_->reports().address()) {
    reporter_down(reason_of(down.reason));
  } else if (lead_ && lead_->evaluator() && down.source == lead_->evaluator().address()) {
    withdraw("the evaluator failed: " + reason_of(down.reason));
  } else if (lead_ && down.source == lead_->reports().address()) {
    cannot_lead("its reporter failed: " + reason_of(down.reason));
  } else if (lead_ && down.source == lead_->client().address()) {
    cannot_lead("its client failed: " + reason_of(down.reason));
  }
}

/// The actors that nothing else would end.
void node_state::shut_down() {
  lead_.reset();
  host_.reset();
  if (states_)
    self_->send_exit(states_, caf::exit_reason::user_shutdown);
  if (unwanted_)
    *unwanted_ = true;
  if (prepared_.inputs && prepared_.inputs->learners)
    prepared_.inputs->learners->end(); // else a thread that waits for one would keep the process
  self_->send_exit(loader_, caf::exit_reason::user_shutdown);
  self_->send_exit(measurer_, caf::exit_reason::user_shutdown);
}

node_actor spawn_node(caf::actor_system& system, node_options options) {
  return system.spawn(node, std::move(options));
}

opened_node open_node(caf::actor_system& system, node_options options) {
  auto door = options.gateway;
  auto handle = spawn_node(system, std::move(options));
  door.acceptor = handle;
  try {
    const auto gateway = open_gateway(system, door);
    caf::anon_send(handle, gateway_opened{gateway.handle, gateway.advertised});
    return {handle, gateway.handle, gateway.advertised};
  } catch (...) {
    caf::anon_send_exit(handle, caf::exit_reason::user_shutdown);
    throw;
  }
}

} // namespace dybw
