#pragma once

#include "learning/simulation/network_simulation.hpp"
#include "learning/straggler/step_time.hpp"

#include <optional>
#include <string>
#include <vector>

namespace dybw {

/// The options of virtual time: how long steps and messages take.
struct virtual_times {
  std::string step_time;             ///< --step-time, DIST
  std::string straggler = "none";    ///< --straggler
  std::string link_latency;          ///< --link-latency, DIST in seconds; empty for none
  std::optional<double> bytes_per_s; ///< --link-bandwidth, of each link in each direction; unset: no limit
  std::size_t block_bytes = 0;       ///< of an estimate's parameters, as they travel ..
  std::size_t change_bytes = 0;      ///< .. or as the change since others (`int8`)
  double mix_s = 0;                  ///< --mix-time, of averaging with one neighbour
  stride_rule strides{};             ///< --local-steps, --local-time
  block_format send = block_format::float32; ///< --send
};

/// Draws step times and delays for a simulated network, deterministically: every worker and every link has a
/// random stream of its own, the same ones that a run in real time with this seed draws its steps from. A
/// link carries one block after the other; all else takes the latency only. Not thread-safe.
class virtual_network {
public:
  /// Throws `input_error` for options that cannot be read.
  virtual_network(const virtual_times& times, std::shared_ptr<const topology> graph, std::uint64_t seed);

  stride step(worker_id id, nanoseconds now);
  nanoseconds travel(const link_use& use, nanoseconds now);

  /// Gradient steps per second of all workers in the long run, if nobody ever waited. None if step times have
  /// no finite mean, so that it falls for ever, or take no time.
  std::optional<double> no_wait_rate() const;

  /// Fills in `step_time`, `latency`, which refer to this, `mix_time` and `send`.
  void connect(simulation_options& options);

private:
  struct link {
    random_generator generator;
    nanoseconds free_at{0}; ///< when the last block is through
  };

  std::shared_ptr<const topology> graph_;
  std::vector<step_clock> clocks_;
  std::unique_ptr<duration_distribution> latency_;
  double block_s_ = 0;
  double change_s_ = 0;
  nanoseconds mix_{0};
  block_format send_;
  std::vector<std::size_t> first_link_; ///< [workers]
  std::vector<link> links_;             ///< [2*edges], by sender and ascending receiver; empty if not needed
};

/// Throws `input_error` if --link-latency cannot be read.
void check_link_latency(const std::string& text);

} // namespace dybw
