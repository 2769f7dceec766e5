// Runs the experiments of config/experiments/ in virtual time, one JSON line per run, and sums them up.
//
//   bench_experiments run FILE OUT.jsonl [--data-root DIR] [--threads N] [--seeds N]
//   bench_experiments table FILE OUT.jsonl       tables in Markdown, on standard output
//   bench_experiments plot FILE OUT.jsonl DIR    a gnuplot script that draws DIR/*.svg, on standard output
//
// `run` goes on where it was interrupted: lines that OUT.jsonl has are not computed again.

#include "actors/run/simulated_run.hpp"
#include "apps/options/run_options.hpp"
#include "bench/experiments/experiment_plot.hpp"
#include "bench/experiments/experiment_results.hpp"
#include "bench/experiments/experiment_table.hpp"
#include "learning/base/error.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace dybw::bench {
namespace {

using json = nlohmann::ordered_json;

/// Looks for the moment when the mean of three tests in a row first reached the target: the second of the
/// three.
class target_watch {
public:
  explicit target_watch(std::optional<double> target) : target_(target) {}
  /// Whether it has come.
  bool operator()(const evaluation& e) {
    last_.push_back(e);
    if (last_.size() > 3)
      last_.erase(last_.begin());
    if (target_ && !hit_ && last_.size() == 3 &&
        *last_[0].test_accuracy + *last_[1].test_accuracy + *last_[2].test_accuracy >= 3 * *target_)
      hit_ = last_[1];
    return hit_.has_value();
  }
  const std::optional<evaluation>& hit() const { return hit_; }

private:
  std::optional<double> target_;
  std::vector<evaluation> last_;
  std::optional<evaluation> hit_;
};

class runner {
public:
  runner(experiment x, const std::string& out, std::string data_root, std::size_t threads, std::size_t seeds)
      : x_(std::move(x)), data_root_(std::move(data_root)), threads_(threads), results_(out) {
    x_.seeds.resize(std::min(x_.seeds.size(), seeds));
  }

  void run() {
    const auto rows = all_rows();
    std::vector<std::thread> crew;
    std::atomic<std::size_t> next{0};
    std::atomic<bool> failed{false};
    for (std::size_t i = 0; i < threads_; ++i)
      crew.emplace_back([&] {
        for (auto k = next++; k < rows.size() && !failed; k = next++)
          try {
            run_row(rows[k]);
          } catch (const std::exception& e) {
            failed = true;
            std::fprintf(stderr, "%s: %s\n", name_of(rows[k]).c_str(), e.what());
          }
      });
    for (auto& t : crew)
      t.join();
    if (failed)
      throw std::runtime_error("a run failed; see above");
  }

private:
  using row = std::vector<std::string>;

  /// Each once, in the order of the cells.
  std::vector<row> all_rows() const {
    std::vector<row> rows;
    std::set<row> known;
    for (const auto& c : cells_of(x_))
      for (const auto& p : x_.policies) {
        auto r = row_of(c, p);
        if (!known.insert(r).second)
          continue;
        try {
          config_of(run_of(r, "", 1));
          rows.push_back(std::move(r));
        } catch (const input_error&) {
          if (!has_backup_workers(p)) // too many for this graph
            throw;
        }
      }
    return rows;
  }

  run_config config_of(row run) const {
    for (auto& o : run)
      if (o.starts_with("DATA/"))
        o.replace(0, 4, data_root_);
    return read_run_options(run, "").config;
  }

  void run_row(const row& r) {
    const auto limit = choose_step_size(r);
    const auto step_size = best_step_size(x_, results_, r);
    for (auto seed : x_.seeds)
      run_once(run_of(r, step_size, seed), limit, true);
  }

  /// The time that its runs get; none for what their options say.
  std::optional<double> choose_step_size(const row& r) {
    if (x_.step_sizes.empty())
      return std::nullopt;
    std::vector<std::optional<double>> scores(x_.step_sizes.size());
    auto best = std::numeric_limits<double>::infinity();
    const auto near = nearest_step_size(r);
    for (auto i = next_trial(scores, near); i; i = next_trial(scores, near)) {
      for (const auto seed : tuning_seeds) // together they may take as long as those of the best
        run_once(run_of(r, x_.step_sizes[*i], seed), static_cast<double>(tuning_seeds.size()) * best, false);
      scores[*i] = tuning_score(results_, r, x_.step_sizes[*i]);
      best = std::min(best, *scores[*i]);
    }
    return x_.patience ? std::optional{*x_.patience * best} : std::nullopt;
  }

  /// To the row's own: that is where looking begins.
  std::size_t nearest_step_size(const row& r) const {
    const auto own = std::ranges::find(r, "--step-size");
    const auto found = own == r.end() ? x_.step_sizes.end() : std::ranges::find(x_.step_sizes, own[1]);
    return found == x_.step_sizes.end() ? x_.step_sizes.size() / 2
                                        : static_cast<std::size_t>(found - x_.step_sizes.begin());
  }

  /// Unless it is known. Of runs that are not reported single workers are not scored.
  void run_once(const row& run, std::optional<double> limit, bool is_reported) {
    const auto name = name_of(run);
    if (results_.find(name))
      return;
    auto config = config_of(run);
    if (limit)
      config.time_limit_s = std::min(config.time_limit_s.value_or(1e8), *limit);
    auto inputs = plan_run(config);
    inputs.data = data_of(config);
    load_inputs(inputs, [](worker_id) { return true; });
    target_watch watch{x_.target};
    run_controls controls;
    controls.on_evaluation = std::ref(watch);
    controls.scores_workers = is_reported;
    const auto done = run_policy_virtually(inputs, 0, controls);
    // A step size may be so large that the loss is no number: such a run has not reached the target.
    const auto has_diverged = done.result.test_loss && !std::isfinite(*done.result.test_loss);
    if (done.result.failed && !has_diverged)
      throw std::runtime_error(done.result.policy + ": " + done.result.failure);
    auto figures = figures_of(done, watch.hit(), config.eval_every_s);
    std::fprintf(stderr, "%s: %s s\n", name.c_str(), figures["time_to_target_s"].dump().c_str());
    results_.add(name, std::move(figures));
  }

  /// Read once for all runs.
  data_split data_of(const run_config& config) {
    if (config.model == "none")
      return {};
    const std::lock_guard lock{loading_};
    auto& known = data_[config.data.name + config.data.path.string()];
    if (!known.train)
      known = load_data(config.data);
    return known;
  }

  json figures_of(const finished_run& done, const std::optional<evaluation>& hit, double eval_every_s) const {
    const auto& r = done.result;
    json line{
        {"workers", r.workers},
        {"time_to_target_s", hit ? json(hit->time_s) : json(nullptr)},
        {"steps_to_target", hit ? json(hit->local_steps) : json(nullptr)},
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
    return line;
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

  experiment x_;
  std::string data_root_;
  std::size_t threads_;
  experiment_results results_;
  std::mutex loading_;
  std::map<std::string, data_split> data_;
};

int run_command(const std::vector<std::string>& arguments) {
  std::string data_root = "DATA";
  std::size_t threads = std::max(1U, std::thread::hardware_concurrency());
  auto seeds = std::numeric_limits<std::size_t>::max();
  for (std::size_t i = 3; i + 1 < arguments.size(); i += 2) {
    const auto& name = arguments[i];
    const auto& value = arguments[i + 1];
    if (name == "--data-root")
      data_root = value;
    if (name == "--threads")
      threads = std::stoul(value);
    if (name == "--seeds")
      seeds = std::stoul(value);
  }
  runner{read_experiment(arguments.at(1)), arguments.at(2), data_root, threads, seeds}.run();
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
