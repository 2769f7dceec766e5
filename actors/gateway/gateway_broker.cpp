#include "actors/gateway/gateway_broker.hpp"

#include "actors/system/spare_threads.hpp"
#include "actors/transport/address.hpp"
#include "actors/transport/tls_channel.hpp"
#include "actors/transport/tls_context.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <random>
#include <unistd.h>

namespace dybw {

namespace {

constexpr auto tick_every = std::chrono::milliseconds{50};

std::uint64_t draw_incarnation() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

std::string language_of(const hello& x) {
  auto text = "dybw " + (x.version.empty() ? std::string{"of an unknown version"} : x.version) +
              " (protocol " + std::to_string(x.protocol) + ")";
  return x.protocol == protocol_version && x.byte_order != byte_order_mark ? text + " with another byte order"
                                                                           : text;
}

} // namespace

gateway_broker::gateway_broker(caf::actor_config& config, gateway_options options, int listener)
    : gateway_inside::broker_base(config), options_(std::move(options)), listener_(listener),
      incarnation_(draw_incarnation()), chunk_(read_chunk_bytes) {}

gateway_broker::~gateway_broker() {
  if (listener_ >= 0)
    ::close(listener_); // it never came to listening
}

gateway_broker::behavior_type gateway_broker::make_behavior() {
  set_down_handler([this](const caf::down_msg& down) { client_down(down); });
  if (listener_ >= 0) {
    doorman_ =
        caf::make_counted<gateway_doorman>(dynamic_cast<caf::io::network::default_multiplexer&>(backend()),
                                           std::exchange(listener_, -1), options_.tls);
    add_doorman(doorman_);
  }
  if (options_.acceptor)
    watch(options_.acceptor);
  delayed_send(this, tick_every, gateway_tick{});
  return {
      [this](const peer_mail& mail) {
        for (const auto& m : mail.messages)
          send_peer(m);
      },
      [this](const open_control& x) { dial_control(x); },
      [this](const send_control& x) { send_message(x); },
      [this](const close_control& x) { close_connection(x.connection); },
      [this](const join_run& x) { join_links(x); },
      [this](const leave_run& x) {
        if (links_ && links_->run().run == x.run)
          leave_links();
      },
      [this](const node_moved& x) { move_node(x); },
      [this](const traffic_wanted&) { return count_traffic(); },
      [this](const backlog_wanted& x) {
        const auto c = find(x.connection);
        return backlog{c ? c->connection->out().bytes() : 0};
      },
      [this](const caf::io::new_connection_msg& x) { accepted(x.handle); },
      [this](const caf::io::new_data_msg& x) { readable(x.handle); },
      [](const caf::io::connection_closed_msg&) {}, // ours say it another way
      [](const caf::io::acceptor_closed_msg&) { spdlog::error("the port is closed"); },
      [this](const dialled& x) { dialling_over(x); },
      [this](const gateway_tick&) { tick(); },
  };
}

caf::resumable::resume_result gateway_broker::resume(caf::execution_unit* context, std::size_t messages_max) {
  const auto result = gateway_inside::broker_base::resume(context, std::min(messages_max, messages_per_turn));
  flush_all(); // of all that the messages said, one write per connection
  return result;
}

void gateway_broker::on_exit() {
  attempts_.clear();
  links_.reset();
  for (auto& [handle, c] : attached_) {
    c->over = true;
    c->connection->flush();
    c->connection->close();
  }
  attached_.clear();
  controls_ = {};
  linked_.clear();
  dirty_.clear();
  doorman_.reset();
  options_.acceptor = nullptr;
}

/// CAF's brokers leave their mailbox open when they end: requests would never be answered, and what comes
/// late would be kept.
bool gateway_broker::cleanup(caf::error&& reason, caf::execution_unit* host) {
  close_all();
  return caf::scheduled_actor::cleanup(std::move(reason), host);
}

// --- Connections ---

void gateway_broker::accepted(caf::io::connection_handle handle) {
  auto found = by_id(handle);
  if (!found)
    return;
  auto c = std::make_shared<attached_connection>();
  c->connection.reset(static_cast<connection*>(&*found));
  c->accepted = true;
  c->accepted_at = clock::now();
  c->deadline = c->accepted_at + options_.hello_within;
  turn_away_one();
  attached_[handle.id()] = c;
  if (!options_.tls)
    return c->connection->start();
  handshakes_.add(handle.id(), c->connection->addr());
  start_handshakes();
}

void gateway_broker::start_handshakes() {
  for (const auto handle : handshakes_.due(clock::now()))
    if (const auto found = attached_.find(handle); found != attached_.end())
      found->second->connection->start();
}

/// Of too many accepted connections that are neither links nor control: the oldest, and before those that
/// wait for their run those that have said nothing yet, or for whom we have said all.
void gateway_broker::turn_away_one() {
  const auto order = [](const attached_connection& c) {
    return std::pair{c.at == step::parked, c.accepted_at};
  };
  attached first;
  std::size_t greeting = 0;
  for (const auto& [handle, c] : attached_)
    if (c->accepted && c->at != step::control && c->at != step::link) {
      ++greeting;
      if (!first || order(*c) < order(*first))
        first = c;
    }
  if (greeting < greetings_max)
    return;
  if (first->at != step::parting)
    ++refused_;
  end(first);
}

void gateway_broker::readable(caf::io::connection_handle handle) {
  const auto found = attached_.find(handle.id());
  if (found == attached_.end())
    return;
  const auto c = found->second; // `handle` may be of another connection before we are done
  auto& connection = *c->connection;
  connection.begin_reading();
  const auto read_before = connection.bytes_read();
  try {
    while (!c->over && c->at != step::parting) {
      auto f = connection.next_frame(chunk_);
      if (!f)
        break;
      handle_frame(c, *f);
    }
    deliver();
    if (!c->over && c->at == step::parting)
      connection.discard_input(chunk_);
  } catch (const std::bad_alloc&) { // costs the connection, not the process
    arrived_ = {};
    connection.fail("there is no memory for what came");
  }
  if (!c->over && (connection.failed() || (connection.fault() != ec::none && c->at != step::parting)))
    broken(c);
  else if (!c->over && c->at == step::link && connection.bytes_read() != read_before)
    heard_on_link(*c);
  else if (!c->over && c->at == step::control)
    hold_request(c);
  flush_all();
}

void gateway_broker::handle_frame(const attached& c, frame& f) {
  if (auto* m = std::get_if<peer_message>(&f))
    return take_in(std::move(*m));
  deliver(); // what was said before the link went down is heard before that
  if (auto* control = std::get_if<std::shared_ptr<const control_message>>(&f))
    take_request(c, std::move(*control));
  else if (const auto* x = std::get_if<hello>(&f))
    take(c, *x);
  else if (const auto* r = std::get_if<refusal>(&f))
    refused(c, r->reason);
}

void gateway_broker::take(const attached& c, const hello& x) {
  if (!x.same_language())
    return refuse(c, "this side runs " + language_of(our_hello(x.role)) + ", the other " + language_of(x) +
                         "; install the same version on all machines");
  if (options_.tls) {
    c->peer = c->connection->peer();
    if (const auto why = refusal_of_certificate(*c, x); !why.empty())
      return refuse(c, why);
  }
  if (c->at == step::awaiting_hello) {
    c->role = x.role;
    return x.role == connection_role::link ? greet_link(c, x) : greet_control(c);
  } else if (c->at == step::awaiting_reply) {
    if (x.role != c->role)
      return refuse(c, "this side wanted another kind of connection");
    if (x.role == connection_role::link)
      return take_link_reply(c, x);
    become_control(c);
    send(c->client, control_opened{c->attempt.key, c->id});
  }
}

/// Who may be at the other end at all. Which place it speaks for, and what it asks for, is looked at later.
std::string gateway_broker::refusal_of_certificate(const attached_connection& c, const hello& x) const {
  if (!c.peer)
    return "the other side shows no certificate";
  if (c.at == step::awaiting_reply && is_loopback(c.attempt.to.host) && options_.tls->is_own(*c.peer))
    return {}; // a node that watches itself, whatever name others know it by
  if (c.at == step::awaiting_reply)
    return refusal_as_node(*c.peer, c.attempt.to.host);
  const auto fits = x.role == connection_role::link ? c.peer->is(peer_role::node) : c.peer->roles != 0;
  if (fits)
    return {};
  return "the certificate of " + c.peer->name + " names " + roles_text(*c.peer) +
         (x.role == connection_role::link ? ", this is for a node" : "") +
         "; make one with a role (scripts/make-certs --role)";
}

/// The other side has said its last word.
void gateway_broker::refused(const attached& c, const std::string& reason) {
  const auto why = c->where + " refuses the connection: " + reason;
  if (c->accepted && c->at == step::awaiting_hello)
    ++refused_;
  lose(c, why);
}

/// The connection is of no more use: it was closed or broke, or what came was wrong.
void gateway_broker::broken(const attached& c) {
  if (c->at == step::parting)
    return end(c);
  const auto& connection = *c->connection;
  const auto wrong = connection.fault() != ec::none;
  if (c->accepted && (wrong || c->at == step::awaiting_hello || c->at == step::parked))
    ++refused_;
  tell_lost(c, c->at == step::awaiting_reply ? explain_silence(*c) : connection.failure());
  if (!wrong || connection.fault() == ec::not_dybw || connection.failed())
    return end(c);
  append_frame(c->connection->out().tail(), refusal{connection.failure()});
  part(c);
}

/// Why a connection that we dialled came to nothing.
std::string gateway_broker::explain_silence(const attached_connection& c) const {
  const auto& connection = *c.connection;
  if (!connection.remedy().empty())
    return connection.failure() + ", " + c.where + "; " + connection.remedy();
  if (connection.fault() == ec::speaks_tls)
    return c.where + " speaks TLS, this side does not; give --tls-cert, --tls-key and --tls-ca";
  if (connection.fault() != ec::none)
    return c.where + " does not speak dybw's protocol; check the port";
  return connection.failure() + " before it said hello, " + c.where +
         (options_.tls ? "; check that it is a dybw node"
                       : "; if it uses TLS, give --tls-cert, --tls-key and --tls-ca");
}

/// Tells whomever it is for that the connection is lost.
void gateway_broker::tell_lost(const attached& c, const std::string& reason) {
  if (c->at == step::awaiting_reply)
    dialling_failed(c->attempt, reason);
  else if (c->at == step::link)
    link_down(c->node, reason, true);
  else if (c->at == step::control)
    send(c->client, control_closed{c->id, reason});
}

void gateway_broker::lose(const attached& c, const std::string& reason) {
  tell_lost(c, reason);
  end(c);
}

/// Tells the other side why, in one line, and lets it close.
void gateway_broker::refuse(const attached& c, const std::string& reason) {
  spdlog::debug("a connection is refused: {}", reason);
  if (c->accepted)
    ++refused_;
  else
    dialling_failed(c->attempt, c->where + ": " + reason);
  append_frame(c->connection->out().tail(), refusal{reason});
  part(c);
}

/// No more will be sent on this connection, or taken from it.
void gateway_broker::part(const attached& c) {
  take_off(c);
  c->at = step::parting;
  c->client = nullptr;
  c->deadline = clock::now() + part_time;
  c->connection->go_on_reading();
  c->connection->finish_writing();
}

void gateway_broker::end(const attached& c) {
  if (std::exchange(c->over, true))
    return;
  count_bytes(past_, *c);
  take_off(c);
  attached_.erase(c->connection->hdl().id());
  c->connection->close();
}

/// It is nobody's link or control connection any more.
void gateway_broker::take_off(const attached& c) {
  handshakes_.remove(c->connection->hdl().id());
  controls_.remove(c->id);
  const auto linked = linked_.find(c->node);
  if (linked != linked_.end() && linked->second == c)
    linked_.erase(linked);
}

void gateway_broker::note(const attached& c) {
  if (!std::exchange(c->dirty, true))
    dirty_.push_back(c);
}

void gateway_broker::flush_all() {
  for (std::size_t i = 0; i < dirty_.size(); ++i) { // may grow
    const auto c = dirty_[i];
    c->dirty = false;
    write_out(c);
  }
  dirty_.clear();
}

void gateway_broker::write_out(const attached& c) {
  if (c->over)
    return;
  c->connection->flush();
  if (c->at == step::link && !takes_what_is_sent(*c))
    lose(c, takes_nothing_reason);
}

void gateway_broker::tick() {
  const auto now = clock::now();
  check_deadlines(now);
  if (doorman_)
    doorman_->go_on_listening(now);
  if (options_.tls) {
    start_handshakes();
    options_.tls->remind();
  }
  keep_controls(now);
  if (links_)
    keep_links(now);
  delayed_send(this, tick_every, gateway_tick{});
}

void gateway_broker::check_deadlines(moment now) {
  const auto is_late = [&](const attached_connection& c) {
    return c.at != step::control && c.at != step::link && now >= c.deadline;
  };
  for (const auto& c : select(is_late)) {
    if (c->at == step::parked) {
      refuse(c, "this node takes no part in that run");
      continue;
    }
    if (c->at == step::awaiting_hello)
      ++refused_;
    lose(c, "no hello in time, from " + c->where + "; check that it is a dybw node and not stopped");
  }
  std::vector<std::uint64_t> overdue;
  for (const auto& [id, x] : attempts_)
    if (now >= x.deadline + dial_slack)
      overdue.push_back(id);
  for (const auto id : overdue)
    dialling_over(dialled{id, nullptr,
                          "the name was not found in time, of " + to_string(attempts_.at(id).to) +
                              "; give an address instead of a name"});
}

hello gateway_broker::our_hello(connection_role role) const {
  hello x;
  x.version = DYBW_VERSION;
  x.role = role;
  x.incarnation = incarnation_;
  return x;
}

traffic gateway_broker::count_traffic() const {
  auto sum = past_;
  for (const auto& [handle, c] : attached_)
    count_bytes(sum, *c);
  sum.eval_bytes_sent = eval_bytes_;
  sum.blocks_sent = blocks_sent_;
  sum.backlog_bytes_max = backlog_max_;
  sum.connections_refused = refused_;
  return sum;
}

void gateway_broker::count_bytes(traffic& sum, const attached_connection& c) {
  if (c.role == connection_role::control) {
    sum.control_bytes_sent += c.connection->bytes_written();
  } else {
    sum.link_bytes_sent += c.connection->bytes_written();
    sum.link_bytes_received += c.connection->bytes_read();
  }
}

// --- Dialling ---

void gateway_broker::dial(dial_attempt x, nanoseconds patience) {
  x.deadline = clock::now() + patience;
  x.wanted = std::make_shared<char>();
  const auto id = ++last_attempt_;
  try {
    require_threads(1);
    system().spawn<caf::detached>(dybw::dial,
                                  dial_request{id, x.to, patience, x.wanted, dialling_actor{this}});
  } catch (const std::system_error& e) { // no thread to be had
    return dialling_failed(x, std::string{"cannot start dialling ("} + e.what() + "), " + to_string(x.to));
  }
  attempts_.emplace(id, std::move(x));
}

void gateway_broker::dialling_over(const dialled& x) {
  const auto found = attempts_.find(x.attempt);
  if (found == attempts_.end())
    return; // no longer wanted, or too late
  auto attempt = std::move(found->second);
  attempts_.erase(found);
  if (!x.socket)
    return dialling_failed(attempt, x.reason);
  auto channel = options_.tls ? make_tls_channel(options_.tls, false) : make_plain_channel();
  auto c = std::make_shared<attached_connection>();
  c->connection =
      caf::make_counted<connection>(dynamic_cast<caf::io::network::default_multiplexer&>(backend()),
                                    x.socket->release(), std::move(channel));
  c->at = step::awaiting_reply;
  c->deadline = attempt.deadline;
  c->where = to_string(attempt.to);
  c->role = attempt.client ? connection_role::control : connection_role::link;
  auto greeting = our_hello(c->role);
  if (c->role == connection_role::link) {
    greeting.run = attempt.run;
    greeting.from = links_->run().self;
    greeting.to = attempt.node;
  }
  c->client = attempt.client;
  c->attempt = std::move(attempt);
  add_scribe(c->connection);
  attached_[c->connection->hdl().id()] = c;
  append_frame(c->connection->out().tail(), greeting);
  note(c);
  c->connection->start();
}

void gateway_broker::dialling_failed(const dial_attempt& x, const std::string& reason) {
  if (x.client)
    send(x.client, control_failed{x.key, reason});
  else if (links_ && links_->run().run == x.run)
    link_down(x.node, reason, false);
}

} // namespace dybw
