#include "apps/web/http_connection.hpp"

#include "apps/web/http_responder.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace dybw {

namespace {

using namespace std::chrono_literals;

constexpr auto first_request_within = 10s;
constexpr auto head_within = 10s;
constexpr auto idle_at_most = std::chrono::seconds{http_responder::idle_s_max};
constexpr auto stuck_at_most = 10s; ///< a reply of which nothing at all gets through
constexpr auto reply_within = 60s;
constexpr auto drain_within = 2s;
constexpr int kernel_buffer_bytes = 256 * 1024;
constexpr int reads_max = 4; ///< at a time, so that one that sends a lot does not hold up the others

constexpr std::string_view head_too_long = "HTTP/1.1 431 Request Header Fields Too Large\r\n"
                                           "Connection: close\r\nContent-Length: 0\r\n\r\n";

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

} // namespace

http_connection::http_connection(int descriptor, clock::time_point now)
    : descriptor_(descriptor), entered_(now), since_(now) {
  const int yes = 1;
  setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  // What a slow reader leaves in the kernel's buffer is memory of this machine, too.
  setsockopt(descriptor_, SOL_SOCKET, SO_SNDBUF, &kernel_buffer_bytes, sizeof kernel_buffer_bytes);
}

http_connection::~http_connection() {
  ::close(descriptor_);
}

short http_connection::wanted_events() const noexcept {
  short wanted = 0;
  if (phase_ != phase::replying && !ended_)
    wanted = POLLIN;
  if (unsent() > 0)
    wanted |= POLLOUT; // NOLINT: short by the interface of poll
  return wanted;
}

bool http_connection::is_late(clock::time_point now) const {
  switch (phase_) {
  case phase::reading:
    if (!in_.empty())
      return now - entered_ > head_within + (requests_ == 0 ? 0s : idle_at_most);
    return now - entered_ > (requests_ == 0 ? first_request_within : idle_at_most);
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

void http_connection::get_on(short events, std::size_t head_bytes_max, clock::time_point now) {
  if ((events & (POLLERR | POLLNVAL)) != 0) {
    phase_ = phase::over;
    return;
  }
  if ((events & POLLOUT) != 0)
    flush(now);
  if ((events & (POLLIN | POLLHUP)) != 0 && phase_ != phase::replying)
    receive(head_bytes_max, now);
  else if ((events & POLLHUP) != 0)
    phase_ = phase::over; // nobody is there to reply to
}

std::optional<std::string> http_connection::next_head() {
  if (phase_ != phase::reading)
    return std::nullopt;
  const auto end = in_.find(head_end);
  if (end == std::string::npos)
    return std::nullopt;
  auto head = in_.substr(0, end + head_end.size());
  in_.erase(0, head.size());
  ++requests_;
  return head;
}

void http_connection::reply(std::string bytes, bool close, bool events, clock::time_point now) {
  out_ = std::move(bytes);
  sent_ = 0;
  close_ = close;
  enter(events ? phase::streaming : phase::replying, now);
  flush(now);
}

void http_connection::send_event(std::string_view text, clock::time_point now) {
  if (phase_ != phase::streaming || unsent() > 0)
    return;
  out_ = text;
  sent_ = 0;
  since_ = now;
  flush(now);
}

void http_connection::receive(std::size_t head_bytes_max, clock::time_point now) {
  std::array<char, 4096> block; // NOLINT: filled by recv
  for (int i = 0; i < reads_max && phase_ != phase::over; ++i) {
    const auto n = ::recv(descriptor_, block.data(), block.size(), 0);
    if (n < 0) {
      if (!would_block())
        phase_ = phase::over;
      return;
    }
    if (n == 0) {
      ended_ = true;
      if (phase_ != phase::reading || !has_head())
        phase_ = phase::over;
      return;
    }
    if (phase_ != phase::reading)
      continue; // who only listens has nothing to say
    since_ = now;
    in_.append(block.data(), static_cast<std::size_t>(n));
    if (in_.size() > head_bytes_max && in_.find(head_end) >= head_bytes_max) {
      in_.clear();
      reply(std::string{head_too_long}, true, false, now);
      return;
    }
    if (has_head())
      return; // the rest waits in the kernel
  }
}

void http_connection::flush(clock::time_point now) {
  while (unsent() > 0) {
    const auto n = ::send(descriptor_, out_.data() + sent_, unsent(), MSG_NOSIGNAL);
    if (n < 0) {
      if (!would_block())
        phase_ = phase::over;
      return;
    }
    since_ = now;
    sent_ += static_cast<std::size_t>(n);
  }
  out_ = {}; // gives the memory back
  sent_ = 0;
  if (phase_ != phase::replying)
    return;
  if (!close_ && !ended_)
    return enter(phase::reading, now);
  ::shutdown(descriptor_, SHUT_WR);
  in_ = {};
  enter(ended_ ? phase::over : phase::draining, now);
}

void http_connection::enter(phase next, clock::time_point now) {
  phase_ = next;
  entered_ = since_ = now;
}

} // namespace dybw
