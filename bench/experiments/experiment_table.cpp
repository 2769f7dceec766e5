#include "bench/experiments/experiment_table.hpp"

#include "bench/experiments/experiment_summary.hpp"
#include "learning/base/number_text.hpp"
#include "learning/base/statistics.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace dybw::bench {

namespace {

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
  text += " policy | step size |";
  for (const auto& c : columns)
    text += std::string{" "} + c.name + " |";
  text += " steps per worker |\n|";
  for (std::size_t i = 0; i <= x.axes.size(); ++i)
    text += "---|";
  text += "---:|---:|---:|---:|---:|\n";
  for (const auto& c : r.cells)
    for (const auto& p : r.policies) {
      const auto found = r.runs.find({c, p});
      if (found == r.runs.end())
        continue;
      text.append("| ").append(c).append(" | ").append(p).append(" | ");
      text.append(r.step_sizes.at({c, p})).append(" |");
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
    text += cell_table(x, r, "Times as fast as `alone`, in steps:", &pair_of_runs::times_alone, 1) +
            cell_table(
                x, r, "Efficiency, steps of `alone` / (workers x steps of each):", &pair_of_runs::efficiency);
  return text;
}

} // namespace dybw::bench
