#include "actors/gateway/gateway_broker.hpp"

namespace dybw {

void gateway_broker::dial_control(const open_control& x) {
  watch(x.client);
  dial_attempt a;
  a.to = x.to;
  a.client = x.client;
  a.key = x.key;
  dial(std::move(a), x.patience);
}

/// Somebody wants to send requests.
void gateway_broker::greet_control(const attached& c) {
  if (!options_.acceptor)
    return refuse(c, "this process takes no requests; ask a node");
  if (!controls_.has_room())
    return refuse(c, "this process has " + std::to_string(controls_max) +
                         " control connections already; end some of the programs that follow it");
  append_frame(c->connection->out().tail(), our_hello(connection_role::control));
  note(c);
  c->client = options_.acceptor;
  become_control(c);
}

void gateway_broker::become_control(const attached& c) {
  c->at = step::control;
  c->id = controls_.add(c->connection->hdl().id(), c->accepted, clock::now());
  c->connection->parser().expect_control(c->accepted ? request_bytes_max : control_bytes_max);
}

void gateway_broker::take_request(const attached& c, std::shared_ptr<const control_message> request) {
  if (const auto why = refusal_of_request(*c, *request); !why.empty()) {
    tell_lost(c, why);
    return refuse(c, why);
  }
  if (!controls_.charge(c->id, flow_of(*c)))
    c->connection->pause_reading();
  send(c->client, control_received{c->id, std::move(request)});
}

/// Of who connected to us; whom we dialled, we asked.
std::string gateway_broker::refusal_of_request(const attached_connection& c,
                                               const control_message& request) const {
  if (!c.accepted || !c.peer)
    return {};
  const auto* before = before_ ? &*before_ : nullptr;
  if (!links_)
    return dybw::refusal_of(request, *c.peer, nullptr, before);
  const auto& run = links_->run();
  const run_places here{run.run, run.self, run.nodes, run.placement};
  return dybw::refusal_of(request, *c.peer, &here, before);
}

/// What has come of a request takes memory until the rest is here.
void gateway_broker::hold_request(const attached& c) {
  for (const auto id : controls_.hold(c->id, c->connection->parser().held_bytes(), clock::now()))
    if (const auto longest = find(id)) {
      const std::string why = "its request took too long while there was no memory for more";
      tell_lost(longest, why);
      refuse(longest, why);
    }
}

gateway_broker::attached gateway_broker::find(connection_id id) {
  const auto* x = controls_.find(id);
  return x == nullptr ? nullptr : attached_.at(x->handle);
}

control_table::flow gateway_broker::flow_of(const attached_connection& c) {
  const auto& out = c.connection->out();
  return {c.connection->bytes_read(), c.connection->bytes_written(), out.bytes(), out.frames_bytes()};
}

void gateway_broker::send_message(const send_control& x) {
  const auto c = find(x.connection);
  if (!c)
    return; // it was closed, which the client has been told
  if (!control_table::takes_more(flow_of(*c)))
    return lose(c, takes_nothing_reason);
  auto& out = c->connection->out();
  const auto before = out.bytes();
  out.append(append_all_but_block(out.tail(), *x.message));
  if (std::holds_alternative<snapshot_reply>(*x.message) || std::holds_alternative<result_reply>(*x.message))
    eval_bytes_ += out.bytes() - before;
  note(c);
}

void gateway_broker::close_connection(connection_id id) {
  if (const auto c = find(id))
    part(c);
}

void gateway_broker::keep_controls(moment now) {
  const auto found =
      controls_.look_at_all(now, [&](const auto& x) { return flow_of(*attached_.at(x.handle)); });
  for (const auto id : found.stuck)
    lose(find(id), takes_nothing_reason);
  for (const auto id : found.resumed)
    if (const auto c = find(id)) {
      c->connection->go_on_reading();
      readable(c->connection->hdl());
    }
}

void gateway_broker::watch(const control_client_actor& client) {
  if (monitored_.insert(client.address()).second)
    monitor(client);
}

void gateway_broker::client_down(const caf::down_msg& down) {
  const auto is_of = [&](const control_client_actor& client) {
    return client && client.address() == down.source;
  };
  monitored_.erase(down.source);
  std::erase_if(attempts_, [&](const auto& entry) { return is_of(entry.second.client); });
  for (const auto& c : select([&](const attached_connection& x) { return is_of(x.client); }))
    part(c);
  if (is_of(options_.acceptor))
    options_.acceptor = nullptr;
}

} // namespace dybw
