#include "actors/run/simulated_run.hpp"
#include "bench/support.hpp"
#include "learning/base/statistics.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <stdexcept>

// What becomes of unlike data, that of a slow worker above all, when all have had equal time: with averaging
// alone, with gradients scaled by rates, with corrections. In virtual time; intervals are those of 95 % over
// the seeds.

namespace dybw::bench {

namespace {

constexpr std::uint64_t tuning_seed = 100; // is not reported
constexpr std::array step_sizes = {0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64};

struct row {
  std::string name;
  std::string policy;
  double correction = 0;
  std::string than; ///< the row that it is compared with, seed by seed
};

const std::vector<row> rows = {
    {"alone", "full", 0, ""},
    {"ideal", "full", 0, ""},
    {"full", "full", 0, ""},
    {"full, rho 0.05", "full", 0.05, "full"},
    {"dtur", "dtur", 0, ""},
    {"dtur, rho 0.05", "dtur", 0.05, "dtur"},
    {"adaptive, scaled", "adaptive", 0, ""},
    {"adpsgd", "adpsgd", 0, "adaptive, scaled"}, // in pairs, with averaging alone
    {"adpsgd, rho 0.05", "adpsgd", 0.05, "adaptive, scaled"},
    {"adaptive, rho 0.01", "adaptive", 0.01, "adaptive, scaled"},
    {"adaptive, rho 0.05", "adaptive", 0.05, "adaptive, scaled"},
    {"adaptive, rho 0.2", "adaptive", 0.2, "adaptive, scaled"},
};

struct figures {
  double accuracy = 0;
  double worst_worker = 0;
  double slow_classes = 0; ///< accuracy on test samples of the classes that the slow worker has
};

/// Whom `slow:1:F` has drawn.
std::size_t slow_worker(run_config config) {
  config.model = "none";
  config.correction = 0;
  config.policies = {"full"};
  config.rounds = 50;
  config.time_limit_s.reset();
  const auto result = run_policy_virtually(prepare_run(config), 0, {}).result;
  return index_of(std::ranges::max_element(result.per_worker, {}, &worker_summary::mean_step_s)->id);
}

/// The test samples of those classes that make up a tenth of this worker's samples at least.
std::shared_ptr<const dataset> of_classes_of(const run_inputs& inputs, std::size_t worker) {
  const auto& train = *inputs.data.train;
  const auto& own = inputs.rows[worker];
  std::vector<std::size_t> counts(train.classes);
  for (const auto r : own)
    ++counts[static_cast<std::size_t>(train.labels[r])];
  const auto& test = *inputs.data.test;
  std::vector<std::uint32_t> chosen;
  for (std::uint32_t i = 0; i < test.size(); ++i)
    if (10 * counts[static_cast<std::size_t>(test.labels[i])] >= own.size())
      chosen.push_back(i);
  std::vector<float> values(chosen.size() * test.features);
  dataset part{test.features, test.classes, test.image, {}, std::vector<std::int32_t>(chosen.size()), {}};
  test.gather(chosen, values, part.labels);
  part.values = std::move(values);
  return std::make_shared<const dataset>(std::move(part));
}

figures measure(run_config config, const row& r, double step_size, std::uint64_t seed) {
  const auto workers = config.workers;
  config.policies = {r.policy};
  config.correction = r.correction;
  config.sgd.step_size = step_size;
  config.seed = seed;
  const auto whole = prepare_run(config); // the slow worker's classes are those of the run with all workers
  if (r.name == "alone" || r.name == "ideal") {
    config.workers = 1;
    config.topology = "complete";
    config.straggler = "none";
    if (r.name == "ideal")
      config.batch *= workers;
  }
  const auto run = run_policy_virtually(config.workers == workers ? whole : prepare_run(config), 0, {});
  if (run.result.failed) // diverged
    return {};
  test_bench bench{std::dynamic_pointer_cast<const classifier>(whole.model),
                   of_classes_of(whole, slow_worker(whole.config))};
  return {run.result.test_accuracy.value_or(0), run.result.worst_worker_accuracy.value_or(0),
          bench.score(run.average.values(), bench.samples()).accuracy};
}

} // namespace

void unlike_data(std::span<const std::string> arguments) {
  if (arguments.size() < 5)
    throw std::runtime_error{"give DATASET DIR MODEL BATCH TIME [SEEDS [POLICY,..]]"};
  run_config config;
  config.clock = clock_kind::virtual_;
  config.data.name = arguments[0];
  config.data.path = arguments[1];
  config.data.standardise = config.data.name == "cifar10";
  config.model = arguments[2];
  config.batch = static_cast<std::size_t>(number_at(arguments, 3, 8));
  config.time_limit_s = number_at(arguments, 4, 300);
  const auto seeds = static_cast<std::uint64_t>(number_at(arguments, 5, 5));
  const auto policies = arguments.size() > 6 ? "," + arguments[6] + "," : std::string{};
  config.workers = 8;
  config.topology = "ring";
  config.partition_text = "shards:2";
  config.partition = parse_partition(config.partition_text);
  config.step_time = "exp:1";
  config.straggler = "slow:1:4";
  config.eval_every_s = *config.time_limit_s;
  std::printf("%-21s %5s  %-16s %-16s %-16s   %-16s %s\n", "row", "step", "accuracy", "worst worker",
              "slow's classes", "gain: worst", "slow's classes");
  std::map<std::string, std::vector<figures>> known;
  for (const auto& r : rows) {
    if (!policies.empty() && policies.find("," + r.policy + ",") == std::string::npos)
      continue;
    auto best = step_sizes[0];
    double best_accuracy = -1;
    for (std::size_t i = 0, worse = 0; i < step_sizes.size() && worse < 2;
         ++i) { // ascending: twice worse is past it
      const auto tried = measure(config, r, step_sizes[i], tuning_seed);
      worse = tried.accuracy > best_accuracy ? 0 : worse + 1;
      if (worse == 0) {
        best_accuracy = tried.accuracy;
        best = step_sizes[i];
      }
    }
    auto& all = known[r.name];
    for (std::uint64_t seed = 1; seed <= seeds; ++seed)
      all.push_back(measure(config, r, best, seed));
    const auto shown = [&](double figures::*which, const std::string& less) {
      sample_mean mean;
      for (std::size_t i = 0; i < all.size(); ++i)
        mean.add(all[i].*which - (less.empty() ? 0 : known[less][i].*which));
      char text[40];
      std::snprintf(text, sizeof text, less.empty() ? "%.4f +- %.4f" : "%+.4f +- %.4f", mean.mean(),
                    mean.half_width());
      return std::string{text};
    };
    std::printf("%-21s %5.2f  %-16s %-16s %-16s", r.name.c_str(), best, shown(&figures::accuracy, "").c_str(),
                shown(&figures::worst_worker, "").c_str(), shown(&figures::slow_classes, "").c_str());
    if (known.contains(r.than))
      std::printf("   %-16s %s", shown(&figures::worst_worker, r.than).c_str(),
                  shown(&figures::slow_classes, r.than).c_str());
    std::printf("\n");
    std::fflush(stdout);
  }
}

} // namespace dybw::bench
