#include "tests/cluster/slow_relay.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <list>
#include <stdexcept>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dybw::test {

namespace {

using clock = std::chrono::steady_clock;

int listen_on_loopback(std::uint16_t& port) {
  const auto descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(descriptor, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      listen(descriptor, 16) != 0 ||
      getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("slow_relay: cannot listen");
  port = ntohs(address.sin_port);
  return descriptor;
}

int dial_loopback(std::uint16_t port) {
  const auto descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    close(descriptor);
    return -1;
  }
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return descriptor;
}

/// One direction of a connection.
struct pipeline {
  struct piece {
    clock::time_point due;
    std::vector<char> bytes;
  };
  int from = -1;
  int to = -1;
  std::deque<piece> queue;
  std::size_t queued = 0;
  clock::time_point line_free; ///< when the bytes before have left
  bool ended = false;
};

struct connection {
  pipeline there;
  pipeline back;
};

} // namespace

class slow_relay::loop {
public:
  loop(std::uint16_t target, std::chrono::milliseconds delay, double bytes_per_s)
      : target_(target), delay_(delay), bytes_per_s_(bytes_per_s) {
    listener_ = listen_on_loopback(port);
    thread_ = std::thread{[this] { run(); }};
  }

  ~loop() {
    stop_ = true;
    thread_.join();
    for (auto& c : connections_) {
      close(c.there.from);
      close(c.there.to);
    }
    close(listener_);
  }

  std::uint16_t port = 0;
  std::atomic<std::uint64_t> bytes{0};

private:
  void run() {
    while (!stop_) {
      std::vector<pollfd> watched{{listener_, POLLIN, 0}};
      for (auto& c : connections_)
        for (auto* p : {&c.there, &c.back})
          if (!p->ended && p->queued < static_cast<std::size_t>(bytes_per_s_))
            watched.push_back({p->from, POLLIN, 0});
      poll(watched.data(), watched.size(), 2);
      if (watched[0].revents != 0)
        accept_one();
      for (auto& w : watched)
        if (w.fd != listener_ && w.revents != 0)
          take(w.fd);
      hand_on();
    }
  }

  void accept_one() {
    const auto client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0)
      return;
    const auto server = dial_loopback(target_);
    if (server < 0) {
      close(client);
      return;
    }
    const auto now = clock::now();
    connections_.push_back(
        connection{{client, server, {}, 0, now, false}, {server, client, {}, 0, now, false}});
  }

  void take(int descriptor) {
    for (auto& c : connections_)
      for (auto* p : {&c.there, &c.back}) {
        if (p->from != descriptor || p->ended)
          continue;
        std::array<char, 16384> buffer{};
        const auto size = recv(descriptor, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (size <= 0) {
          p->ended = true;
          continue;
        }
        const auto count = static_cast<std::size_t>(size);
        const auto now = clock::now();
        p->line_free = std::max(p->line_free, now) +
                       std::chrono::duration_cast<clock::duration>(
                           std::chrono::duration<double>(static_cast<double>(count) / bytes_per_s_));
        p->queue.push_back({p->line_free + delay_, {buffer.begin(), buffer.begin() + size}});
        p->queued += count;
      }
  }

  void hand_on() {
    const auto now = clock::now();
    for (auto i = connections_.begin(); i != connections_.end();) {
      auto over = false;
      for (auto* p : {&i->there, &i->back}) {
        while (!p->queue.empty() && p->queue.front().due <= now) {
          const auto& piece = p->queue.front().bytes;
          bytes += piece.size();
          p->queued -= piece.size();
          over = over || send(p->to, piece.data(), piece.size(), MSG_NOSIGNAL) < 0;
          p->queue.pop_front();
        }
        over = over || (p->ended && p->queue.empty());
      }
      if (over) {
        close(i->there.from);
        close(i->there.to);
        i = connections_.erase(i);
      } else {
        ++i;
      }
    }
  }

  std::uint16_t target_;
  std::chrono::milliseconds delay_;
  double bytes_per_s_;
  int listener_ = -1;
  std::list<connection> connections_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

slow_relay::slow_relay(std::uint16_t target_port, std::chrono::milliseconds delay, double bytes_per_s)
    : loop_(std::make_unique<loop>(target_port, delay, bytes_per_s)) {}

slow_relay::~slow_relay() = default;

std::uint16_t slow_relay::port() const noexcept {
  return loop_->port;
}

std::uint64_t slow_relay::bytes() const noexcept {
  return loop_->bytes;
}

} // namespace dybw::test
