#pragma once

#include <cstddef>
#include <span>
#include <utility>

/// What bare sockets on loopback do between processes, without protocol, threads or actors: the figures to
/// set measurements of the exchange beside. Each function forks helpers that end before it returns, within
/// half a minute; call them from a program with one thread. They throw std::system_error, and
/// std::runtime_error if a helper does not do its part in time.
namespace dybw::bench {

struct raw_tcp_figures {
  double one_way_bytes_per_s = 0; ///< one process writes without end, the other reads; pieces of 256 KiB
  double round_trip_s = 0;        ///< median: 64 bytes there and back, each end asleep until they come
};
raw_tcp_figures measure_raw_tcp();

/// Median time in which all of `processes` send `bytes` to each neighbour and have received as many from
/// each, again and again: what a round would take if nothing but its vectors were moved.
double raw_exchange_s(std::size_t processes, std::span<const std::pair<std::size_t, std::size_t>> edges,
                      std::size_t bytes, std::size_t rounds);

} // namespace dybw::bench
