#pragma once

#include "tests/learning/consensus/fuzz/fuzz.hpp"

#include "learning/base/random.hpp"
#include "learning/graph/topology.hpp"
#include "learning/simulation/network_simulation.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

/// Random schedules, all of one drawn from its seed.
namespace dybw::test {

class dice {
public:
  explicit dice(std::uint64_t seed) : generator_(seed) {}
  double uniform(double a, double b) {
    return a + (b - a) * static_cast<double>(generator_() >> 11) * 0x1p-53;
  }
  bool chance(double p) { return uniform(0, 1) < p; }
  /// 0 .. n-1
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(generator_() % n); }
  nanoseconds duration(nanoseconds a, nanoseconds b) {
    return from_seconds(uniform(to_seconds(a), to_seconds(b)));
  }
  double exponential() { return -std::log(1 - uniform(0, 1)); }

private:
  random_generator generator_;
};

enum class trouble {
  none,
  timeouts,
  stalls, ///< and nothing else
  crashes,
  silent_crashes,
  hangs,
  suspicions,
  partition,
  reconnections,
  restarts,
  rolling,
  everything
};
inline const char* const trouble_names[] = {"none",           "timeouts", "stalls",     "crashes",
                                            "silent crashes", "hangs",    "suspicions", "partition",
                                            "reconnections",  "restarts", "rolling",    "everything"};

struct schedule {
  simulation_options options;
  std::shared_ptr<const topology> graph;
  trouble kind = trouble::none;
  bool stops = false;
  bool stops_all = false; ///< everybody, at about the same time
  bool forges = false;    ///< broken workers name rounds in which nobody can be
  bool stalls = false;    ///< steps hang ..
  bool hasty = false;     ///< .. and the word of that may overtake what was said before
  std::vector<std::pair<nanoseconds, fault>> faults;
  nanoseconds quiet_from{0};   ///< no faults after this moment
  nanoseconds tail_from{0};    ///< and all is back to normal
  bool spikes = false;         ///< of some steps: no timeout learned from the others is long enough
  bool patient = false;        ///< .. but the one that is set is
  bool jumpy = false;          ///< never
  nanoseconds unit{0};         ///< a typical step
  std::uint32_t gradients = 1; ///< of each step
  nanoseconds step_min{0};
  nanoseconds step_max{0};
  nanoseconds latency_max{0};
  nanoseconds limit{0};
  std::string text;

  /// Then a neighbour that has not heard of it yet may send a change to who is new.
  bool restarts() const {
    return std::ranges::any_of(faults,
                               [](const auto& f) { return std::holds_alternative<restart_fault>(f.second); });
  }
};

schedule draw_schedule(const fuzz_family& family, std::uint64_t seed);

} // namespace dybw::test
