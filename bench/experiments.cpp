// Runs the experiments of config/experiments/ in virtual time, one JSON line per run, and sums them up.
//
//   bench_experiments run FILE OUT.jsonl [--data-root DIR] [--threads N] [--seeds N]
//   bench_experiments table FILE OUT.jsonl       tables in Markdown, on standard output
//   bench_experiments plot FILE OUT.jsonl DIR    a gnuplot script that draws DIR/*.svg, on standard output
//
// `run` goes on where it was interrupted: lines that OUT.jsonl has are not computed again.

#include "actors/virtual_session.hpp"
#include "apps/run_options.hpp"
#include "bench/experiment.hpp"
#include "bench/experiment_plot.hpp"
#include "bench/experiment_table.hpp"
#include "learning/error.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
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

/// One combination of the axes with one seed: its policies run one after the other on the same data.
struct cell {
  json names = json::object(); ///< axis -> variant
  std::vector<std::string> options;
  std::uint64_t seed = 0;
};

std::vector<cell> all_cells(const experiment& x, std::size_t seeds) {
  std::vector<cell> cells{{json::object(), x.options, 0}};
  for (const auto& a : x.axes) {
    std::vector<cell> more;
    for (const auto& c : cells)
      for (const auto& v : a.variants) {
        auto next = c;
        next.names[a.name] = v.name;
        next.options.insert(next.options.end(), v.options.begin(), v.options.end());
        more.push_back(std::move(next));
      }
    cells = std::move(more);
  }
  std::vector<cell> seeded;
  for (std::size_t s = 0; s < std::min(seeds, x.seeds.size()); ++s) // all cells of a seed before the next
    for (auto c : cells) {
      c.seed = x.seeds[s];
      c.options.insert(c.options.end(), {"--seed", std::to_string(c.seed)});
      seeded.push_back(std::move(c));
    }
  return seeded;
}

std::string key_of(const json& names, const std::string& policy, std::uint64_t seed) {
  return names.dump() + policy + '#' + std::to_string(seed);
}

/// 1/N is the share that makes one worker slow at a time.
std::vector<std::string> filled_in(std::vector<std::string> options) {
  const auto workers = std::find(options.begin(), options.end(), "--workers");
  for (auto& o : options)
    if (const auto at = o.find("{1/N}"); at != std::string::npos && workers + 1 < options.end())
      o.replace(at, 5, std::to_string(1 / std::stod(*(workers + 1))));
  return options;
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
            std::fprintf(stderr, "%s: %s\n", cells[k].names.dump().c_str(), e.what());
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
      const auto key = key_of(c.names, policy.name, c.seed);
      const auto is_first = &policy == &x_.policies.front();
      if (const auto known = done_.find(key); known != done_.end()) {
        if (is_first)
          first_s = known->second;
        continue;
      }
      auto options = filled_in(c.options);
      options.insert(options.end(), policy.options.begin(), policy.options.end());
      auto config = std::optional<run_config>{};
      try {
        config = read_run_options(options, "").config;
      } catch (const input_error& e) {
        if (policy.name.starts_with("static") || policy.name.starts_with("hop"))
          continue; // too many backup workers for this graph
        throw;
      }
      if (!is_first && x_.patience)
        config->time_limit_s =
            std::min(config->time_limit_s.value_or(1e8), std::max(1.0, *x_.patience * first_s));
      const auto result = run_one(*config, prepared);
      if (is_first)
        first_s = result.time_to_target_s.value_or(result.duration_s);
      write(c, policy.name, result);
    }
  }

  run_result run_one(const run_config& config, std::optional<run_inputs>& prepared) {
    auto inputs = plan_run(config);
    if (!prepared) {
      inputs.config.threads = 1;
      const std::lock_guard lock{loading_}; // one copy of the decoding at a time
      load_inputs(inputs, [](worker_id) { return true; });
      prepared = inputs;
    } else {
      inputs.data = prepared->data;
      inputs.learner = prepared->learner;
      inputs.rows = prepared->rows;
      inputs.initial = prepared->initial;
    }
    auto done = run_policy_virtually(inputs, 0, {}).result;
    if (done.failed)
      throw std::runtime_error(done.policy + ": " + done.failure);
    return done;
  }

  void write(const cell& c, const std::string& policy, const run_result& r) {
    json line{
        {"experiment", x_.name},
        {"cell", c.names},
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
    const auto& evals = r.evaluations;
    if (evals.size() > 1)
      line["worst_before_end"] = evals[evals.size() - 2].worst_worker_accuracy;
    if (x_.keeps_series)
      for (const auto& e : evals)
        line["series"].push_back(
            {e.time_s, e.local_steps, e.test_accuracy, e.test_loss, e.worst_worker_accuracy});
    const std::lock_guard lock{writing_};
    out_ << line.dump() << '\n' << std::flush;
    std::fprintf(stderr, "%s %s seed %llu: %s s\n", c.names.dump().c_str(), policy.c_str(),
                 static_cast<unsigned long long>(c.seed), line["time_to_target_s"].dump().c_str());
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
  runner{x, arguments.at(2), threads}.run(all_cells(x, seeds));
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
