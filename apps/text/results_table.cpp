#include "apps/text/results_table.hpp"

#include "apps/text/score_text.hpp"
#include "apps/text/text_table.hpp"
#include "learning/base/number_text.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace dybw {

namespace {

constexpr std::size_t workers_shown_max = 32;

std::string setting(const run_result& run) {
  return run.dataset + " (" + run.partition + "), " + run.model + " (" +
         counted(run.parameters, "parameter") + "), " + counted(run.workers, "worker") + " on " +
         run.topology + " (" + counted(run.edges, "edge") + "), seed " + std::to_string(run.seed);
}

std::string audit_word(const mixing_summary& mixing) {
  return !mixing.clean() ? "WRONG" : mixing.rounds_audited == 0 ? "none" : "ok";
}

std::string audit_text(const mixing_summary& mixing) {
  const auto rounds =
      counted(mixing.rounds_audited, "round") + " audited, " + count_text(mixing.rounds_unaudited) + " not";
  if (mixing.clean())
    return audit_word(mixing) + " (" + rounds + ")";
  const auto error_text = [](double x) {
    return std::isfinite(x) ? short_text(x) : std::string{"not finite"};
  };
  return "WRONG: " + counted(mixing.one_sided_edges, "one-sided edge") + ", errors of row " +
         error_text(mixing.max_row_error) + ", column " + error_text(mixing.max_column_error) +
         ", projection " + error_text(mixing.max_projection_error);
}

/// Per second.
std::string rate_text(double rate) {
  return fixed_text(rate, rate < 1000 ? 1 : 0);
}

/// Of many workers only some are measured alone.
bool scores_some(const run_result& run) {
  return run.scored_workers > 0 && run.scored_workers + run.workers_lost.size() < run.workers;
}

/// What a reader must know beside the numbers; one line each.
std::vector<std::string> remarks(const run_result& run) {
  std::vector<std::string> lines;
  if (!run.mixing.clean())
    lines.push_back("audit " + audit_text(run.mixing));
  if (run.failed)
    lines.push_back("failed: " + run.failure);
  if (run.interrupted)
    lines.emplace_back("interrupted: the numbers are those until then");
  if (!run.workers_lost.empty()) {
    std::string lost = "lost " + counted(run.workers_lost.size(), "worker") + ":";
    for (std::size_t i = 0; i < std::min<std::size_t>(run.workers_lost.size(), 10); ++i)
      (lost += ' ') += std::to_string(run.workers_lost[i]);
    lines.push_back(lost + (run.workers_lost.size() > 10 ? " .." : ""));
  }
  for (const auto& why : run.not_written)
    lines.push_back("results are missing: " + why);
  for (const auto& node : run.nodes)
    if (!node.left.empty())
      lines.push_back("node " + node.address + " left the run: " + node.left);
    else if (node.lost)
      lines.push_back("node " + node.address + " was out of reach at the end");
  if (scores_some(run))
    lines.push_back("the worst worker is that of " + counted(run.scored_workers, "worker") +
                    ", drawn by the seed");
  if (run.timeouts > 0)
    lines.push_back(counted(run.timeouts, "wait") + " for a neighbour timed out");
  return lines;
}

struct speed_up {
  double factor = 0;
  bool by_target = false; ///< by time to target; else by useful gradient rate
};

std::optional<speed_up> speed_up_over(const run_result& full, const run_result& run) {
  if (full.time_to_target_s && run.time_to_target_s && *run.time_to_target_s > 0)
    return speed_up{*full.time_to_target_s / *run.time_to_target_s, true};
  if (full.useful_gradient_rate > 0)
    return speed_up{run.useful_gradient_rate / full.useful_gradient_rate, false};
  return std::nullopt;
}

std::string comparison(std::span<const run_result> results) {
  const auto full = std::find_if(results.begin(), results.end(),
                                 [](const run_result& run) { return run.policy == "full"; });
  text_table table;
  table.add({"policy", "time to", "accuracy", "worst", "rounds", "mean", "useful", "compute", "backup",
             "speed-up", "audit"});
  table.add({"", "target", "", "worker", "", "round", "grad./s", "share", "workers", "on full", ""});
  auto some_by_rate = false;
  for (const auto& run : results) {
    const auto factor = full == results.end() ? std::nullopt : speed_up_over(*full, run);
    const auto by_rate = factor && !factor->by_target && run.policy != "full";
    some_by_rate = some_by_rate || by_rate;
    table.add({run.policy, or_dash(run.time_to_target_s, seconds_text),
               or_dash(run.test_accuracy, percent_text), or_dash(run.worst_worker_accuracy, percent_text),
               std::to_string(run.rounds), seconds_text(run.mean_round_s),
               fixed_text(run.useful_gradient_rate, 0), percent_text(run.compute_share),
               fixed_text(run.mean_backup_workers, 2),
               factor ? fixed_text(factor->factor, 2) + (by_rate ? "*" : "") : "-", audit_word(run.mixing)});
  }
  auto text = setting(results.front()) + "\n\n" + table.text();
  if (some_by_rate)
    text += "* by useful gradients per second, as not both reached a target accuracy\n";
  for (const auto& run : results)
    if (const auto scores = score_text(run.scores); !scores.empty())
      text += run.policy + ": " + scores + "\n";
  for (const auto& run : results)
    for (const auto& line : remarks(run))
      text += run.policy + ": " + line + "\n";
  return text;
}

std::string workers_table(const run_result& run) {
  text_table table;
  table.add({"worker", "rounds", "steps", "computing", "waiting", "mean step", "backup workers", "accuracy",
             "loss"});
  for (const auto& worker : run.per_worker)
    table.add({to_string(worker.id), std::to_string(worker.rounds), std::to_string(worker.local_steps),
               seconds_text(worker.compute_s), seconds_text(worker.wait_s), seconds_text(worker.mean_step_s),
               fixed_text(worker.mean_backup_workers, 2), or_dash(worker.test_accuracy, percent_text),
               or_dash(worker.test_loss, [](double x) { return fixed_text(x, 3); })});
  return table.text();
}

std::string in_full(const run_result& run) {
  const auto of_bound = run.no_wait_rate > 0 ? run.useful_gradient_rate / run.no_wait_rate : 0;
  auto text = run.policy + ": " + setting(run) + "\n\n";
  const auto line = [&](std::string name, const std::string& value) {
    name.resize(26, ' ');
    text += name + value + "\n";
  };
  line("duration", seconds_text(run.duration_s));
  if (run.time_to_target_s)
    line("time to target", seconds_text(*run.time_to_target_s));
  if (run.test_accuracy) {
    line("test accuracy", percent_text(*run.test_accuracy) + " (of the average model), loss " +
                              fixed_text(run.test_loss.value_or(0), 3));
    line("worst worker's accuracy", or_dash(run.worst_worker_accuracy, percent_text));
  }
  if (const auto scores = score_text(run.scores); !scores.empty())
    line("scores", scores + " (of the average model)");
  line("rounds", count_text(run.rounds) + ", mean " + seconds_text(run.mean_round_s));
  line("gradient steps", count_text(run.local_steps) + ", " + rate_text(run.useful_gradient_rate) +
                             " per second (" + percent_text(of_bound) + " of " + rate_text(run.no_wait_rate) +
                             " if nobody ever waited)");
  line("time spent computing", percent_text(run.compute_share));
  line("backup workers", fixed_text(run.mean_backup_workers, 2) + " per worker and round on average");
  line("edges used per round", percent_text(run.mean_active_share));
  if (!run.nodes.empty())
    line("between " + counted(run.nodes.size(), "node"),
         megabytes_text(run.link_bytes_sent) + " to neighbours, " + megabytes_text(run.eval_bytes_sent) +
             " for testing");
  const auto own_time = seconds_text(run.host_cpu_s);
  line("processor time", (run.trainer.empty() ? own_time + ", of it testing "
                                              : own_time + " without the trainers', whose scores took ") +
                             seconds_text(run.eval_cpu_s));
  if (run.mixing.clean())
    line("audit of the averaging", audit_text(run.mixing));
  for (const auto& remark : remarks(run))
    text += remark + "\n";
  if (!run.per_worker.empty() && run.per_worker.size() <= workers_shown_max)
    (text += '\n') += workers_table(run);
  return text;
}

} // namespace

std::string results_table(std::span<const run_result> results) {
  assert(!results.empty());
  return results.size() == 1 ? in_full(results.front()) : comparison(results);
}

} // namespace dybw
