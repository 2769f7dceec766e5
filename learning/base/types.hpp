#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace dybw {

/// A worker's number in the topology: 0 .. N-1. A distinct type, so that it cannot be mistaken for a round or
/// a count.
enum class worker_id : std::uint32_t {};

constexpr std::size_t index_of(worker_id id) {
  return static_cast<std::size_t>(id);
}

constexpr worker_id worker_at(std::size_t index) {
  return static_cast<worker_id>(index);
}

inline std::string to_string(worker_id id) {
  return std::to_string(static_cast<std::uint32_t>(id));
}

/// Rounds count from 1, as the paper's iterations k do; 0 means "before the first round", so `completed == 0`
/// needs no special case and w(0) is the starting point.
using round_number = std::uint64_t;

/// Durations and moments inside the core: nanoseconds since the start of the run, handed in from outside. The
/// core never reads a clock.
using nanoseconds = std::chrono::nanoseconds;

constexpr double to_seconds(nanoseconds t) {
  return std::chrono::duration<double>(t).count();
}

/// Rounds to the nearest nanosecond and saturates at about 292 years, so that a heavy-tailed draw cannot
/// overflow.
constexpr nanoseconds from_seconds(double s) {
  constexpr double max_s = 9.2e9;
  if (!(s > 0))
    return nanoseconds{0};
  return nanoseconds{static_cast<std::int64_t>((s < max_s ? s : max_s) * 1e9 + 0.5)};
}

/// `t` + `by`, or the last moment that there is. REQUIRES: neither is negative.
constexpr nanoseconds saturated_sum(nanoseconds t, nanoseconds by) {
  return by > nanoseconds::max() - t ? nanoseconds::max() : t + by;
}

/// An undirected edge; always `a < b` (see `make_edge`), so that both ends name it alike.
struct edge {
  worker_id a{};
  worker_id b{};
  friend constexpr bool operator==(const edge&, const edge&) = default;
  friend constexpr auto operator<=>(const edge&, const edge&) = default;
};

constexpr edge make_edge(worker_id x, worker_id y) {
  return x < y ? edge{x, y} : edge{y, x};
}

} // namespace dybw
