#pragma once

#include "learning/base/types.hpp"
#include "learning/run/run_config.hpp"

#include <cstdint>
#include <string>
#include <vector>

/// Random schedules: a random network, random step times and latencies, random faults, all drawn from one
/// seed, run in virtual time and checked (docs/protocol.md, "What the fuzzer covers").
namespace dybw::test {

/// What the schedules of one family have in common.
struct fuzz_family {
  const char* name;
  const char* policy; ///< "static", "hop": B and GAP are drawn
  miss_rule on_miss = miss_rule::carry;
  bool any_edges = false; ///< `--connect any`
};

inline const fuzz_family fuzz_families[] = {{"full", "full"},
                                            {"static", "static"},
                                            {"dtur with carry", "dtur"},
                                            {"dtur with discard", "dtur", miss_rule::discard},
                                            {"hop", "hop"},
                                            {"barrier", "barrier"},
                                            {"dtur by any edges", "dtur", miss_rule::carry, true}};

struct fuzz_result {
  std::vector<std::string> failures; ///< empty: all checks passed
  std::string description;           ///< the schedule in one line
  std::uint64_t events = 0;
  std::uint64_t rounds = 0;
  std::uint64_t edges_lost = 0;
  std::uint64_t restarts = 0; ///< workers that joined again
  double fingerprint = 0;     ///< sum of all estimates at the end, weighted by the worker
};

/// .. of those whose policy averages in pairs.
inline const fuzz_family pair_families[] = {{"adpsgd", "adpsgd"}, {"adaptive", "adaptive"}};

/// Runs one schedule. With `trace` every event and effect goes to standard error.
fuzz_result run_schedule(const fuzz_family& family, std::uint64_t seed, bool trace = false);
/// .. of a family that averages in pairs.
fuzz_result run_pair_schedule(const fuzz_family& family, std::uint64_t seed, bool trace = false);

} // namespace dybw::test
