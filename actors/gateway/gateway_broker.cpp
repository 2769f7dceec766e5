#include "actors/gateway/gateway_broker.hpp"

#include "actors/transport/tls_channel.hpp"

#include <caf/io/network/doorman_impl.hpp>
#include <caf/io/network/native_socket.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <random>
#include <unistd.h>

namespace dybw {

namespace {

/// How much is read at once of what is no block.
constexpr std::size_t chunk_bytes = 64 * 1024;
/// Accepted connections before their hello or after their refusal; beyond it the oldest is closed.
constexpr std::size_t greeting_max = 256;
/// How long the other side may take to close a connection after our last word.
constexpr auto part_time = std::chrono::seconds{2};
/// The dialler answers in time by itself, but for names that are slow to look up.
constexpr auto dialler_slack = std::chrono::milliseconds{500};
/// Accepted control connections that said hello; more are refused.
constexpr std::size_t requesters_max = 256;
/// A control connection with more than this still to be written, parameters left aside, takes no more. One
/// with more, parameters included, is not asked for more.
constexpr std::uint64_t control_backlog_max = 64 * 1024 * 1024;
/// Parameters are held, not copied; so they may wait as long as something goes.
constexpr auto progress_within = std::chrono::seconds{10};
/// Requests are read faster than they are answered. A lead asks for the estimates of all workers of a node at
/// once; otherwise a few come per second.
constexpr std::int64_t requests_at_once = 4096;
constexpr std::int64_t requests_per_s = 2000;
/// A longer one counts as several.
constexpr std::uint64_t request_bytes = 4096;
/// Then what they said is written, and the sockets have their turn: a mailbox may be filled as fast as it is
/// emptied.
constexpr std::size_t messages_per_turn = 32;
constexpr auto tick_every = std::chrono::milliseconds{50};

class gateway_doorman final : public caf::io::network::doorman_impl {
public:
  gateway_doorman(caf::io::network::default_multiplexer& backend, int socket,
                  std::shared_ptr<tls_context> tls)
      : doorman_impl(backend, socket), tls_(std::move(tls)) {}

  bool new_connection() override {
    const auto socket = acceptor_.accepted_socket();
    if (detached()) {
      ::close(socket);
      return false;
    }
    auto& backend = acceptor_.backend();
    caf::io::network::nonblocking(socket, true); // before the handshake begins
    auto channel = tls_ ? make_tls_channel(tls_, true) : make_plain_channel();
    auto line = caf::make_counted<connection>(backend, socket, std::move(channel));
    const auto handle = line->hdl();
    parent()->add_scribe(std::move(line));
    return doorman::new_connection(&backend, handle);
  }

  void graceful_shutdown() override {
    const auto in_loop = acceptor_.eventbf() != 0;
    doorman_impl::graceful_shutdown();
    if (!in_loop) // opened in this very turn: the loop never heard of it, and will not tell it to let go of
                  // itself
      acceptor_.removed_from_loop(caf::io::network::operation::read);
  }

private:
  std::shared_ptr<tls_context> tls_;
};

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
      incarnation_(draw_incarnation()), chunk_(chunk_bytes) {}

gateway_broker::~gateway_broker() {
  if (listener_ >= 0)
    ::close(listener_); // it never came to listening
}

gateway_broker::behavior_type gateway_broker::make_behavior() {
  set_down_handler([this](const caf::down_msg& down) { client_down(down); });
  if (listener_ >= 0)
    add_doorman(
        caf::make_counted<gateway_doorman>(dynamic_cast<caf::io::network::default_multiplexer&>(backend()),
                                           std::exchange(listener_, -1), options_.tls));
  if (options_.acceptor)
    watch(options_.acceptor);
  delayed_send(this, tick_every, gateway_tick{});
  return {
      [this](worker_id from, worker_id to, const estimate_message& m) { send_peer(from, to, m); },
      [this](worker_id from, worker_id to, const accept& m) { send_peer(from, to, m); },
      [this](worker_id from, worker_id to, const closed& m) { send_peer(from, to, m); },
      [this](worker_id from, worker_id to, const threshold_message& m) { send_peer(from, to, m); },
      [this](worker_id from, worker_id to, const leaving& m) { send_peer(from, to, m); },
      [this](worker_id from, worker_id to, const membership_news& m) { send_peer(from, to, m); },
      [this](worker_id from, worker_id to, const received& m) { send_peer(from, to, m); },
      [this](worker_id from, worker_id to, const heartbeat& m) { send_peer(from, to, m); },
      [this](worker_id from, worker_id to, const offer_message& m) { send_peer(from, to, m); },
      [this](worker_id from, worker_id to, const answer_message& m) { send_peer(from, to, m); },
      [this](const open_control& x) { start_control(x); },
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
        return backlog{c ? c->line->out().bytes() : 0};
      },
      [this](const caf::io::new_connection_msg& x) { accepted(x.handle); },
      [this](const caf::io::new_data_msg& x) { readable(x.handle); },
      [](const caf::io::connection_closed_msg&) {}, // ours say it another way
      [](const caf::io::acceptor_closed_msg&) { spdlog::error("the port is closed"); },
      [this](const dialled& x) { called(x); },
      [this](const gateway_tick&) { tick(); },
  };
}

caf::resumable::resume_result gateway_broker::resume(caf::execution_unit* context, std::size_t messages_max) {
  const auto result = gateway_inside::broker_base::resume(context, std::min(messages_max, messages_per_turn));
  flush_all(); // of all that the messages said, one write per connection
  return result;
}

void gateway_broker::on_exit() {
  for (auto& [id, x] : calls_)
    *x.cancelled = true;
  calls_.clear();
  links_.reset();
  for (auto& [handle, c] : conversations_) {
    c->over = true;
    c->line->flush();
    c->line->close();
  }
  conversations_.clear();
  controls_.clear();
  link_conversations_.clear();
  dirty_.clear();
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
  auto c = std::make_shared<conversation>();
  c->line.reset(static_cast<connection*>(&*found));
  c->accepted = true;
  c->accepted_at = clock::now();
  c->deadline = c->accepted_at + options_.hello_within;
  turn_away_one();
  conversations_[handle.id()] = c;
  c->line->start();
}

/// Of too many accepted connections that are neither links nor control: the oldest, and before those that
/// wait for their run those that have said nothing yet, or for whom we have said all.
void gateway_broker::turn_away_one() {
  const auto order = [](const conversation& c) { return std::pair{c.at == step::parked, c.accepted_at}; };
  conversation_ptr first;
  std::size_t greeting = 0;
  for (const auto& [handle, c] : conversations_)
    if (c->accepted && c->at != step::control && c->at != step::link) {
      ++greeting;
      if (!first || order(*c) < order(*first))
        first = c;
    }
  if (greeting < greeting_max)
    return;
  if (first->at != step::parting)
    ++refused_;
  end(first);
}

void gateway_broker::readable(caf::io::connection_handle handle) {
  const auto found = conversations_.find(handle.id());
  if (found == conversations_.end())
    return;
  const auto c = found->second; // `handle` may be of another connection before we are done
  auto& line = *c->line;
  line.begin_reading();
  const auto read_before = line.bytes_read();
  try {
    while (!c->over && c->at != step::parting) {
      auto f = line.next_frame(chunk_);
      if (!f)
        break;
      handle_frame(c, *f);
    }
    if (!c->over && c->at == step::parting)
      line.discard_input(chunk_);
  } catch (const std::bad_alloc&) { // costs the connection, not the process
    line.fail("there is no memory for what came");
  }
  if (!c->over && (line.failed() || (line.fault() != ec::none && c->at != step::parting)))
    broken(c);
  else if (!c->over && c->at == step::link && line.bytes_read() != read_before)
    heard_on_link(*c);
  flush_all();
}

void gateway_broker::handle_frame(const conversation_ptr& c, frame& f) {
  if (const auto* m = std::get_if<peer_message>(&f))
    deliver(*m);
  else if (auto* control = std::get_if<std::shared_ptr<const control_message>>(&f)) {
    charge(*c);
    send(c->client, control_received{c->id, std::move(*control)});
  } else if (const auto* x = std::get_if<hello>(&f))
    take(c, *x);
  else if (const auto* r = std::get_if<refusal>(&f))
    refused(c, r->reason);
}

void gateway_broker::take(const conversation_ptr& c, const hello& x) {
  if (!x.same_language())
    return refuse(c, "this side runs " + language_of(our_hello(x.role)) + ", the other " + language_of(x) +
                         "; install the same version on all machines");
  if (c->at == step::awaiting_hello) {
    c->role = x.role;
    if (x.role == connection_role::link)
      return greet_link(c, x);
    if (!options_.acceptor)
      return refuse(c, "this process takes no requests; ask a node");
    if (requesters() >= requesters_max)
      return refuse(c, "this process has " + std::to_string(requesters_max) +
                           " control connections already; end some of the programs that follow it");
    append_frame(c->line->out().tail(), our_hello(connection_role::control));
    note(c);
    control_is_open(c, options_.acceptor);
    c->requests_left = requests_at_once;
  } else if (c->at == step::awaiting_reply) {
    if (x.role != c->role)
      return refuse(c, "this side wanted another kind of connection");
    if (x.role == connection_role::link)
      return take_link_reply(c, x);
    control_is_open(c, c->made.client);
    send(c->client, control_opened{c->made.key, c->id});
  }
}

/// The other side has said its last word.
void gateway_broker::refused(const conversation_ptr& c, const std::string& reason) {
  const auto why = c->where + " refuses the connection: " + reason;
  if (c->accepted && c->at == step::awaiting_hello)
    ++refused_;
  if (c->at == step::awaiting_reply)
    call_failed(c->made, why);
  else if (c->at == step::link)
    link_down(c->node, why, true);
  else if (c->at == step::control)
    send(c->client, control_closed{c->id, why});
  end(c);
}

void gateway_broker::control_is_open(const conversation_ptr& c, control_client_actor client) {
  c->at = step::control;
  c->client = std::move(client);
  c->id = connection_id{++last_id_};
  controls_[c->id] = c;
  c->line->parser().expect_control(c->accepted ? request_bytes_max : control_bytes_max);
}

/// The connection is of no more use: it was closed or broke, or what came was wrong.
void gateway_broker::broken(const conversation_ptr& c) {
  if (c->at == step::parting)
    return end(c);
  const auto& line = *c->line;
  const auto wrong = line.fault() != ec::none;
  if (c->accepted && (wrong || c->at == step::awaiting_hello || c->at == step::parked))
    ++refused_;
  if (c->at == step::awaiting_reply)
    call_failed(c->made, explain_silence(c->where, line));
  else if (c->at == step::link)
    link_down(c->node, line.failure(), true);
  else if (c->at == step::control)
    send(c->client, control_closed{c->id, line.failure()});
  if (!wrong || line.fault() == ec::not_dybw || line.failed())
    return end(c);
  append_frame(c->line->out().tail(), refusal{line.failure()});
  part(c);
}

/// Why a connection that we dialled came to nothing.
std::string gateway_broker::explain_silence(const std::string& where, const connection& line) const {
  if (!line.remedy().empty())
    return line.failure() + ", " + where + "; " + line.remedy();
  if (line.fault() == ec::speaks_tls)
    return where + " speaks TLS, this side does not; give --tls-cert, --tls-key and --tls-ca";
  if (line.fault() != ec::none)
    return where + " does not speak dybw's protocol; check the port";
  return line.failure() + " before it said hello, " + where +
         (options_.tls ? "; check that it is a dybw node"
                       : "; if it uses TLS, give --tls-cert, --tls-key and --tls-ca");
}

/// Tells the other side why, in one line, and lets it close.
void gateway_broker::refuse(const conversation_ptr& c, const std::string& reason) {
  spdlog::debug("a connection is refused: {}", reason);
  if (c->accepted)
    ++refused_;
  else
    call_failed(c->made, c->where + ": " + reason);
  append_frame(c->line->out().tail(), refusal{reason});
  part(c);
}

/// No more will be sent on this connection, or taken from it.
void gateway_broker::part(const conversation_ptr& c) {
  take_off(c);
  c->at = step::parting;
  c->client = nullptr;
  c->deadline = clock::now() + part_time;
  c->line->go_on_reading();
  c->line->finish_writing();
}

void gateway_broker::end(const conversation_ptr& c) {
  if (std::exchange(c->over, true))
    return;
  count_bytes(past_, *c);
  take_off(c);
  conversations_.erase(c->line->hdl().id());
  c->line->close();
}

/// It is nobody's link or control connection any more.
void gateway_broker::take_off(const conversation_ptr& c) {
  controls_.erase(c->id);
  const auto linked = link_conversations_.find(c->node);
  if (linked != link_conversations_.end() && linked->second == c)
    link_conversations_.erase(linked);
}

void gateway_broker::note(const conversation_ptr& c) {
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

void gateway_broker::write_out(const conversation_ptr& c) {
  if (c->over)
    return;
  c->line->flush();
  if (c->at == step::link && !takes_what_is_sent(*c)) {
    link_down(c->node, "the other side does not take what is sent", true);
    end(c);
  }
}

void gateway_broker::tick() {
  const auto now = clock::now();
  check_deadlines(now);
  keep_controls(now);
  if (links_)
    keep_links(now);
  delayed_send(this, tick_every, gateway_tick{});
}

void gateway_broker::check_deadlines(moment now) {
  std::vector<conversation_ptr> late;
  for (const auto& [handle, c] : conversations_)
    if (c->at != step::control && c->at != step::link && now >= c->deadline)
      late.push_back(c);
  for (const auto& c : late) {
    if (c->at == step::parked) {
      refuse(c, "this node takes no part in that run");
      continue;
    }
    if (c->at == step::awaiting_hello)
      ++refused_;
    else if (c->at == step::awaiting_reply)
      call_failed(c->made,
                  "no hello in time, from " + c->where + "; check that it is a dybw node and not stopped");
    end(c);
  }
  std::vector<std::uint64_t> overdue;
  for (const auto& [id, x] : calls_)
    if (now >= x.deadline + dialler_slack)
      overdue.push_back(id);
  for (const auto id : overdue)
    called(dialled{id, nullptr,
                   "the name was not found in time, of " + to_string(calls_.at(id).to) +
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
  for (const auto& [handle, c] : conversations_)
    count_bytes(sum, *c);
  sum.eval_bytes_sent = eval_bytes_;
  sum.blocks_sent = blocks_sent_;
  sum.backlog_bytes_max = backlog_max_;
  sum.connections_refused = refused_;
  return sum;
}

void gateway_broker::count_bytes(traffic& sum, const conversation& c) {
  if (c.role == connection_role::control) {
    sum.control_bytes_sent += c.line->bytes_written();
  } else {
    sum.link_bytes_sent += c.line->bytes_written();
    sum.link_bytes_received += c.line->bytes_read();
  }
}

// --- Dialling ---

void gateway_broker::make_call(call x, nanoseconds patience) {
  x.deadline = clock::now() + patience;
  x.cancelled = std::make_shared<std::atomic<bool>>(false);
  const auto id = ++last_call_;
  try {
    system().spawn<caf::detached>(dial, dial_request{id, x.to, patience, x.cancelled, dialling_actor{this}});
  } catch (const std::system_error& e) { // no thread to be had
    return call_failed(x, std::string{"cannot start dialling ("} + e.what() + "), " + to_string(x.to));
  }
  calls_.emplace(id, std::move(x));
}

void gateway_broker::called(const dialled& x) {
  const auto found = calls_.find(x.call);
  if (found == calls_.end())
    return; // cancelled, or too late
  *found->second.cancelled = true;
  auto made = std::move(found->second);
  calls_.erase(found);
  if (!x.socket)
    return call_failed(made, x.reason);
  auto channel = options_.tls ? make_tls_channel(options_.tls, false) : make_plain_channel();
  auto c = std::make_shared<conversation>();
  c->line = caf::make_counted<connection>(dynamic_cast<caf::io::network::default_multiplexer&>(backend()),
                                          x.socket->release(), std::move(channel));
  c->at = step::awaiting_reply;
  c->deadline = made.deadline;
  c->where = to_string(made.to);
  c->role = made.client ? connection_role::control : connection_role::link;
  auto greeting = our_hello(c->role);
  if (c->role == connection_role::link) {
    greeting.run = made.run;
    greeting.from = links_->run().self;
    greeting.to = made.node;
  }
  c->made = std::move(made);
  add_scribe(c->line);
  conversations_[c->line->hdl().id()] = c;
  append_frame(c->line->out().tail(), greeting);
  note(c);
  c->line->start();
}

void gateway_broker::call_failed(const call& x, const std::string& reason) {
  if (x.client)
    send(x.client, control_failed{x.key, reason});
  else if (links_ && links_->run().run == x.run)
    link_down(x.node, reason, false);
}

// --- Control connections ---

void gateway_broker::start_control(const open_control& x) {
  watch(x.client);
  call c;
  c.to = x.to;
  c.client = x.client;
  c.key = x.key;
  make_call(std::move(c), x.patience);
}

gateway_broker::conversation_ptr gateway_broker::find(connection_id id) {
  const auto found = controls_.find(id);
  return found == controls_.end() ? nullptr : found->second;
}

void gateway_broker::send_message(const send_control& x) {
  const auto c = find(x.connection);
  if (!c)
    return; // it was closed, which the client has been told
  auto& out = c->line->out();
  if (out.frames_bytes() > control_backlog_max) {
    send(c->client, control_closed{c->id, "the other side does not take what is sent"});
    end(c);
    return;
  }
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

std::size_t gateway_broker::requesters() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(controls_, [](const auto& entry) { return entry.second->accepted; }));
}

/// A request came. The mailbox that it goes to has no bound, so whoever asks too fast is not read for a
/// while.
void gateway_broker::charge(conversation& c) {
  if (!c.accepted)
    return;
  const auto bytes = c.line->bytes_read() - std::exchange(c.bytes_charged, c.line->bytes_read());
  c.requests_left -= 1 + static_cast<std::int64_t>(bytes / request_bytes);
  if (c.requests_left < 0 || c.line->out().bytes() > control_backlog_max)
    c.line->pause_reading();
}

void gateway_broker::keep_controls(moment now) {
  const auto passed = now - std::exchange(controls_kept_, now);
  const auto was_stopped = passed > std::chrono::seconds{1};
  const auto counted = std::min<nanoseconds>(passed, std::chrono::seconds{10});
  const auto more = std::max<std::int64_t>(1, counted * requests_per_s / std::chrono::seconds{1});
  std::vector<conversation_ptr> stuck;
  std::vector<conversation_ptr> resumed;
  for (const auto& [id, c] : controls_) {
    c->requests_left = std::min(c->requests_left + more, requests_at_once);
    if (is_stuck(*c, now, was_stopped))
      stuck.push_back(c);
    else if (c->line->is_paused() && c->requests_left >= 0 && c->line->out().bytes() <= control_backlog_max)
      resumed.push_back(c);
  }
  for (const auto& c : stuck) {
    send(c->client, control_closed{c->id, "the other side does not take what is sent"});
    end(c);
  }
  for (const auto& c : resumed) {
    c->line->go_on_reading();
    readable(c->line->hdl());
  }
}

/// Whether parameters wait, and nothing went for so long (unless it was we who did nothing).
bool gateway_broker::is_stuck(conversation& c, moment now, bool was_stopped) {
  const auto moved = std::exchange(c.written, c.line->bytes_written()) != c.line->bytes_written();
  if (moved || was_stopped || !c.line->out().has_blocks())
    c.progress = now;
  return now - c.progress > progress_within;
}

void gateway_broker::watch(const control_client_actor& client) {
  if (monitored_.insert(client.address()).second)
    monitor(client);
}

void gateway_broker::client_down(const caf::down_msg& down) {
  monitored_.erase(down.source);
  std::erase_if(calls_, [&](const auto& entry) {
    const auto its = entry.second.client && entry.second.client.address() == down.source;
    if (its)
      *entry.second.cancelled = true;
    return its;
  });
  std::vector<conversation_ptr> its;
  for (const auto& [handle, c] : conversations_) {
    const auto& client = c->at == step::awaiting_reply ? c->made.client : c->client;
    if (client && client.address() == down.source)
      its.push_back(c);
  }
  for (const auto& c : its)
    part(c);
  if (options_.acceptor && options_.acceptor.address() == down.source)
    options_.acceptor = nullptr;
}

} // namespace dybw
