#include "apps/results/run_writer.hpp"

#include "actors/reporting/evals_file.hpp"
#include "apps/pages/report_page.hpp"
#include "apps/results/run_json.hpp"

#include <algorithm>

namespace dybw {

namespace {

nlohmann::json ratio_or_null(double sum, double of) {
  return of > 0 ? nlohmann::json(sum / of) : nlohmann::json(nullptr);
}

} // namespace

nlohmann::json series_to_json(const finished_run& run) {
  std::size_t bins = 0;
  for (const auto& s : run.series)
    bins = std::max(bins, s.size());
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
      const auto bin = i < s.size() ? s[i] : round_sums{};
      const auto rounds = static_cast<double>(bin.rounds);
      backup.push_back(ratio_or_null(bin.backup_workers, rounds));
      round.push_back(ratio_or_null(bin.round_s, rounds));
      share.push_back(ratio_or_null(bin.wait_s, bin.round_s));
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
