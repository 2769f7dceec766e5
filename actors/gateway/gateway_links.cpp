#include "actors/gateway/gateway_broker.hpp"

#include <spdlog/spdlog.h>

namespace dybw {

namespace {

/// Up to this a write of its own costs more than the block's waiting for the rest of the turn.
constexpr std::size_t small_block_bytes = 1U << 16U;

std::string number_of(node_index node) {
  return std::to_string(index_of(node));
}

/// What an offer or answer brings.
struct block_ahead {
  const parameter_block* block = nullptr;
  block_label label{};
};
block_ahead block_of(const peer_body& body) {
  if (const auto* o = std::get_if<offer_message>(&body))
    return {&o->parameters, o->label};
  if (const auto* a = std::get_if<answer_message>(&body))
    return {&a->parameters, a->label};
  return {};
}

} // namespace

void gateway_broker::join_links(const join_run& x) {
  leave_links();
  links_.emplace(x);
  keep_links(clock::now());
  const auto waits = [&](const auto& c) { return c.at == step::parked && c.greeting.run == x.run; };
  for (const auto& c : select(waits))
    greet_link(c, c->greeting);
}

void gateway_broker::leave_links() {
  if (!links_)
    return;
  before_ = past_run{links_->run().run, links_->run().nodes};
  links_.reset();
  std::erase_if(attempts_, [](const auto& entry) { return !entry.second.client; });
  linked_.clear();
  const auto is_link = [](const attached_connection& c) {
    return c.role == connection_role::link && c.at != step::parked && c.at != step::parting;
  };
  for (const auto& c : select(is_link))
    part(c); // what was said last still goes out
}

void gateway_broker::move_node(const node_moved& x) {
  if (!links_ || links_->run().run != x.run)
    return;
  auto* link = links_->find(x.node);
  if (link == nullptr)
    return;
  stop_dialling(x.node);
  link->dialling = false;
  const auto now = clock::now();
  const auto retired = links_->moved(*link, x.advertised, now);
  if (const auto old = linked_.find(x.node); old != linked_.end()) {
    const auto c = old->second; // of the process that was there before
    link_down(x.node, "the node has a new process, at " + to_string(x.advertised), true);
    if (retired)
      dismiss(c);
    else
      end(c);
    links_->moved(*link, x.advertised, now);
  }
  keep_links(now);
}

/// Forgets the attempt to reach a node that moved, however far it has got.
void gateway_broker::stop_dialling(node_index node) {
  const auto is_its = [&](const dial_attempt& x) { return !x.client && x.node == node; };
  std::erase_if(attempts_, [&](const auto& entry) { return is_its(entry.second); });
  for (const auto& c :
       select([&](const auto& x) { return x.at == step::awaiting_reply && is_its(x.attempt); }))
    end(c);
}

/// Tells a process that another one has its place. It may have been hung, and would come back for ever.
void gateway_broker::dismiss(const attached& c) {
  append_frame(c->connection->out().tail(), refusal{place_taken_reason});
  part(c);
}

void gateway_broker::keep_links(moment now) {
  for (const auto node : links_->silent(now)) {
    const auto c = linked_.at(node);
    lose(c, "no sign of life from " + c->where);
  }
  for (const auto node : links_->due(now)) {
    dial_attempt x;
    x.to = links_->find(node)->where;
    x.run = links_->run().run;
    x.node = node;
    dial(std::move(x), link_dial_time);
  }
  for (const auto node : links_->mute(now)) {
    const auto& c = linked_.at(node);
    append_frame(c->connection->out().tail(), dybw::alive{});
    note(c);
  }
}

/// A node wants to link up.
void gateway_broker::greet_link(const attached& c, const hello& x) {
  if (!links_ || links_->run().run != x.run) {
    c->at = step::parked;
    c->greeting = x;
    c->deadline = clock::now() + park_time;
    return;
  }
  const auto* link = links_->find(x.from);
  if (x.incarnation == incarnation_)
    return refuse(c, "the node reached itself; two nodes are listed under one address");
  if (x.to != links_->run().self || link == nullptr || link->dials)
    return refuse(c, "this is node " + number_of(links_->run().self) + ", which expects no link from node " +
                         number_of(x.from) + " to node " + number_of(x.to) +
                         "; the nodes are listed differently");
  if (c->peer && !c->peer->is_for(link->where.host))
    return refuse(c, "the certificate of " + c->peer->name + " is not for " + link->where.host + ", node " +
                         number_of(x.from) + " of this run");
  if (link_table::is_retired(*link, x.incarnation))
    return refuse(c, place_taken_reason);
  auto answer = our_hello(connection_role::link);
  answer.run = x.run;
  answer.from = x.to;
  answer.to = x.from;
  c->where = to_string(link->where);
  append_frame(c->connection->out().tail(), answer);
  note(c);
  open_link(c, x.from, x.incarnation);
}

/// The node that we dialled has answered.
void gateway_broker::take_link_reply(const attached& c, const hello& x) {
  if (!links_ || links_->run().run != c->attempt.run)
    return part(c);
  if (x.run != c->attempt.run || x.from != c->attempt.node || x.to != links_->run().self)
    return refuse(c, "another node answers than node " + number_of(c->attempt.node) + " of this run");
  if (link_table::is_retired(*links_->find(c->attempt.node), x.incarnation)) {
    dialling_failed(c->attempt, c->where + " is an older process of the node");
    return dismiss(c);
  }
  open_link(c, c->attempt.node, x.incarnation);
}

void gateway_broker::open_link(const attached& c, node_index node, std::uint64_t incarnation) {
  auto& link = *links_->find(node);
  link_table::owned_by(link, incarnation);
  if (const auto old = linked_.find(node); old != linked_.end()) {
    const auto previous = old->second;
    link_down(node, "replaced by a new connection", true);
    if (link_table::is_retired(link, previous->incarnation))
      dismiss(previous);
    else
      end(previous);
  }
  const auto& run = links_->run();
  auto rules = std::make_shared<link_rules>();
  rules->graph = run.graph;
  rules->placement = run.placement;
  rules->self = run.self;
  rules->peer = node;
  rules->parameters = run.parameters;
  rules->send = run.send;
  c->connection->parser().expect_link(std::move(rules));
  c->at = step::link;
  c->node = node;
  c->incarnation = incarnation;
  linked_[node] = c;
  links_->up(link, clock::now());
  spdlog::debug("linked with node {}, {}", index_of(node), c->where);
  tell_listener(node, true, {});
}

/// Broken, or not to be had yet; `was_up` says which.
void gateway_broker::link_down(node_index node, const std::string& reason, bool was_up) {
  auto* link = links_ ? links_->find(node) : nullptr;
  if (link == nullptr)
    return;
  const auto news = links_->failed(*link, clock::now(), reason);
  if (was_up) {
    spdlog::debug("the link with node {} is down: {}", index_of(node), reason);
    for (const auto& [here, there] : link->pairs)
      if (const auto* w = links_->local(here))
        send(*w, link_broken{there});
  }
  if (was_up || news)
    tell_listener(node, false, reason);
}

void gateway_broker::tell_listener(node_index node, bool up, const std::string& reason) {
  const auto& run = links_->run();
  if (run.listener)
    send(run.listener, link_changed{run.run, node, up, reason});
}

// --- What comes ---

/// What one event says to a worker comes in a row.
void gateway_broker::take_in(peer_message&& m) {
  if (!arrived_.messages.empty() && arrived_.messages.front().to != m.to)
    deliver();
  arrived_.messages.push_back(std::move(m));
}

void gateway_broker::deliver() {
  if (arrived_.messages.empty())
    return;
  auto mail = std::exchange(arrived_, {});
  if (const auto* w = links_ ? links_->local(mail.messages.front().to) : nullptr)
    send(*w, std::move(mail));
}

/// Bytes came. While they are those of a block, the other node's heartbeats wait behind it.
void gateway_broker::heard_on_link(attached_connection& c) {
  auto* link = links_ ? links_->find(c.node) : nullptr;
  if (link == nullptr)
    return;
  const auto now = clock::now();
  link->heard = now;
  if (c.connection->parser().block_space().empty() || !links_->sign_of_life_due(*link, now))
    return;
  for (const auto& [here, there] : link->pairs)
    if (const auto* w = links_->local(here))
      send(*w, there, heartbeat{});
}

// --- What goes ---

void gateway_broker::send_peer(const peer_message& m) {
  const auto& [from, to, body] = m;
  auto* link = links_ ? links_->route(to) : nullptr;
  if (link == nullptr || !link->up)
    return; // who is cut off has been told
  const auto c = linked_.at(link->node);
  if (std::holds_alternative<heartbeat>(body) && c->connection->is_full())
    return; // what waits is sign of life enough, once it goes
  link->said = clock::now();
  if (const auto* e = std::get_if<estimate_message>(&body); e != nullptr && e->body.has_parameters) {
    write_estimate(*c, from, to, *e);
    if (e->parameters.values().size_bytes() <= small_block_bytes)
      note(c); // with what else this turn brings
    else
      write_out(c); // a turn may bring many
  } else if (const auto [block, label] = block_of(body); block != nullptr && !block->values().empty()) {
    if (!write_ahead(*c, from, to, *block, label))
      return;
    append_peer(c->connection->out().tail(), from, to, body);
    write_out(c);
  } else {
    append_peer(c->connection->out().tail(), from, to, body);
    note(c);
  }
}

/// The block goes once per round and connection, however many of its receivers live there.
void gateway_broker::write_estimate(attached_connection& c, worker_id from, worker_id to,
                                    const estimate_message& m) {
  auto& out = c.connection->out();
  const auto values = m.parameters.values();
  if (!has_size_of_run(from, values.size(), m.base))
    return append_peer(out.tail(), from, to, estimate_message{{m.body.round, false}, {}});
  auto& last = c.blocks_sent[from];
  if (last.round == m.body.round && last.base == m.base && last.values == values.data() && m.body.round != 0)
    return append_again(out.tail(), from, to, m.body.round);
  append_estimate_head(out.tail(), from, to, m.body.round, values.size(), m.base, m.body.generation);
  out.append(m.parameters);
  last = {m.body.round, m.base, values.data(), {}};
  ++blocks_sent_;
}

/// The other side would take another for an attack.
bool gateway_broker::has_size_of_run(worker_id from, std::size_t words, round_number base) const {
  const auto& run = links_->run();
  const auto wanted = coded_words(run.send, static_cast<std::size_t>(run.parameters), base != 0);
  if (words != wanted)
    spdlog::error("worker {} sends a block of {} words in a run where it has {}", to_string(from), words,
                  wanted);
  return words == wanted;
}

/// Of an offer or answer. Offers to several workers there bring the same block: it goes once.
bool gateway_broker::write_ahead(attached_connection& c, worker_id from, worker_id to,
                                 const parameter_block& block, const block_label& label) {
  auto& out = c.connection->out();
  const auto values = block.values();
  if (!has_size_of_run(from, values.size(), label.base))
    return false;
  auto& last = c.blocks_sent[from];
  if (last.values == values.data() && last.base == label.base &&
      (label.number == 0 || last.round == label.number)) {
    append_again(out.tail(), from, to, last.round);
    return true;
  }
  last = {label.number == 0 ? last.round + 1 : label.number, label.base, values.data(), block};
  append_estimate_head(out.tail(), from, to, last.round, values.size(), label.base);
  out.append(block);
  ++blocks_sent_;
  return true;
}

bool gateway_broker::takes_what_is_sent(const attached_connection& c) {
  const auto waiting = c.connection->out().bytes();
  backlog_max_ = std::max(backlog_max_, waiting);
  const auto* link = links_ ? links_->find(c.node) : nullptr;
  return link == nullptr || waiting <= links_->backlog_max(*link);
}

} // namespace dybw
