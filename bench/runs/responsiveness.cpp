// How soon shells answer while gradient steps are long: from one worker's passing a threshold on to its
// neighbour's having done what it asks for.

#include "bench/support.hpp"

#include <algorithm>
#include <thread>

namespace dybw::bench {

namespace {

void measure(const std::string& name, const run_config& config) {
  const auto r = prepared_runs{config}.run().result;
  const auto threads = std::min<std::size_t>(std::thread::hardware_concurrency(), config.workers);
  double step_s = 0;
  for (const auto& w : r.per_worker)
    step_s += w.mean_step_s / static_cast<double>(r.per_worker.size());
  print(name + "/rounds", static_cast<double>(r.rounds), "");
  // Each worker passes each threshold on to all but whom it has it from.
  const auto per_round = 2 * r.edges - (r.workers - 1);
  print(name + "/thresholds_about", static_cast<double>(r.rounds * per_round), "");
  print(name + "/mean_step_with_waits_for_a_thread", step_s, "s");
  print(name + "/thread_time_per_step",
        r.duration_s * static_cast<double>(threads) / static_cast<double>(r.local_steps), "s");
  judge(name + "/threshold_delay_p99", r.threshold_delay_p99_s * 1e3, "ms", bound::at_most, 20);
  print(name + "/threshold_delay_max", r.threshold_delay_max_s * 1e3, "ms");
}

} // namespace

void responsiveness(std::span<const std::string> arguments) {
  run_config config;
  config.workers = 8;
  config.policies = {"dtur"};
  config.time_limit_s = number_at(arguments, 0, 30);

  auto delayed = config; // steps that take half a second without keeping a processor busy
  delayed.step_time = "const:0.5";
  measure("delayed", delayed);

  // Steps that keep a processor busy for about half a second each. Rounds are few then, so that the graph has
  // to have many edges for enough thresholds.
  auto computed = config;
  computed.topology = "complete";
  computed.model = "mlp:2048,2048";
  computed.batch = 1250; // a whole shard
  measure("computed", computed);
}

} // namespace dybw::bench
