#include "bench/experiments/experiment_summary.hpp"

#include "bench/experiments/experiment_results.hpp"
#include "learning/base/number_text.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

namespace dybw::bench {

namespace {

using json = experiment_results::json;

bound both(bound x, bound y) {
  return x == bound::exact ? y : y == bound::exact || x == y ? x : bound::unknown;
}

std::string mark_of(bound x) {
  return x == bound::exact ? "" : x == bound::upper ? "<" : x == bound::lower ? ">" : "?";
}

bool has_reached(const json& run) {
  return run["time_to_target_s"].is_number();
}
double time_of(const json& run) {
  return has_reached(run) ? run["time_to_target_s"].get<double>() : run["duration_s"].get<double>();
}
/// Of each worker, until the target.
double steps_of(const json& run) {
  const auto& steps = has_reached(run) ? run["steps_to_target"] : run["local_steps"];
  return steps.get<double>() / run["workers"].get<double>();
}

/// Steps that a row of one worker needs, over its seeds.
figure mean_steps(const std::vector<const json*>& runs) {
  sample_mean steps;
  auto known = bound::exact;
  for (const auto* run : runs) {
    steps.add(steps_of(*run));
    known = both(known, has_reached(*run) ? bound::exact : bound::lower);
  }
  return {std::log(steps.mean()), known};
}

bound inverse(bound x) {
  return x == bound::upper ? bound::lower : x == bound::lower ? bound::upper : x;
}
figure operator-(const figure& x, const figure& y) {
  return {x.log - y.log, both(x.known, inverse(y.known))};
}

/// `workers`: that it stands for. `alone`, `ideal`: their steps, where there are such rows.
pair_of_runs compare(const json& first, const json& run, double workers, bool has_target,
                     const std::optional<figure>& alone, const std::optional<figure>& ideal) {
  const auto known = has_target && !has_reached(run) ? bound::lower : bound::exact;
  const auto first_known = has_target && !has_reached(first) ? bound::lower : bound::exact;
  const auto n = figure{std::log(workers)};
  pair_of_runs x;
  x.time = {std::log(time_of(run)), known};
  x.speed_up = &first == &run ? figure{} // beside itself all is known
                              : figure{std::log(time_of(first)), first_known} - x.time;
  x.steps_per_worker = {std::log(steps_of(run)), known};
  if (ideal)
    x.share = figure{ideal->log + n.log - std::log(run["no_wait_rate"].get<double>()), ideal->known} - x.time;
  if (alone) {
    x.times_alone = *alone - x.steps_per_worker;
    x.efficiency = x.times_alone - n;
  }
  x.mean_round_s = {std::log(run["mean_round_s"].get<double>()), bound::exact};
  if (run["test_accuracy"].is_number()) {
    const auto accuracy = run["test_accuracy"].get<double>();
    x.worst_gap = accuracy - run["worst_worker_accuracy"].get<double>();
    const auto before = run.value("worst_before_end", run["worst_worker_accuracy"].get<double>());
    x.gap_before = run.value("accuracy_before_end", accuracy) - before;
    x.accuracy = 100 * accuracy;
    x.loss = run["test_loss"];
    x.worst_before = 100 * before;
  }
  return x;
}

/// Of a policy in a cell: its run for each of the seeds, null where there is none.
struct row_runs {
  std::string step_size;
  std::vector<const json*> runs;
};

row_runs find_runs(const experiment& x, const experiment_results& known, const cell& c, const variant_of& p) {
  const auto row = row_of(c, p);
  row_runs found{best_step_size(x, known, row), {}};
  for (const auto seed : x.seeds)
    found.runs.push_back(known.find(name_of(run_of(row, found.step_size, seed))));
  return found;
}

std::optional<figure> steps_of_row(const experiment& x, const experiment_results& known, const cell& c,
                                   const std::string& name) {
  const auto p = std::ranges::find(x.policies, name, &variant_of::name);
  if (p == x.policies.end())
    return std::nullopt;
  auto runs = find_runs(x, known, c, *p).runs;
  std::erase(runs, nullptr);
  return runs.empty() ? std::nullopt : std::optional{mean_steps(runs)};
}

} // namespace

void summary::add(const figure& x) {
  values_.add(x.log);
  known_ = both(known_, x.known);
}

double summary::at(double off) const {
  return std::exp(values_.mean() + off);
}

std::string summary::text(int decimals) const {
  return any() ? mark_of(known_) + fixed_text(mean(), decimals) : "-";
}

std::string summary::interval() const {
  if (values_.count() < 2)
    return text();
  return text() + " (" + fixed_text(low(), 2) + " to " + fixed_text(high(), 2) + ")";
}

std::string title_of(const cell& c) {
  std::string text;
  for (const auto& [axis, variant] : c.names)
    text += (text.empty() ? "" : " | ") + variant;
  return text;
}

results read_results(const experiment& x, const std::filesystem::path& file) {
  const experiment_results known{file};
  results r;
  r.has_target = x.target.has_value();
  for (const auto& c : cells_of(x)) {
    const auto cell = title_of(c);
    const auto base = find_runs(x, known, c, x.policies.front()).runs;
    const auto alone = steps_of_row(x, known, c, "alone");
    const auto ideal = steps_of_row(x, known, c, "ideal");
    r.has_alone |= alone.has_value();
    r.has_ideal |= ideal.has_value();
    for (const auto& p : x.policies) {
      const auto row = find_runs(x, known, c, p);
      r.step_sizes[{cell, p.name}] = row.step_size;
      for (std::size_t s = 0; s < x.seeds.size(); ++s)
        if (base[s] && row.runs[s]) {
          r.seeds.insert(x.seeds[s]);
          const auto& run = *row.runs[s];
          const auto workers = (p.name == "ideal" ? *base[s] : run)["workers"].get<double>();
          r.runs[{cell, p.name}][x.seeds[s]] = compare(*base[s], run, workers, r.has_target, alone, ideal);
        }
    }
    if (std::ranges::any_of(x.policies, [&](const auto& p) { return r.runs.contains({cell, p.name}); }))
      r.cells.push_back(cell);
  }
  for (const auto& p : x.policies)
    if (std::any_of(r.runs.begin(), r.runs.end(), [&](const auto& e) { return e.first.second == p.name; }))
      r.policies.push_back(p.name);
  return r;
}

summary over_seeds(const results& r, const std::string& cell, const std::string& policy,
                   figure pair_of_runs::*field) {
  summary s;
  if (const auto found = r.runs.find({cell, policy}); found != r.runs.end())
    for (const auto& [seed, run] : found->second)
      s.add(run.*field);
  return s;
}

bool is_one_worker(const std::string& policy) {
  return policy == "alone" || policy == "ideal";
}

summary overall(const results& r, const std::string& policy, figure pair_of_runs::*field,
                const std::string& without) {
  std::map<std::uint64_t, summary> by_seed;
  for (const auto& c : r.cells)
    if (const auto found = r.runs.find({c, policy});
        found != r.runs.end() && c.find(without) == std::string::npos)
      for (const auto& [seed, run] : found->second)
        by_seed[seed].add(run.*field);
  summary all;
  for (const auto& [seed, s] : by_seed)
    all.add(s.log_mean());
  return all;
}

} // namespace dybw::bench
