#include "bench/experiments/experiment_table.hpp"

#include "learning/base/number_text.hpp"
#include "learning/base/statistics.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>

namespace dybw::bench {

namespace {

using json = nlohmann::ordered_json;

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
  figure share;
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
  std::string text() const { return any() ? mark_of(known_) + text_of(0) : "-"; }
  /// Mean and 95 % interval.
  std::string interval() const {
    if (values_.count() < 2)
      return text();
    const auto half = values_.half_width();
    return mark_of(known_) + text_of(0) + " (" + text_of(-half) + " to " + text_of(half) + ")";
  }

private:
  std::string text_of(double off) const { return fixed_text(std::exp(values_.mean() + off), 2); }

  sample_mean values_;
  bound known_ = bound::exact;
};

using runs_by_seed = std::map<std::uint64_t, pair_of_runs>;

struct results {
  std::vector<std::string> cells;                                   ///< in the order of the axes
  std::vector<std::string> policies;                                ///< those that have runs
  std::map<std::pair<std::string, std::string>, runs_by_seed> runs; ///< by cell and policy
  std::set<std::uint64_t> seeds;
};

std::string cell_name(const json& names) {
  std::string text;
  for (const auto& [axis, variant] : names.items())
    text += (text.empty() ? "" : " | ") + variant.get<std::string>();
  return text;
}

std::vector<std::string> cells_in_order(const experiment& x) {
  std::vector<std::string> cells{""};
  for (const auto& a : x.axes) {
    std::vector<std::string> more;
    for (const auto& c : cells)
      for (const auto& v : a.variants)
        more.push_back(c + (c.empty() ? "" : " | ") + v.name);
    cells = std::move(more);
  }
  return cells;
}

/// `has_target`: the experiment has one, whoever reached it.
pair_of_runs compare(const json& first, const json& run, bool has_target) {
  const auto reached = [&](const json& r) { return !has_target || r["time_to_target_s"].is_number(); };
  const auto time = [](const json& r) {
    return r["time_to_target_s"].is_number() ? r["time_to_target_s"].get<double>()
                                             : r["duration_s"].get<double>();
  };
  const auto is_first = &first == &run; // beside itself all is known
  const auto ratio = is_first ? bound::exact
                              : both(reached(run) ? bound::exact : bound::upper,
                                     reached(first) ? bound::exact : bound::lower);
  pair_of_runs x;
  x.has_target = has_target;
  x.speed_up = {std::log(time(first) / time(run)), ratio};
  x.share = {std::log(first["local_steps"].get<double>() / run["no_wait_rate"].get<double>() / time(run)),
             ratio};
  x.mean_round_s = {std::log(run["mean_round_s"].get<double>()), bound::exact};
  x.steps_per_worker = {std::log(run["local_steps"].get<double>() / run["workers"].get<double>()),
                        reached(run) ? bound::exact : bound::lower};
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

results read_results(const experiment& x, const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in)
    throw std::runtime_error("cannot read " + file.string());
  std::map<std::tuple<std::string, std::string, std::uint64_t>, json> lines;
  for (std::string line; std::getline(in, line);) {
    auto run = json::parse(line);
    const auto key = std::tuple{cell_name(run["cell"]), run["policy"].get<std::string>(),
                                run["seed"].get<std::uint64_t>()};
    lines[key] = std::move(run);
  }
  results r;
  const auto& first = x.policies.front().name;
  const auto has_target = std::any_of(lines.begin(), lines.end(), [](const auto& line) {
    return line.second["time_to_target_s"].is_number();
  });
  for (const auto& c : cells_in_order(x))
    for (const auto& p : x.policies)
      for (auto s : x.seeds) {
        const auto base = lines.find({c, first, s});
        const auto run = lines.find({c, p.name, s});
        if (base == lines.end() || run == lines.end())
          continue;
        if (std::find(r.cells.begin(), r.cells.end(), c) == r.cells.end())
          r.cells.push_back(c);
        r.seeds.insert(s);
        r.runs[{c, p.name}][s] = compare(base->second, run->second, has_target);
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

std::string cell_table(const experiment& x, const results& r, const std::string& title,
                       figure pair_of_runs::*field) {
  auto text = "\n" + title + "\n\n|";
  for (const auto& a : x.axes)
    text += " " + a.name + " |";
  for (const auto& p : r.policies)
    text += " " + p + " |";
  text += "\n|";
  for (std::size_t i = 0; i < x.axes.size(); ++i)
    text += "---|";
  for (std::size_t i = 0; i < r.policies.size(); ++i)
    text += "---:|";
  text += "\n";
  for (const auto& c : r.cells) {
    text += "| " + c + " |";
    for (const auto& p : r.policies)
      text += " " + over_seeds(r, c, p, field).text() + " |";
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
    text += " " + a.name + " |";
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
      text += "| " + c + " | " + p + " |";
      for (const auto& column : columns) {
        sample_mean values;
        for (const auto& [seed, run] : found->second)
          values.add(run.*column.field);
        text += " " + fixed_text(values.mean(), column.decimals) + " ± " +
                fixed_text(values.half_width(), column.decimals) + " |";
      }
      text += " " + fixed_text(over_seeds(r, c, p, &pair_of_runs::steps_per_worker).mean(), 0) + " |\n";
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
  std::string text = "\n| policy | speed-up, all cells | cells with stragglers | smallest cell | share of "
                     "the limit | smallest "
                     "cell | worst worker behind at the end, points: mean, most | while it ran | " +
                     hero + " ahead in |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n";
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
    text += "| " + p + " | " + overall(r, p, &pair_of_runs::speed_up).interval() + " | " +
            overall(r, p, &pair_of_runs::speed_up, "| none").interval() + " | " + least_speed->text() +
            " | " + overall(r, p, &pair_of_runs::share).interval() + " | " + least_share->text() + " | " +
            fixed_text(100 * gap / runs, 2) + ", " + fixed_text(100 * gap_max, 2) + " | " +
            fixed_text(100 * before / runs, 2) + " | " +
            (p == hero ? "" : fixed_text(100 * share_of_cells_behind(r, hero, p), 0) + " %") + " |\n";
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
  const auto has_target = std::any_of(r.runs.begin(), r.runs.end(),
                                      [](const auto& e) { return e.second.begin()->second.has_target; });
  if (has_target)
    text += overview(r, hero);
  text += cell_table(x, r, "Speed-up over `" + first + "`:", &pair_of_runs::speed_up);
  if (has_target) {
    text += cell_table(x, r, "Share of the no-wait limit:", &pair_of_runs::share);
    text += cell_table(x, r, "Steps per worker:", &pair_of_runs::steps_per_worker);
  } else {
    text += cell_table(x, r, "Mean round, seconds:", &pair_of_runs::mean_round_s);
  }
  return text;
}

} // namespace dybw::bench
