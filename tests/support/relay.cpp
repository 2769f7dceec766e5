#include "tests/support/relay.hpp"

#include "tests/support/loopback.hpp"

#include <algorithm>
#include <deque>
#include <list>

namespace dybw::test {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t buffered_max = 128 * 1024; // like a router's
constexpr std::size_t piece_max = 16 * 1024;

/// One direction of a connection.
struct lane {
  int from;
  int to;
  struct piece {
    std::vector<char> bytes;
    clock::time_point due;
  };
  std::deque<piece> pieces;
  std::size_t buffered = 0;
  bool ended = false; ///< nothing more comes
  bool broken = false;
  double allowance = 0; ///< bytes that may go now
  clock::time_point allowed_at = clock::now();

  bool wants_input() const { return !ended && buffered < buffered_max; }

  void read(std::chrono::milliseconds delay) {
    std::vector<char> bytes(piece_max);
    const auto n = ::recv(from, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (n <= 0) {
      ended = true;
      return;
    }
    bytes.resize(static_cast<std::size_t>(n));
    buffered += bytes.size();
    pieces.push_back({std::move(bytes), clock::now() + delay});
  }

  std::size_t write(std::uint64_t bytes_per_s) {
    const auto now = clock::now();
    allowance += std::chrono::duration<double>(now - allowed_at).count() * static_cast<double>(bytes_per_s);
    allowance = std::min(allowance, 16384.0);
    allowed_at = now;
    std::size_t written = 0;
    while (!pieces.empty() && pieces.front().due <= now) {
      auto& bytes = pieces.front().bytes;
      const auto may =
          bytes_per_s == 0 ? bytes.size() : std::min(bytes.size(), static_cast<std::size_t>(allowance));
      if (may == 0)
        break;
      const auto n = ::send(to, bytes.data(), may, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0) {
        broken = errno != EAGAIN && errno != EWOULDBLOCK;
        break;
      }
      allowance -= static_cast<double>(n);
      written += static_cast<std::size_t>(n);
      buffered -= static_cast<std::size_t>(n);
      bytes.erase(bytes.begin(), bytes.begin() + n);
      if (bytes.empty())
        pieces.pop_front();
    }
    return written;
  }

  bool over() const { return broken || (ended && pieces.empty()); }
};

struct pair {
  owned_socket left;
  owned_socket right;
  lane there{left.get(), right.get(), {}};
  lane back{right.get(), left.get(), {}};
};

} // namespace

relay::relay(endpoint target) : target_(std::move(target)) {
  std::uint16_t port = 0;
  auto listener = listen_on_loopback(port);
  where_ = {"127.0.0.1", port};
  listener_ = ::dup(listener.get());
  thread_ = std::thread{[this] { run(); }};
}

relay::~relay() {
  over_ = true;
  thread_.join();
}

void relay::run() {
  owned_socket listener{listener_};
  std::list<pair> pairs;
  std::uint64_t cuts_done = 0;
  while (!over_) {
    if (const auto cuts = cuts_.load(); cuts != cuts_done) {
      cuts_done = cuts;
      pairs.clear();
    }
    std::vector<pollfd> waiting{{listener.get(), POLLIN, 0}};
    if (!held_)
      for (auto& p : pairs)
        for (auto* l : {&p.there, &p.back})
          if (l->wants_input())
            waiting.push_back({l->from, POLLIN, 0});
    const auto busy = std::ranges::any_of(
        pairs, [](const pair& p) { return !p.there.pieces.empty() || !p.back.pieces.empty(); });
    ::poll(waiting.data(), waiting.size(), busy ? 1 : 10);
    if ((waiting[0].revents & POLLIN) != 0)
      if (owned_socket left{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)}; left.get() >= 0)
        if (auto right = connect_to_loopback(target_.port); right.get() >= 0)
          pairs.push_back(pair{std::move(left), std::move(right)});
    if (!held_) {
      const auto is_ready = [&](int socket) {
        return std::ranges::any_of(waiting,
                                   [&](const pollfd& w) { return w.fd == socket && w.revents != 0; });
      };
      for (auto& p : pairs)
        for (auto* l : {&p.there, &p.back}) {
          if (l->wants_input() && is_ready(l->from))
            l->read(std::chrono::milliseconds{delay_ms_});
          bytes_passed_ += l->write(bytes_per_s_);
        }
      std::erase_if(pairs, [](const pair& p) { return p.there.over() || p.back.over(); });
    }
    connections_ = pairs.size();
  }
}

} // namespace dybw::test
