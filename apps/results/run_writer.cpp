#include "apps/results/run_writer.hpp"

#include "actors/reporting/evals_file.hpp"
#include "apps/pages/report_page.hpp"
#include "apps/results/run_json.hpp"

#include <algorithm>

namespace dybw {

namespace {

nlohmann::json mean_or_null(const std::vector<running_mean>& bins, std::size_t i) {
  return i < bins.size() && bins[i].count() > 0 ? nlohmann::json(bins[i].mean()) : nlohmann::json(nullptr);
}

} // namespace

nlohmann::json series_to_json(const finished_run& run) {
  std::size_t bins = 0;
  for (const auto& s : run.series)
    bins = std::max(bins, s.round_s.size());
  nlohmann::json times = nlohmann::json::array();
  for (std::size_t i = 0; i < bins; ++i)
    times.push_back((static_cast<double>(i) + 0.5) * run.bin_width_s);
  nlohmann::json workers = nlohmann::json::array();
  for (std::size_t w = 0; w < run.series.size(); ++w) {
    const auto& s = run.series[w];
    nlohmann::json backup = nlohmann::json::array();
    nlohmann::json share = nlohmann::json::array();
    nlohmann::json round = nlohmann::json::array();
    for (std::size_t i = 0; i < bins; ++i) {
      backup.push_back(mean_or_null(s.backup_workers, i));
      round.push_back(mean_or_null(s.round_s, i));
      const auto has_share = i < s.round_s.size() && s.round_s[i].sum() > 0;
      share.push_back(has_share ? nlohmann::json(s.wait_s[i].sum() / s.round_s[i].sum())
                                : nlohmann::json(nullptr));
    }
    workers.push_back({{"worker", w}, {"backup_workers", backup}, {"wait_share", share}, {"round_s", round}});
  }
  return {{"policy", run.result.policy}, {"time_s", times}, {"workers", workers}};
}

void write_files(const run_directory& directory, const run_config& config,
                 std::span<const run_result> results, const nlohmann::json& series,
                 const finished_run& newest) {
  std::vector<std::string> lines;
  for (const auto& e : newest.result.evaluations)
    lines.push_back(evaluation_line(e));
  // In the order of what is missed most, should the disk fill up.
  const auto document = results_to_json(config, results);
  directory.write_run(document);
  directory.complete_evals(newest.result.policy, lines);
  if (newest.average)
    directory.write_model(newest.result.policy, newest.average.values(), newest.result.model_layout);
  directory.write_report(render_report({{"document", document}, {"series", series}}));
}

} // namespace dybw
