// Runs the experiments of config/experiments/ in virtual time, one JSON line per run, and sums them up.
//
//   bench_experiments run FILE OUT.jsonl [--data-root DIR] [--threads N] [--seeds N]
//   bench_experiments table FILE OUT.jsonl       tables in Markdown, on standard output
//   bench_experiments plot FILE OUT.jsonl DIR    a gnuplot script that draws DIR/*.svg, on standard output
//
// `run` goes on where it was interrupted: lines that OUT.jsonl has are not computed again.

#include "actors/run/simulated_run.hpp"
#include "apps/options/run_options.hpp"
#include "bench/experiments/experiment.hpp"
#include "bench/experiments/experiment_plot.hpp"
#include "bench/experiments/experiment_table.hpp"
#include "learning/base/error.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace dybw::bench {
namespace {

using json = nlohmann::ordered_json;

json names_of(const cell& c) {
  json names = json::object();
  for (const auto& [axis, variant] : c.names)
    names[axis] = variant;
  return names;
}

std::string key_of(const json& names, const std::string& policy, std::uint64_t seed) {
  return names.dump() + policy + '#' + std::to_string(seed);
}

class runner {
public:
  runner(const experiment& x, const std::string& out, std::size_t threads) : x_(x), threads_(threads) {
    std::ifstream in(out);
    for (std::string line; std::getline(in, line);) {
      const auto known = json::parse(line, nullptr, false);
      if (known.is_discarded())
        continue;
      const auto key = key_of(known["cell"], known["policy"], known["seed"]);
      done_[key] = known["time_to_target_s"].is_number() ? known["time_to_target_s"].get<double>()
                                                         : known["duration_s"].get<double>();
    }
    out_.open(out, std::ios::app);
    if (!out_)
      throw std::runtime_error("cannot write " + out);
  }

  void run(const std::vector<cell>& cells) {
    std::vector<std::thread> crew;
    std::atomic<std::size_t> next{0};
    std::atomic<bool> failed{false};
    for (std::size_t i = 0; i < threads_; ++i)
      crew.emplace_back([&] {
        for (auto k = next++; k < cells.size() && !failed; k = next++)
          try {
            run(cells[k]);
          } catch (const std::exception& e) {
            failed = true;
            std::fprintf(stderr, "%s: %s\n", names_of(cells[k]).dump().c_str(), e.what());
          }
      });
    for (auto& t : crew)
      t.join();
    if (failed)
      throw std::runtime_error("a run failed; see above");
  }

private:
  void run(const cell& c) {
    std::optional<run_inputs> prepared;
    double first_s = 0;
    for (const auto& policy : x_.policies) {
      const auto key = key_of(names_of(c), policy.name, c.seed);
      const auto is_first = &policy == &x_.policies.front();
      if (const auto known = done_.find(key); known != done_.end()) {
        if (is_first)
          first_s = known->second;
        continue;
      }
      auto config = std::optional<run_config>{};
      try {
        config = read_run_options(options_of(c, policy), "").config;
      } catch (const input_error& e) {
        if (has_backup_workers(policy))
          continue; // too many for this graph
        throw;
      }
      if (!is_first && x_.patience)
        config->time_limit_s =
            std::min(config->time_limit_s.value_or(1e8), std::max(1.0, *x_.patience * first_s));
      const auto done = run_one(*config, prepared);
      if (is_first)
        first_s = done.result.time_to_target_s.value_or(done.result.duration_s);
      write(c, policy.name, done, config->eval_every_s);
    }
  }

  finished_run run_one(const run_config& config, std::optional<run_inputs>& prepared) {
    auto inputs = plan_run(config);
    if (!prepared) {
      inputs.config.threads = 1;
      const std::lock_guard lock{loading_}; // one copy of the decoding at a time
      load_inputs(inputs, [](worker_id) { return true; });
      prepared = inputs;
    } else {
      inputs.data = prepared->data;
      inputs.model = prepared->model;
      inputs.rows = prepared->rows;
      inputs.initial = prepared->initial;
    }
    auto done = run_policy_virtually(inputs, 0, {});
    if (done.result.failed)
      throw std::runtime_error(done.result.policy + ": " + done.result.failure);
    return done;
  }

  void write(const cell& c, const std::string& policy, const finished_run& done, double eval_every_s) {
    const auto& r = done.result;
    json line{
        {"experiment", x_.name},
        {"cell", names_of(c)},
        {"policy", policy},
        {"seed", c.seed},
        {"workers", r.workers},
        {"time_to_target_s", r.time_to_target_s ? json(*r.time_to_target_s) : json(nullptr)},
        {"duration_s", r.duration_s},
        {"local_steps", r.local_steps},
        {"rounds", r.rounds},
        {"mean_round_s", r.mean_round_s},
        {"no_wait_rate", r.no_wait_rate},
        {"useful_gradient_rate", r.useful_gradient_rate},
        {"compute_share", r.compute_share},
        {"steps_discarded", r.steps_discarded},
        {"test_accuracy", r.test_accuracy ? json(*r.test_accuracy) : json(nullptr)},
        {"test_loss", r.test_loss ? json(*r.test_loss) : json(nullptr)},
        {"worst_worker_accuracy", r.worst_worker_accuracy ? json(*r.worst_worker_accuracy) : json(nullptr)},
        {"mean_backup_workers", r.mean_backup_workers},
        {"mean_active_share", r.mean_active_share},
        {"coverage_sweeps", r.coverage_sweeps},
        {"estimates_sent", r.estimates_sent},
        {"bytes_sent", r.bytes_sent},
        {"timeouts", r.timeouts},
        {"audit_clean", r.mixing.clean()},
        {"connect_rounds_max", r.mixing.connect_rounds_max}};
    // The worst worker while it ran, before the policy's closing exchanges.
    for (const auto& e : r.evaluations)
      if (!e.at_end && e.worst_worker_accuracy) {
        line["worst_before_end"] = *e.worst_worker_accuracy;
        line["accuracy_before_end"] = *e.test_accuracy;
      }
    if (x_.keeps_series)
      for (const auto& e : r.evaluations)
        if (!e.at_end)
          line["series"].push_back(
              {due_at(e.time_s, eval_every_s), e.local_steps, *e.test_accuracy, *e.test_loss,
               e.worst_worker_accuracy ? json(*e.worst_worker_accuracy) : json(nullptr)});
    if (x_.keeps_backup)
      line["backup"] = backup_of(done);
    const std::lock_guard lock{writing_};
    out_ << line.dump() << '\n' << std::flush;
    std::fprintf(stderr, "%s %s seed %llu: %s s\n", names_of(c).dump().c_str(), policy.c_str(),
                 static_cast<unsigned long long>(c.seed), line["time_to_target_s"].dump().c_str());
  }

  /// The moment for which an evaluation stands, the same for all seeds; its own is when an estimate last
  /// changed before.
  static double due_at(double time_s, double every_s) { return std::ceil(time_s / every_s - 1e-9) * every_s; }

  /// One list per worker: its mean number of backup workers in each stretch of `bin_s`, null where it did no
  /// round.
  static json backup_of(const finished_run& done) {
    json workers = json::array();
    for (const auto& s : done.series) {
      json bins = json::array();
      for (const auto& bin : s)
        bins.push_back(bin.rounds > 0 ? json(bin.backup_workers / static_cast<double>(bin.rounds))
                                      : json(nullptr));
      workers.push_back(std::move(bins));
    }
    return {{"bin_s", done.bin_width_s}, {"workers", std::move(workers)}};
  }

  const experiment& x_;
  std::size_t threads_;
  std::map<std::string, double> done_;
  std::ofstream out_;
  std::mutex writing_;
  std::mutex loading_;
};

int run_command(const std::vector<std::string>& arguments) {
  auto x = read_experiment(arguments.at(1));
  std::size_t threads = std::max(1U, std::thread::hardware_concurrency());
  std::size_t seeds = x.seeds.size();
  for (std::size_t i = 3; i + 1 < arguments.size(); i += 2) {
    const auto& name = arguments[i];
    const auto& value = arguments[i + 1];
    if (name == "--data-root")
      for (auto& o : x.options)
        if (o.starts_with("DATA/"))
          o.replace(0, 4, value);
    if (name == "--threads")
      threads = std::stoul(value);
    if (name == "--seeds")
      seeds = std::stoul(value);
  }
  runner{x, arguments.at(2), threads}.run(cells_of(x, seeds));
  return 0;
}

} // namespace
} // namespace dybw::bench

int main(int argc, char** argv) {
  const std::vector<std::string> arguments{argv + 1, argv + argc};
  try {
    if (arguments.size() >= 3 && arguments[0] == "run")
      return dybw::bench::run_command(arguments);
    if (arguments.size() >= 3 && arguments[0] == "table") {
      std::cout << dybw::bench::table_of(dybw::bench::read_experiment(arguments[1]), arguments[2]);
      return 0;
    }
    if (arguments.size() >= 4 && arguments[0] == "plot") {
      std::cout << dybw::bench::plot_of(dybw::bench::read_experiment(arguments[1]), arguments[2],
                                        arguments[3]);
      return 0;
    }
    std::cerr << "bench_experiments run FILE OUT.jsonl [--data-root DIR] [--threads N] [--seeds N]\n"
                 "bench_experiments table FILE OUT.jsonl\n"
                 "bench_experiments plot FILE OUT.jsonl DIR\n";
    return 2;
  } catch (const std::exception& e) {
    std::cerr << "bench_experiments: error: " << e.what() << '\n';
    return 1;
  }
}
