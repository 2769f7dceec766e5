#pragma once

#include "learning/run_config.hpp"
#include "learning/types.hpp"

#include <cstdint>
#include <string>
#include <vector>

/// Random schedules: a random network, random step times and latencies, random faults, all drawn from one
/// seed, run in virtual time and checked (docs/protocol.md, "What the fuzzer covers").
namespace dybw::test {

/// What the schedules of one family have in common.
struct fuzz_family {
  const char* name;
  const char* policy; ///< "static": B is drawn
  miss_rule on_miss = miss_rule::carry;
};

inline const fuzz_family fuzz_families[] = {{"full", "full"},
                                            {"static", "static"},
                                            {"dtur carry", "dtur"},
                                            {"dtur discard", "dtur", miss_rule::discard}};

struct fuzz_result {
  std::vector<std::string> failures; ///< empty: all checks passed
  std::string description;           ///< the schedule in one line
  // for calibrating the checks:
  double connect_stretch = 0; ///< dtur: rounds until the commits join everybody / (workers - 1)
  double messages_ratio = 0;
  std::size_t alone_stretch = 0; ///< rounds a worker joined in a row and mixed nothing, in the tail
  round_number tail_rounds = 0;
  std::uint64_t events = 0;
  std::uint64_t edges_lost = 0;
  std::uint64_t rounds = 0;
};

/// Runs one schedule. With `trace` every event and effect goes to standard error.
fuzz_result run_schedule(const fuzz_family& family, std::uint64_t seed, bool trace = false);

} // namespace dybw::test
