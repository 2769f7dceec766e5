#pragma once

#include <cstdint>
#include <random>

namespace dybw {

/// The one generator of the project: seeded, passed in, never global.
using random_generator = std::mt19937_64;

/// The purposes for which a run draws random numbers. Each has a stream of its own, so that drawing more for
/// one (say, another straggler model) changes nothing for another (say, the order of the mini-batches).
enum class random_stream : std::uint64_t {
  digits = 1,
  partition,
  mini_batches,
  parameters,
  topology,
  step_time,
  straggler,
  projection,
  test_share,
  link,
  schedule,
  sketch,
  scoring,
};

/// One step of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
constexpr std::uint64_t split_mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// The generator for one purpose and one index (a worker, an epoch) of a run with this seed.
inline random_generator make_generator(std::uint64_t seed, random_stream stream, std::uint64_t index = 0) {
  return random_generator{split_mix(split_mix(split_mix(seed) + static_cast<std::uint64_t>(stream)) + index)};
}

} // namespace dybw
