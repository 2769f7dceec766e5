#include "apps/web/http_connection.hpp"

#include "actors/transport/address.hpp"

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <fcntl.h>

#include <algorithm>
#include <array>

namespace dybw {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

constexpr auto head_within = 10s;
constexpr auto idle_at_most = std::chrono::seconds{http_responder::idle_s_max};
constexpr auto stuck_at_most = 10s; ///< a reply of which nothing at all gets through
constexpr auto reply_within = 60s;
constexpr auto drain_within = 2s;
constexpr int kernel_buffer_bytes = 256 * 1024;
constexpr std::size_t step_bytes_max = 64 * 1024; ///< at a time, so that one does not hold up the others

constexpr std::string_view head_end = "\r\n\r\n";

std::string source_of(const tcp::socket& socket) {
  error_code error;
  const auto end = socket.remote_endpoint(error);
  return error ? std::string{} : dybw::source_of(end.address().to_string());
}

} // namespace

http_connection::http_connection(tcp::socket socket, const answerer& answer)
    : socket_(std::move(socket)), answer_(answer), from_(source_of(socket_)) {
  ::fcntl(socket_.native_handle(), F_SETFD, FD_CLOEXEC);
  error_code ignored;
  socket_.set_option(tcp::no_delay{true}, ignored);
  // What a slow reader leaves in the kernel's buffer is memory of this machine, too.
  socket_.set_option(asio::socket_base::send_buffer_size{kernel_buffer_bytes}, ignored);
  enter(phase::reading);
}

bool http_connection::is_late(clock::time_point now) const {
  switch (phase_) {
  case phase::reading:
    return now - entered_ >
           (requests_ == 0 ? head_within : idle_at_most + (since_ > entered_ ? head_within : 0s));
  case phase::replying:
    return now - since_ > stuck_at_most || now - entered_ > reply_within;
  case phase::streaming:
    return unsent() > 0 && now - since_ > stuck_at_most;
  case phase::draining:
    return now - entered_ > drain_within;
  case phase::over:
    break;
  }
  return false;
}

/// A handler that keeps the connection alive and goes on with `work`.
template <class Work>
auto http_connection::then(Work work) {
  return [self = shared_from_this(), work](const error_code& error, std::size_t) {
    if (error || self->phase_ == phase::over)
      return self->end();
    try {
      work();
    } catch (const std::exception&) { // no memory, say: the visitor sees that, and nobody else
      self->end();
    }
  };
}

void http_connection::read_request() {
  enter(phase::reading);
  asio::async_read(
      socket_, asio::dynamic_buffer(in_, http_responder::head_bytes_max),
      [this](const error_code& error, std::size_t read) -> std::size_t { // asked at first, too
        if (read > 0)
          since_ = clock::now();
        return error || in_.find(head_end) != std::string::npos ? 0 : 4096;
      },
      then([this] { reply(); }));
}

void http_connection::send_event(const shared_text& newest) {
  if (phase_ == phase::streaming && unsent() == 0)
    send({"", *newest, newest, false, true});
}

void http_connection::end() {
  phase_ = phase::over;
  error_code ignored;
  socket_.close(ignored);
}

void http_connection::reply() {
  ++requests_;
  const auto end = in_.find(head_end);
  const auto head = in_.substr(0, end == std::string::npos ? end : end + head_end.size()); // all, if too long
  in_.erase(0, head.size());
  auto reply = answer_(head, from_, requests_ >= http_responder::requests_max);
  enter(reply.events ? phase::streaming : phase::replying);
  if (reply.events)
    discard(); // who only listens has nothing to say; but one sees it go
  send(std::move(reply));
}

void http_connection::send(http_reply reply) {
  out_ = std::move(reply);
  asio::async_write(
      socket_,
      std::array{asio::const_buffer{out_.head.data(), out_.head.size()},
                 asio::const_buffer{out_.body.data(), out_.body.size()}},
      [this](const error_code& error, std::size_t) { // asked at first, and whenever some of it is sent
        since_ = clock::now();
        return error ? 0 : step_bytes_max;
      },
      then([this] { go_on(); }));
}

void http_connection::go_on() {
  since_ = clock::now();
  const auto sent = std::exchange(out_, {});
  if (phase_ != phase::replying)
    return;
  if (!sent.close)
    return read_request();
  enter(phase::draining);
  socket_.shutdown(tcp::socket::shutdown_send);
  discard();
}

void http_connection::discard() {
  in_.resize(4096);
  socket_.async_read_some(asio::buffer(in_), then([this] { discard(); }));
}

void http_connection::enter(phase next) {
  phase_ = next;
  entered_ = since_ = clock::now();
}

} // namespace dybw
