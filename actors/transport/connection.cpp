#include "actors/transport/connection.hpp"

#include <caf/io/abstract_broker.hpp>
#include <caf/io/network/native_socket.hpp>
#include <spdlog/spdlog.h>

#include <array>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace dybw {

namespace net = caf::io::network;

namespace {

/// A dead machine is noticed after about a minute, even where nothing is sent.
void keep_alive(int socket) {
  const auto set = [&](int level, int option, int value) {
    ::setsockopt(socket, level, option, &value, sizeof(value)); // without it the connection works, too
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
}

} // namespace

// --- The event handler ---

connection::handler::handler(connection& owner, net::default_multiplexer& backend, int socket)
    : event_handler(backend, socket), owner_(owner) {}

caf::intrusive_ptr<connection>& connection::handler::held_for(net::operation op) {
  return op == net::operation::read ? held_for_reading_ : held_for_writing_;
}

void connection::handler::want(net::operation op) {
  held_for(op) = &owner_;
  backend().add(op, fd(), this);
}

void connection::handler::want_no_more(net::operation op) {
  backend().del(op, fd(), this);
  const auto registered = op == net::operation::read ? net::input_mask : net::output_mask;
  // Otherwise `removed_from_loop` will be called. (Of what was wanted and not, in one turn, the loop never
  // hears.)
  if ((eventbf() & registered) == 0)
    held_for(op).reset();
}

void connection::handler::removed_from_loop(net::operation op) {
  held_for(op).reset(); // may be the end of us
}

void connection::handler::handle_event(net::operation op) {
  const caf::intrusive_ptr<connection> guard{&owner_};
  try { // nothing may escape into the multiplexer's thread
    if (op == net::operation::write)
      owner_.writable();
    else
      owner_.readable();
  } catch (const std::exception& e) {
    spdlog::error("a connection is given up: {}", e.what());
    owner_.fail(e.what());
  }
}

// --- The connection ---

connection::connection(net::default_multiplexer& backend, int socket, std::unique_ptr<channel> channel)
    : scribe(net::conn_hdl_from_socket(socket)), handler_(*this, backend, socket),
      channel_(std::move(channel)) {
  keep_alive(socket);
}

connection::~connection() = default;

void connection::start() {
  if (!closed_)
    handler_.want(net::operation::read);
}

std::optional<frame> connection::next_frame(std::span<char> chunk) {
  for (std::optional<frame> next; !failed_ && !closed_ && fault_ == ec::none;) {
    fault_ = parser_.parse(unparsed_, next);
    if (next)
      return next;
    if (fault_ == ec::none && !read_some(chunk))
      break;
  }
  return std::nullopt;
}

void connection::pause_reading() {
  if (!paused_ && !closed_ && !failed_) {
    paused_ = true;
    handler_.want_no_more(net::operation::read);
  }
}

void connection::go_on_reading() {
  if (std::exchange(paused_, false))
    start();
}

void connection::discard_input(std::span<char> chunk) {
  discarding_ = true;
  while (!failed_ && !closed_) {
    unparsed_ = {};
    if (!read_some(chunk))
      return;
  }
}

/// Reads once; returns whether anything came.
bool connection::read_some(std::span<char> chunk) {
  if (paused_)
    return false;
  if (budget_ == 0 && !channel_->has_pending())
    return false;
  // What is left of a block goes straight to its place, what comes after it to the chunk.
  const auto block = discarding_ ? std::span<char>{} : parser_.block_space();
  const std::array<std::span<char>, 2> places{block, chunk};
  const auto wanted = std::span<const std::span<char>>{places}.subspan(block.empty() ? 1 : 0);
  const auto [bytes, failed, drained] = channel_->read(handler_.fd(), wanted);
  if (failed) {
    fail(channel_->failure());
    return false;
  }
  bytes_read_ += bytes;
  budget_ -= std::min(budget_, bytes);
  const auto of_block = std::min(bytes, block.size());
  parser_.block_arrived(of_block);
  unparsed_ = std::span<const char>{chunk}.first(bytes - of_block);
  if (drained)
    budget_ = 0;
  return bytes > 0;
}

void connection::readable() {
  if (detached() || closed_)
    return;
  invoke_mailbox_element(&handler_.backend());
  if (closed_)
    return;
  if (failed_)
    handler_.want_no_more(net::operation::read);
  else if (!out_.empty())
    flush(); // a handshake may be over
}

void connection::writable() {
  if (closed_ || failed_)
    return;
  write_some();
}

void connection::flush() {
  if (deaf_)
    out_ = outbox{};
  if (!writing_ && !closed_ && !failed_)
    write_some();
}

void connection::write_some() {
  std::size_t written = 0;
  while (!out_.empty() && written < event_bytes_max) {
    std::array<std::span<const char>, 16> pieces;
    const auto count = out_.next(pieces);
    const auto result =
        channel_->write(handler_.fd(), std::span<const std::span<const char>>{pieces}.first(count));
    if (result.failed)
      return give_up_writing();
    if (result.bytes == 0)
      break;
    out_.written(result.bytes);
    bytes_written_ += result.bytes;
    written += result.bytes;
  }
  const auto wait = !out_.empty() && !channel_->must_read_first();
  if (wait != writing_) {
    writing_ = wait;
    if (wait)
      handler_.want(net::operation::write);
    else
      handler_.want_no_more(net::operation::write);
  }
  if (out_.empty() && finishing_)
    ::shutdown(handler_.fd(), SHUT_WR);
}

/// The other side may have said why before it closed: what came is still read, and tells the end.
void connection::give_up_writing() {
  deaf_ = true;
  out_ = outbox{};
  if (std::exchange(writing_, false))
    handler_.want_no_more(net::operation::write);
  ::shutdown(handler_.fd(), SHUT_WR);
}

void connection::finish_writing() {
  finishing_ = true;
  flush();
}

// The next event comes at once: a socket that was shut down is readable.
void connection::fail(std::string why) {
  if (failed_)
    return;
  failed_ = true;
  failure_ = std::move(why);
  go_on_reading();
  ::shutdown(handler_.fd(), SHUT_RDWR);
}

std::string connection::failure() const {
  return fault_ == ec::none ? failure_ : to_string(fault_);
}

void connection::close() {
  if (closed_)
    return;
  const caf::intrusive_ptr<connection> guard{this};
  closed_ = true;
  unparsed_ = {};
  detach(&handler_.backend(), false); // removes from the loop, too
}

void connection::remove_from_loop() {
  handler_.want_no_more(net::operation::read);
  handler_.want_no_more(net::operation::write);
}

std::string connection::addr() const {
  auto x = net::remote_addr_of_fd(handler_.fd());
  return x ? *x : std::string{};
}

std::uint16_t connection::port() const {
  auto x = net::remote_port_of_fd(handler_.fd());
  return x ? *x : std::uint16_t{0};
}

} // namespace dybw
