#include "apps/results/run_reader.hpp"

#include "apps/results/line_reader.hpp"
#include "apps/results/run_directory.hpp"
#include "apps/results/run_writer.hpp"
#include "learning/base/error.hpp"
#include "learning/consensus/reports/run_statistics.hpp"

#include <array>
#include <fstream>

namespace dybw {

namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::filesystem::path& where, const std::string& what) {
  throw input_error{input_fault::data, what, "in " + where.string(),
                    "name a directory that dybw run --out wrote"};
}

/// Numbers without which a run cannot be shown.
constexpr std::array needed = {"workers",      "rounds",        "local_steps",          "duration_s",
                               "mean_round_s", "compute_share", "useful_gradient_rate", "no_wait_rate"};

void check(const json& run, const std::filesystem::path& file) {
  if (!run.is_object() || !run.contains("policy") || !run["policy"].is_string())
    refuse(file, "a run without a policy");
  for (const auto* name : needed)
    if (!run.contains(name) || !run[name].is_number())
      refuse(file, "the run of " + run["policy"].get<std::string>() + " has no number " + name);
}

round_report to_report(const json& line) {
  round_report r;
  r.mixed.worker = worker_at(line.at("worker").get<std::size_t>());
  r.mixed.round = line.at("round").get<round_number>();
  r.mixed.committed.resize(line.at("committed").size());
  r.degree =
      static_cast<std::uint32_t>(r.mixed.committed.size() + line.at("backup_workers").get<std::size_t>());
  r.started = from_seconds(line.at("start_s").get<double>());
  r.compute = from_seconds(line.at("compute_s").get<double>());
  r.joined = r.started + r.compute;
  r.done = r.joined + from_seconds(line.at("wait_s").get<double>());
  return r;
}

} // namespace

std::vector<stored_run> read_runs(const std::filesystem::path& directory) {
  const auto file = run_directory::at(directory).run_file();
  std::ifstream in(file);
  if (!in)
    refuse(directory, "there is no run.json");
  const auto document = json::parse(in, nullptr, false);
  if (!document.is_object() || !document.contains("runs") || !document["runs"].is_array() ||
      document["runs"].empty())
    refuse(file, "no runs are found");
  std::vector<stored_run> runs;
  for (const auto& run : document["runs"]) {
    check(run, file);
    runs.push_back({directory, document.value("config", json::object()), run});
  }
  return runs;
}

json read_series(const stored_run& recorded) {
  const auto policy = recorded.run["policy"].get<std::string>();
  const auto file = run_directory::at(recorded.directory).rounds_file(policy);
  line_reader in{file};
  if (!in.is_open())
    return nullptr;
  const auto workers = recorded.run["workers"].get<std::size_t>();
  run_statistics sums{workers};
  while (in.next()) {
    const auto line = json::parse(in.line(), nullptr, false);
    try {
      const auto report = to_report(line);
      if (index_of(report.mixed.worker) >= workers)
        throw std::runtime_error{"a worker that is none"};
      sums.add(report);
    } catch (const std::exception&) {
      refuse(file, "line " + std::to_string(in.number()) + " is no round");
    }
  }
  finished_run run;
  run.result.policy = policy;
  run.series = sums.series();
  run.bin_width_s = sums.bin_width_s();
  return series_to_json(run);
}

} // namespace dybw
