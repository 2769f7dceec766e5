#include "bench/exchange/raw_tcp.hpp"

#include "bench/support.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <system_error>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dybw::bench {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t piece_bytes = 256 * 1024;
constexpr auto patience = std::chrono::seconds{30};

[[noreturn]] void fail(const char* what) {
  throw std::system_error{errno, std::generic_category(), what};
}

double seconds_since(clock::time_point begin) {
  return std::chrono::duration<double>(clock::now() - begin).count();
}

/// Closes what it holds.
class descriptor {
public:
  explicit descriptor(int number) : number_(number) {
    if (number < 0)
      fail("socket");
  }
  ~descriptor() {
    if (number_ >= 0)
      close(number_);
  }
  descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  descriptor& operator=(descriptor&&) = delete;
  int number() const noexcept { return number_; }

private:
  int number_;
};

/// Two ends of one TCP connection on loopback.
std::pair<descriptor, descriptor> connect_on_loopback() {
  descriptor door{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  if (bind(door.number(), name, size) != 0 || listen(door.number(), 1) != 0 ||
      getsockname(door.number(), name, &size) != 0)
    fail("listen");
  descriptor caller{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (connect(caller.number(), name, size) != 0)
    fail("connect");
  descriptor called{accept4(door.number(), nullptr, nullptr, SOCK_CLOEXEC)};
  for (const auto* each : {&caller, &called}) {
    const int on = 1;
    setsockopt(each->number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  return {std::move(caller), std::move(called)};
}

/// A forked process that does `work` and is waited for, or killed by its own id.
class helper {
public:
  explicit helper(const std::function<void()>& work) : process_(fork()) {
    if (process_ < 0)
      fail("fork");
    if (process_ == 0) {
      alarm(static_cast<unsigned>(patience.count())); // ends it whatever it hangs in
      try {
        work();
        _exit(0);
      } catch (...) {
        _exit(1);
      }
    }
  }
  ~helper() {
    if (process_ > 0) {
      kill(process_, SIGKILL);
      waitpid(process_, nullptr, 0);
    }
  }
  helper(helper&& other) noexcept : process_(std::exchange(other.process_, -1)) {}
  helper& operator=(helper&&) = delete;

  void join() {
    int status = 0;
    waitpid(std::exchange(process_, -1), &status, 0);
    if (status != 0)
      throw std::runtime_error("a helper of the raw TCP measurement did not do its part in time");
  }

private:
  pid_t process_;
};

void write_all(int to, const char* data, std::size_t size) {
  while (size > 0) {
    const auto done = send(to, data, size, MSG_NOSIGNAL);
    if (done <= 0)
      fail("send");
    data += done;
    size -= static_cast<std::size_t>(done);
  }
}

void read_all(int from, char* data, std::size_t size) {
  while (size > 0) {
    const auto done = recv(from, data, size, 0);
    if (done <= 0)
      fail("recv");
    data += done;
    size -= static_cast<std::size_t>(done);
  }
}

double one_way_bytes_per_s() {
  constexpr std::size_t pieces = 4096;
  auto [here, there] = connect_on_loopback();
  helper writer{[&to = there] {
    const std::vector<char> piece(piece_bytes, 'x');
    for (std::size_t i = 0; i < pieces; ++i)
      write_all(to.number(), piece.data(), piece.size());
  }};
  std::vector<char> piece(piece_bytes);
  read_all(here.number(), piece.data(), piece.size()); // the connection has got going
  const auto begin = clock::now();
  for (std::size_t i = 1; i < pieces; ++i)
    read_all(here.number(), piece.data(), piece.size());
  const auto took = seconds_since(begin);
  writer.join();
  return static_cast<double>((pieces - 1) * piece_bytes) / took;
}

double round_trip_s() {
  constexpr std::size_t trips = 4000;
  auto [here, there] = connect_on_loopback();
  char letter[64] = {};
  helper echo{[&to = there, &letter] {
    for (std::size_t i = 0; i < trips; ++i) {
      read_all(to.number(), letter, sizeof(letter));
      write_all(to.number(), letter, sizeof(letter));
    }
  }};
  std::vector<double> times;
  for (std::size_t i = 0; i < trips; ++i) {
    const auto begin = clock::now();
    write_all(here.number(), letter, sizeof(letter));
    read_all(here.number(), letter, sizeof(letter));
    times.push_back(seconds_since(begin));
  }
  echo.join();
  return median(times);
}

/// One neighbour of a bare exchange, and how far this round's vectors are.
struct raw_link {
  int socket = -1;
  std::vector<char> inbox;
  std::size_t sent = 0;
  std::size_t received = 0;
};

/// Sends and receives what the sockets take and give, until every vector of the round is through.
void exchange_once(std::vector<raw_link>& links, const std::vector<char>& vector) {
  std::vector<pollfd> watched(links.size());
  for (auto& l : links)
    l.sent = l.received = 0;
  for (;;) {
    auto open = false;
    for (std::size_t i = 0; i < links.size(); ++i) {
      auto& l = links[i];
      watched[i] = {l.socket, 0, 0};
      if (l.sent < vector.size())
        watched[i].events |= POLLOUT;
      if (l.received < vector.size())
        watched[i].events |= POLLIN;
      if (watched[i].events == 0)
        watched[i].fd = -1;
      open = open || watched[i].events != 0;
    }
    if (!open)
      return;
    if (poll(watched.data(), watched.size(), -1) < 0)
      fail("poll");
    for (std::size_t i = 0; i < links.size(); ++i) {
      auto& l = links[i];
      if ((watched[i].revents & POLLOUT) != 0) {
        const auto size = std::min(piece_bytes, vector.size() - l.sent);
        const auto done = send(l.socket, vector.data() + l.sent, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done < 0 && errno != EAGAIN)
          fail("send");
        l.sent += static_cast<std::size_t>(std::max<ssize_t>(done, 0));
      }
      if ((watched[i].revents & (POLLIN | POLLHUP)) != 0) {
        const auto size = std::min(piece_bytes, vector.size() - l.received);
        const auto done = recv(l.socket, l.inbox.data() + l.received, size, MSG_DONTWAIT);
        if (done == 0 || (done < 0 && errno != EAGAIN))
          fail("recv");
        l.received += static_cast<std::size_t>(std::max<ssize_t>(done, 0));
      }
    }
  }
}

/// One process's part; writes the time of each round but the first two to `results`.
void exchange_rounds(const std::vector<int>& sockets, std::size_t bytes, std::size_t rounds, int results) {
  const std::vector<char> vector(bytes, 'x');
  std::vector<raw_link> links;
  for (auto each : sockets)
    links.push_back({each, std::vector<char>(bytes), 0, 0});
  for (std::size_t round = 0; round < rounds + 2; ++round) {
    const auto begin = clock::now();
    exchange_once(links, vector);
    const auto took = seconds_since(begin);
    if (round >= 2 && write(results, &took, sizeof(took)) != sizeof(took))
      fail("write");
  }
}

} // namespace

raw_tcp_figures measure_raw_tcp() {
  return {one_way_bytes_per_s(), round_trip_s()};
}

double raw_exchange_s(std::size_t processes, std::span<const std::pair<std::size_t, std::size_t>> edges,
                      std::size_t bytes, std::size_t rounds) {
  constexpr std::size_t results_max = 65536 / sizeof(double); // a pipe's capacity
  rounds = std::min(rounds, results_max / processes);
  std::vector<descriptor> ends;
  std::vector<std::vector<int>> sockets(processes);
  for (const auto& [a, b] : edges) {
    auto [here, there] = connect_on_loopback();
    sockets[a].push_back(here.number());
    sockets[b].push_back(there.number());
    ends.push_back(std::move(here));
    ends.push_back(std::move(there));
  }
  int results[2];
  if (pipe2(results, O_CLOEXEC) != 0)
    fail("pipe2");
  const descriptor from{results[0]};
  const descriptor to{results[1]};
  std::vector<helper> helpers;
  helpers.reserve(processes);
  for (const auto& own : sockets)
    helpers.emplace_back([&] { exchange_rounds(own, bytes, rounds, to.number()); });
  for (auto& each : helpers)
    each.join(); // what they wrote fits into the pipe
  std::vector<double> times(processes * rounds);
  const auto size = times.size() * sizeof(double);
  if (read(from.number(), times.data(), size) != static_cast<ssize_t>(size))
    fail("read");
  return median(times);
}

} // namespace dybw::bench
