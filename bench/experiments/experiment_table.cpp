#include "bench/experiments/experiment_table.hpp"

#include "bench/experiments/experiment_results.hpp"
#include "learning/base/number_text.hpp"
#include "learning/base/statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>

namespace dybw::bench {

namespace {

using json = experiment_results::json;

/// What is known of a figure: a run that did not reach the target in the time that it was given tells only on
/// which side of the figure it lies.
enum class bound {
  exact,
  upper,  ///< it is less
  lower,  ///< it is more
  unknown ///< nothing
};

bound both(bound x, bound y) {
  return x == bound::exact ? y : y == bound::exact || x == y ? x : bound::unknown;
}

std::string mark_of(bound x) {
  return x == bound::exact ? "" : x == bound::upper ? "<" : x == bound::lower ? ">" : "?";
}

/// The logarithm of a figure, with what is known of it.
struct figure {
  double log = 0;
  bound known = bound::exact;
};

/// What one run came to beside the first policy's run of the same cell and seed.
struct pair_of_runs {
  figure speed_up;
  figure share;      ///< of the ideal's pace; of no use without it
  figure efficiency; ///< steps of `alone` / (N * those of this); of no use without it
  figure time;
  figure mean_round_s;
  figure steps_per_worker;
  bool has_target = true;
  double worst_gap = 0; ///< average model's accuracy less the worst worker's, at the end
  double gap_before = 0;
  double accuracy = 0; ///< at the end, %
  double loss = 0;
  double worst_before = 0; ///< the worst worker's accuracy while it ran, %
};

/// A geometric mean. If some of the figures are only bounds, so is the mean.
class summary {
public:
  void add(const figure& x) {
    values_.add(x.log);
    known_ = both(known_, x.known);
  }
  bool any() const { return values_.count() > 0; }
  double mean() const { return std::exp(values_.mean()); }
  bound known() const { return known_; }
  figure log_mean() const { return {values_.mean(), known_}; }
  std::string text(int decimals = 2) const { return any() ? mark_of(known_) + text_of(0, decimals) : "-"; }
  /// Mean and 95 % interval.
  std::string interval() const {
    if (values_.count() < 2)
      return text();
    const auto half = values_.half_width();
    return mark_of(known_) + text_of(0) + " (" + text_of(-half) + " to " + text_of(half) + ")";
  }

private:
  std::string text_of(double off, int decimals = 2) const {
    return fixed_text(std::exp(values_.mean() + off), decimals);
  }

  sample_mean values_;
  bound known_ = bound::exact;
};

using runs_by_seed = std::map<std::uint64_t, pair_of_runs>;

struct results {
  std::vector<std::string> cells;                                   ///< in the order of the axes
  std::vector<std::string> policies;                                ///< those that have runs
  std::map<std::pair<std::string, std::string>, runs_by_seed> runs; ///< by cell and policy
  std::map<std::pair<std::string, std::string>, std::string> step_sizes;
  std::set<std::uint64_t> seeds;
  bool has_target = false; ///< the experiment has one, whoever reached it
  bool has_ideal = false;
  bool has_alone = false;
};

std::string title_of(const cell& c) {
  std::string text;
  for (const auto& [axis, variant] : c.names)
    text += (text.empty() ? "" : " | ") + variant;
  return text;
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
  if (alone)
    x.efficiency = *alone - n - x.steps_per_worker;
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

std::string cell_table(const experiment& x, const results& r, const std::string& title,
                       figure pair_of_runs::*field, int decimals = 2) {
  auto policies = r.policies;
  if (field == &pair_of_runs::share)
    std::erase_if(policies, is_one_worker);
  auto text = "\n" + title + "\n\n|";
  for (const auto& a : x.axes)
    text.append(" ").append(a.name).append(" |");
  for (const auto& p : policies)
    text.append(" ").append(p).append(" |");
  text += "\n|";
  for (std::size_t i = 0; i < x.axes.size(); ++i)
    text += "---|";
  for (std::size_t i = 0; i < policies.size(); ++i)
    text += "---:|";
  text += "\n";
  for (const auto& c : r.cells) {
    text.append("| ").append(c).append(" |");
    for (const auto& p : policies) {
      const auto mean = over_seeds(r, c, p, field);
      text.append(" ").append(mean.text(decimals));
      if (field == &pair_of_runs::time && mean.any() && !r.step_sizes.at({c, p}).empty())
        text.append(" @").append(r.step_sizes.at({c, p}));
      text += " |";
    }
    text += "\n";
  }
  return text;
}

/// For every seed the geometric mean over all cells; then over the seeds.
summary overall(const results& r, const std::string& policy, figure pair_of_runs::*field,
                const std::string& without = "\n") {
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

/// Where the curves end.
std::string ends_table(const experiment& x, const results& r) {
  struct column {
    const char* name;
    double pair_of_runs::*field;
    int decimals;
  };
  constexpr std::array columns{column{"accuracy, %", &pair_of_runs::accuracy, 1},
                               column{"loss", &pair_of_runs::loss, 3},
                               column{"worst worker while it ran, %", &pair_of_runs::worst_before, 1}};
  std::string text = "\nAt the end; means with 95 % intervals over the seeds:\n\n|";
  for (const auto& a : x.axes)
    text.append(" ").append(a.name).append(" |");
  text += " policy |";
  for (const auto& c : columns)
    text += std::string{" "} + c.name + " |";
  text += " steps per worker |\n|";
  for (std::size_t i = 0; i <= x.axes.size(); ++i)
    text += "---|";
  text += "---:|---:|---:|---:|\n";
  for (const auto& c : r.cells)
    for (const auto& p : r.policies) {
      const auto found = r.runs.find({c, p});
      if (found == r.runs.end())
        continue;
      text.append("| ").append(c).append(" | ").append(p).append(" |");
      for (const auto& column : columns) {
        sample_mean values;
        for (const auto& [seed, run] : found->second)
          values.add(run.*column.field);
        text.append(" ").append(fixed_text(values.mean(), column.decimals));
        text.append(" ± ").append(fixed_text(values.half_width(), column.decimals)).append(" |");
      }
      const auto steps = over_seeds(r, c, p, &pair_of_runs::steps_per_worker).mean();
      text.append(" ").append(fixed_text(steps, 0)).append(" |\n");
    }
  return text;
}

/// Of the cells that both have; those count in which it is certain, whatever the bounds leave open.
double share_of_cells_behind(const results& r, const std::string& ahead, const std::string& behind) {
  double won = 0;
  double all = 0;
  for (const auto& c : r.cells) {
    const auto a = over_seeds(r, c, ahead, &pair_of_runs::speed_up);
    const auto b = over_seeds(r, c, behind, &pair_of_runs::speed_up);
    if (!a.any() || !b.any())
      continue;
    ++all;
    const auto certain = (a.known() == bound::exact || a.known() == bound::lower) &&
                         (b.known() == bound::exact || b.known() == bound::upper);
    won += certain && a.mean() > b.mean() ? 1 : 0;
  }
  return all > 0 ? won / all : 0;
}

std::string overview(const results& r, const std::string& hero) {
  auto text = std::string{"\n| policy | speed-up, all cells | cells with stragglers | smallest cell |"} +
              (r.has_ideal ? " of the ideal | smallest cell |" : "") +
              " worst worker behind at the end, points: mean, most | while it ran | " + hero +
              " ahead in |\n|---|---:|---:|---:|" + (r.has_ideal ? "---:|---:|" : "") + "---:|---:|---:|\n";
  const auto keep_least = [](std::optional<summary>& least, const summary& s) {
    if (!least || s.mean() < least->mean())
      least = s;
  };
  for (const auto& p : r.policies) {
    std::optional<summary> least_speed;
    std::optional<summary> least_share;
    double gap = 0;
    double gap_max = 0;
    double before = 0;
    double runs = 0;
    for (const auto& c : r.cells) {
      const auto speed = over_seeds(r, c, p, &pair_of_runs::speed_up);
      if (!speed.any())
        continue;
      keep_least(least_speed, speed);
      keep_least(least_share, over_seeds(r, c, p, &pair_of_runs::share));
      for (const auto& [seed, run] : r.runs.at({c, p})) {
        gap += run.worst_gap;
        gap_max = std::max(gap_max, run.worst_gap);
        before += run.gap_before;
        ++runs;
      }
    }
    // One worker has an ideal of its own, and nobody behind.
    const auto is_one = is_one_worker(p);
    text += "| " + p + " | " + overall(r, p, &pair_of_runs::speed_up).interval() + " | " +
            overall(r, p, &pair_of_runs::speed_up, "| none").interval() + " | " + least_speed->text() + " | ";
    if (r.has_ideal)
      text += is_one ? "| | "
                     : overall(r, p, &pair_of_runs::share).interval() + " | " + least_share->text() + " | ";
    text += (is_one ? "| " : fixed_text(100 * gap / runs, 2) + ", " + fixed_text(100 * gap_max, 2) + " | ") +
            (is_one ? "" : fixed_text(100 * before / runs, 2)) + " | " +
            (p == hero || p == "ideal" ? "" : fixed_text(100 * share_of_cells_behind(r, hero, p), 0) + " %") +
            " |\n";
  }
  return text;
}

} // namespace

std::string table_of(const experiment& x, const std::filesystem::path& file) {
  const auto r = read_results(x, file);
  const auto& first = x.policies.front().name;
  const auto hero = std::find(r.policies.begin(), r.policies.end(), "adaptive") != r.policies.end()
                        ? std::string{"adaptive"}
                        : r.policies.back();
  auto text = "### " + x.title + "\n\n" + std::to_string(r.seeds.size()) + " seeds, " +
              std::to_string(r.cells.size()) + " cells.";
  if (x.keeps_series)
    return text + "\n" + ends_table(x, r);
  text += " Speed-up over `" + first +
          "`; < and > mark bounds, where runs did not reach the target in the time given, ? what they leave "
          "open.\n";
  if (!r.has_target)
    return text + cell_table(x, r, "Mean round, seconds:", &pair_of_runs::mean_round_s);
  text += overview(r, hero);
  text += cell_table(x, r, "Seconds to the target, @ the best step size:", &pair_of_runs::time, 0);
  text += cell_table(x, r, "Speed-up over `" + first + "`:", &pair_of_runs::speed_up);
  if (r.has_ideal)
    text +=
        cell_table(x, r, "Share of the ideal, which takes its steps at the pace of workers that never wait:",
                   &pair_of_runs::share);
  text += cell_table(x, r, "Steps of each worker:", &pair_of_runs::steps_per_worker, 0);
  if (r.has_alone)
    text += cell_table(
        x, r, "Efficiency, steps of `alone` / (workers x steps of each):", &pair_of_runs::efficiency);
  return text;
}

} // namespace dybw::bench
