#include "apps/web/http_server.hpp"

#include "actors/transport/listening_socket.hpp"
#include "apps/web/http_connection.hpp"
#include "apps/web/http_responder.hpp"
#include "learning/base/error.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

namespace dybw {

namespace {

using namespace std::chrono_literals;
using clock = http_connection::clock;

constexpr std::size_t connections_max = 256;
constexpr std::size_t unsent_bytes_max = std::size_t{64} << 20U; ///< in all buffers together
constexpr std::size_t accepts_max = 32;                          ///< at a time
constexpr auto event_every = 500ms;
constexpr auto look_every = 1s;      ///< for connections that take too long
constexpr auto accept_again = 200ms; ///< when the process has no descriptors left

/// Wakes poll from another thread.
class alarm {
public:
  alarm() : descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (descriptor_ < 0)
      throw std::system_error{errno, std::system_category(), "eventfd"};
  }
  ~alarm() { ::close(descriptor_); }
  alarm(const alarm&) = delete;
  alarm& operator=(const alarm&) = delete;

  int descriptor() const noexcept { return descriptor_; }
  void ring() const noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(descriptor_, &one, sizeof one);
  }

private:
  int descriptor_;
};

listening_socket listen_on(const endpoint& where, bool only_loopback) {
  try {
    return listening_socket{where, only_loopback};
  } catch (const listen_failure& failure) {
    const auto what = "cannot serve HTTP on " + to_string(where) + ": " + failure.what() +
                      (failure.exposed ? ", so it needs a token (DYBW_HTTP_TOKEN)" : "");
    if (failure.error == EADDRINUSE)
      throw input_error{input_fault::network, what, "",
                        "give another port, or stop the program that uses it"};
    throw input_error{
        input_fault::configuration, what, "",
        "give an address of this machine and a port from 1024, for example --http=127.0.0.1:7480"};
  }
}

} // namespace

/// One thread and poll: what is asked for takes milliseconds to make, so that threads would only be a limit
/// on the number of connections.
class http_server::loop {
public:
  loop(const http_options& options, view_source views)
      : socket_(listen_on(options.address, options.token.empty())), address_{options.address.host,
                                                                             socket_.port()},
        responder_(address_, options.token, std::move(views)), thread_([this] { run(); }) {}

  ~loop() {
    stopping_ = true;
    alarm_.ring();
    thread_.join();
  }
  loop(const loop&) = delete;
  loop& operator=(const loop&) = delete;

  const endpoint& address() const noexcept { return address_; }

private:
  using phase = http_connection::phase;

  void run() {
    while (!stopping_) {
      const auto polled = prepare();
      ::poll(polls_.data(), polls_.size(), static_cast<int>(time_to_wait().count()));
      now_ = clock::now();
      for (std::size_t i = 0; i < polled; ++i)
        serve(*connections_[i], polls_[own_polls + i].revents);
      if (polls_[1].revents != 0)
        accept_some();
      send_events();
      clear_away();
    }
    connections_.clear();
  }

  /// The descriptors to poll: the alarm, the listening socket, the connections. Returns the number of the
  /// latter.
  std::size_t prepare() {
    polls_.clear();
    polls_.push_back({alarm_.descriptor(), POLLIN, 0});
    polls_.push_back({now_ < accept_from_ ? -1 : socket_.descriptor(), POLLIN, 0});
    for (const auto& c : connections_)
      polls_.push_back({c->descriptor(), c->wanted_events(), 0});
    return connections_.size();
  }

  std::chrono::milliseconds time_to_wait() const {
    if (std::ranges::any_of(connections_, [](const auto& c) { return c->has_head(); }))
      return 0ms;
    auto until = now_ + look_every;
    if (streams() > 0)
      until = std::min(until, next_event_);
    if (now_ < accept_from_)
      until = std::min(until, accept_from_);
    return std::max(0ms, std::chrono::ceil<std::chrono::milliseconds>(until - clock::now()));
  }

  /// At most one request of a connection each time, for fairness.
  void serve(http_connection& c, short events) {
    if (events != 0)
      c.get_on(events, http_responder::head_bytes_max, now_);
    if (const auto head = c.next_head()) {
      const auto last = c.requests() >= http_responder::requests_max;
      auto reply = responder_.answer(*head, last, {connections_.size(), streams(), turned_away_}, now_);
      if (reply.events && streams() == 0)
        next_event_ = now_ + event_every;
      c.reply(std::move(reply.bytes), reply.close, reply.events, now_);
    }
  }

  void accept_some() {
    for (std::size_t i = 0; i < accepts_max; ++i) {
      const auto descriptor = ::accept4(socket_.descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (descriptor < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
          accept_from_ = now_ + accept_again; // it would be ready, and refused, all the time
        return;
      }
      if (connections_.size() >= connections_max)
        turn_away([](const http_connection& c) { return c.now() != phase::streaming; });
      connections_.push_back(std::make_unique<http_connection>(descriptor, now_));
    }
  }

  /// Closes the connection that has been getting on least, of those that `may`.
  template <class May>
  void turn_away(May may) {
    auto worst = connections_.end();
    for (auto c = connections_.begin(); c != connections_.end(); ++c)
      if (may(**c) && (worst == connections_.end() || (*c)->since() < (*worst)->since()))
        worst = c;
    if (worst == connections_.end())
      return;
    connections_.erase(worst);
    ++turned_away_;
  }

  std::size_t unsent() const {
    std::size_t bytes = 0;
    for (const auto& c : connections_)
      bytes += c->unsent();
    return bytes;
  }

  void send_events() {
    if (now_ < next_event_ || streams() == 0)
      return;
    next_event_ = now_ + event_every;
    const auto newest = responder_.event(now_);
    for (const auto& c : connections_)
      c->send_event(*newest, now_);
  }

  void clear_away() {
    while (unsent() > unsent_bytes_max)
      turn_away([](const http_connection& c) { return c.unsent() > 0; });
    std::erase_if(connections_, [this](const auto& c) {
      const auto late = c->is_late(now_);
      turned_away_ += late ? 1 : 0;
      return late || c->now() == phase::over;
    });
  }

  std::size_t streams() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(connections_, [](const auto& c) { return c->now() == phase::streaming; }));
  }

  static constexpr std::size_t own_polls = 2;

  listening_socket socket_;
  endpoint address_; ///< with the port that is listened on
  http_responder responder_;
  alarm alarm_;
  std::vector<std::unique_ptr<http_connection>> connections_;
  std::vector<pollfd> polls_;
  std::uint64_t turned_away_ = 0;
  clock::time_point now_ = clock::now();
  clock::time_point next_event_{};
  clock::time_point accept_from_{};
  std::atomic<bool> stopping_ = false;
  std::thread thread_; ///< last: uses all of the above
};

http_server::http_server(const http_options& options, view_source views)
    : loop_(std::make_unique<loop>(options, std::move(views))) {}

http_server::~http_server() = default;

endpoint http_server::address() const {
  return loop_->address();
}

} // namespace dybw
