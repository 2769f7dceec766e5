#include "apps/web/http_server.hpp"

#include "actors/transport/listening_socket.hpp"
#include "apps/web/http_connection.hpp"
#include "learning/base/error.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <vector>

namespace dybw {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using clock = http_connection::clock;

constexpr std::size_t connections_max = 256;
constexpr std::size_t unsent_bytes_max = std::size_t{64} << 20U; ///< in all replies together
constexpr auto look_every = std::chrono::milliseconds{500};

listening_socket listen_on(const endpoint& where, bool only_loopback) {
  try {
    return listening_socket{where, only_loopback};
  } catch (const listen_failure& failure) {
    const auto what =
        "cannot serve HTTP on " + to_string(where) + ": " + failure.what() +
        (failure.exposed ? ", so it needs a token of at least 16 characters (DYBW_HTTP_TOKEN)" : "");
    if (failure.error == EADDRINUSE)
      throw input_error{input_fault::network, what, "",
                        "give another port, or stop the program that uses it"};
    throw input_error{
        input_fault::configuration, what, "",
        "give an address of this machine and a port from 1024, for example --http=127.0.0.1:7480"};
  }
}

bool is_streaming(const http_connection& c) {
  return c.now() == http_connection::phase::streaming;
}

} // namespace

/// One thread: what is asked for takes milliseconds to make, so that threads would only be a limit on the
/// number of connections.
class http_server::loop {
public:
  loop(const http_options& options, view_source views)
      // The family matters only to sockets that are opened by it.
      : acceptor_(context_, tcp::v4(),
                  listen_on(options.address, options.token.size() < remote_token_bytes_min).release()),
        address_{options.address.host, acceptor_.local_endpoint().port()},
        responder_(address_, options.token, std::move(views), options.certificates),
        thread_([this] { run(); }) {}

  ~loop() {
    context_.stop();
    thread_.join();
  }
  loop(const loop&) = delete;
  loop& operator=(const loop&) = delete;

  const endpoint& address() const noexcept { return address_; }

private:
  void run() {
    auto next_look = clock::now();
    while (!context_.stopped()) {
      try {
        context_.run_until(next_look);
        next_look = clock::now() + look_every;
        look();
      } catch (const std::exception&) { // no memory, say: the next look puts right what stands still
      }
    }
  }

  /// At the clock's pace: who takes too long is closed, and streams get on.
  void look() {
    if (!accepting_)
      accept();
    const auto now = clock::now();
    for (const auto& c : connections_)
      if (c->is_late(now)) {
        c->end();
        ++turned_away_;
      }
    clear_away();
    if (streams() == 0)
      return;
    const auto newest = responder_.event(now);
    for (const auto& c : connections_)
      c->send_event(newest);
  }

  void accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
      accepting_ = false;
      if (error)
        return; // no descriptors left, say: it would be ready, and refused, all the time
      clear_away();
      if (connections_.size() >= connections_max)
        turn_away([](const http_connection& c) { return !is_streaming(c); });
      connections_.push_back(std::make_shared<http_connection>(std::move(socket), answer_));
      connections_.back()->read_request();
      accept();
    });
    accepting_ = true;
  }

  http_reply answer(std::string_view head, const std::string& from, bool last) {
    clear_away();
    auto reply =
        responder_.answer(head, from, last, {connections_.size(), streams(), turned_away_}, clock::now());
    const auto bytes = reply.head.size() + reply.body.size();
    while (unsent() > 0 && unsent() + bytes > unsent_bytes_max)
      turn_away([](const http_connection& c) { return c.unsent() > 0; });
    return reply;
  }

  /// Closes the connection that has been getting on least, of those that `may`.
  void turn_away(bool (*may)(const http_connection&)) {
    const auto worst = std::ranges::min_element(
        connections_, {}, [may](const auto& c) { return may(*c) ? c->since() : clock::time_point::max(); });
    if (worst == connections_.end() || !may(**worst))
      return;
    (*worst)->end();
    connections_.erase(worst);
    ++turned_away_;
  }

  void clear_away() {
    std::erase_if(connections_, [](const auto& c) { return c->now() == http_connection::phase::over; });
  }

  std::size_t unsent() const {
    std::size_t bytes = 0;
    for (const auto& c : connections_)
      bytes += c->unsent();
    return bytes;
  }

  std::size_t streams() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(connections_, [](const auto& c) { return is_streaming(*c); }));
  }

  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  tcp::acceptor acceptor_;
  bool accepting_ = false;
  endpoint address_; ///< with the port that is listened on
  http_responder responder_;
  const http_connection::answerer answer_ = [this](auto head, const auto& from, auto last) {
    return answer(head, from, last);
  };
  std::vector<std::shared_ptr<http_connection>> connections_;
  std::uint64_t turned_away_ = 0;
  std::thread thread_; ///< last: uses all of the above
};

http_server::http_server(const http_options& options, view_source views)
    : loop_(std::make_unique<loop>(options, std::move(views))) {}

http_server::~http_server() = default;

endpoint http_server::address() const {
  return loop_->address();
}

} // namespace dybw
