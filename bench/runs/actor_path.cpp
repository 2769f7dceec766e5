// What a round costs beside gradients: messages, mailboxes, round machines, mixing, the reporter and the
// audit.

#include "bench/support.hpp"

#include <cmath>

namespace dybw::bench {

namespace {

constexpr std::size_t workers = 8;

/// Messages between neighbours, from what a run reports: `received` answers every `estimate`; the ends of a
/// committed edge accept each other; everybody closes every round; each worker passes each threshold on to
/// all but whom it has it from. An accept that did not lead to a committed edge is left out, so are
/// heartbeats.
double messages(const run_result& r) {
  const auto edges = static_cast<double>(r.edges);
  const auto rounds = static_cast<double>(r.rounds);
  const auto accepts = 2 * edges * r.mean_active_share * rounds;
  const auto closings = 2 * edges * rounds;
  const auto thresholds = r.policy == "dtur" ? rounds * (2 * edges - static_cast<double>(r.workers - 1)) : 0;
  return 2 * static_cast<double>(r.estimates_sent) + accepts + closings + thresholds;
}

void measure(const run_config& config) {
  auto runs = prepared_runs{config};
  for (std::size_t i = 0; i < config.policies.size(); ++i) {
    const auto r = runs.run(i).result;
    const auto name = r.model + "/" + r.topology + "/" + r.policy + "/";
    const auto worker_rounds = static_cast<double>(r.local_steps);
    print(name + "round", r.mean_round_s * 1e6, "us");
    print(name + "worker_rounds", worker_rounds / r.duration_s, "1/s");
    print(name + "messages", messages(r) / r.duration_s, "1/s");
    judge(name + "processor_time_per_worker_round", r.host_cpu_s / worker_rounds * 1e6, "us", bound::at_most,
          300);
  }
}

} // namespace

void actor_path(std::span<const std::string> arguments) {
  run_config config;
  config.workers = workers;
  config.policies = {"full", "dtur"};
  config.rounds = static_cast<std::uint64_t>(std::ceil(number_at(arguments, 0, 5000)));
  config.eval_every_s = 1e6; // no evaluation in between
  // With parameters, 7,850 of them, but no gradients: workers only average.
  config.sgd.step_size = 0;
  config.start = start_rule::random;
  config.batch = 1;
  for (const auto* model : {"none", "softmax"})
    for (const auto* topology : {"ring", "complete"}) {
      config.model = model;
      config.topology = topology;
      measure(config);
    }
}

} // namespace dybw::bench
