#include "bench/exchange/raw_tcp.hpp"

#include "bench/support.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dybw::bench {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using clock = std::chrono::steady_clock;

constexpr std::size_t piece_bytes = 256 * 1024;
constexpr auto patience = std::chrono::seconds{30};

[[noreturn]] void fail(const char* what) {
  throw std::system_error{errno, std::generic_category(), what};
}

double seconds_since(clock::time_point begin) {
  return std::chrono::duration<double>(clock::now() - begin).count();
}

/// A socket that two processes have after a fork, each with a context of its own.
class socket_end {
public:
  explicit socket_end(tcp::socket socket) : descriptor_(socket.release()) {}
  socket_end(socket_end&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  socket_end& operator=(socket_end&&) = delete;
  ~socket_end() {
    if (descriptor_ >= 0)
      close(descriptor_);
  }
  tcp::socket open(asio::io_context& context) const { return {context, tcp::v4(), dup(descriptor_)}; }

private:
  int descriptor_;
};

/// Two ends of one TCP connection on loopback.
std::pair<socket_end, socket_end> connect_on_loopback() {
  asio::io_context context;
  tcp::acceptor door{context, {asio::ip::address_v4::loopback(), 0}};
  tcp::socket caller{context};
  caller.connect(door.local_endpoint());
  auto called = door.accept();
  caller.set_option(tcp::no_delay{true});
  called.set_option(tcp::no_delay{true});
  return {socket_end{std::move(caller)}, socket_end{std::move(called)}};
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

double one_way_bytes_per_s() {
  constexpr std::size_t pieces = 4096;
  const auto ends = connect_on_loopback();
  helper writer{[&] {
    asio::io_context context;
    auto there = ends.second.open(context);
    const std::vector<char> piece(piece_bytes, 'x');
    for (std::size_t i = 0; i < pieces; ++i)
      asio::write(there, asio::buffer(piece));
  }};
  asio::io_context context;
  auto here = ends.first.open(context);
  std::vector<char> piece(piece_bytes);
  asio::read(here, asio::buffer(piece)); // the connection has got going
  const auto begin = clock::now();
  for (std::size_t i = 1; i < pieces; ++i)
    asio::read(here, asio::buffer(piece));
  const auto took = seconds_since(begin);
  writer.join();
  return static_cast<double>((pieces - 1) * piece_bytes) / took;
}

double round_trip_s() {
  constexpr std::size_t trips = 4000;
  const auto ends = connect_on_loopback();
  std::array<char, 64> letter{};
  helper echo{[&] {
    asio::io_context context;
    auto there = ends.second.open(context);
    for (std::size_t i = 0; i < trips; ++i) {
      asio::read(there, asio::buffer(letter));
      asio::write(there, asio::buffer(letter));
    }
  }};
  asio::io_context context;
  auto here = ends.first.open(context);
  std::vector<double> times;
  for (std::size_t i = 0; i < trips; ++i) {
    const auto begin = clock::now();
    asio::write(here, asio::buffer(letter));
    asio::read(here, asio::buffer(letter));
    times.push_back(seconds_since(begin));
  }
  echo.join();
  return median(times);
}

/// One process's part: each round every neighbour's vector comes while its own goes. Writes the time of each
/// round but the first two to `results`.
void exchange_rounds(const std::vector<const socket_end*>& ends, std::size_t bytes, std::size_t rounds,
                     int results) {
  asio::io_context context;
  const std::vector<char> vector(bytes, 'x');
  std::vector<std::pair<tcp::socket, std::vector<char>>> links;
  for (const auto* each : ends)
    links.emplace_back(each->open(context), std::vector<char>(bytes));
  const auto piecewise = [](const boost::system::error_code& error, std::size_t) {
    return error ? std::size_t{0} : piece_bytes;
  };
  const auto check = [](const boost::system::error_code& error, std::size_t) {
    if (error)
      throw boost::system::system_error{error};
  };
  for (std::size_t round = 0; round < rounds + 2; ++round) {
    const auto begin = clock::now();
    for (auto& [socket, inbox] : links) {
      asio::async_write(socket, asio::buffer(vector), piecewise, check);
      asio::async_read(socket, asio::buffer(inbox), piecewise, check);
    }
    context.restart();
    context.run();
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
  std::vector<std::pair<socket_end, socket_end>> connections;
  connections.reserve(edges.size());
  std::vector<std::vector<const socket_end*>> ends(processes);
  for (const auto& [a, b] : edges) {
    const auto& [here, there] = connections.emplace_back(connect_on_loopback());
    ends[a].push_back(&here);
    ends[b].push_back(&there);
  }
  int results[2];
  if (pipe2(results, O_CLOEXEC) != 0)
    fail("pipe2");
  std::vector<helper> helpers;
  helpers.reserve(processes);
  for (const auto& own : ends)
    helpers.emplace_back([&] { exchange_rounds(own, bytes, rounds, results[1]); });
  for (auto& each : helpers)
    each.join(); // what they wrote fits into the pipe
  std::vector<double> times(processes * rounds);
  const auto size = times.size() * sizeof(double);
  const auto got = read(results[0], times.data(), size);
  close(results[0]);
  close(results[1]);
  if (got != static_cast<ssize_t>(size))
    fail("read");
  return median(times);
}

} // namespace dybw::bench
