#include "apps/results/run_reader.hpp"

#include "apps/results/line_reader.hpp"
#include "apps/results/run_directory.hpp"
#include "apps/results/run_json.hpp"
#include "apps/results/run_writer.hpp"
#include "learning/base/error.hpp"
#include "learning/consensus/reports/run_statistics.hpp"

#include <algorithm>
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
  r.gradients = line.value("gradients", std::uint32_t{1});
  r.started = from_seconds(line.at("start_s").get<double>());
  r.compute = from_seconds(line.at("compute_s").get<double>());
  r.joined = r.started + r.compute;
  r.done = r.joined + from_seconds(line.at("wait_s").get<double>());
  return r;
}

/// Adds up the rounds; how many the file has.
std::uint64_t sum_up(const std::filesystem::path& file, run_statistics& sums, std::size_t workers,
                     nanoseconds& last) {
  line_reader in{file};
  std::uint64_t count = 0;
  while (in.is_open() && in.next()) {
    const auto line = json::parse(in.line(), nullptr, false);
    try {
      const auto report = to_report(line);
      if (index_of(report.mixed.worker) >= workers)
        throw std::runtime_error{"a worker that is none"};
      sums.add(report);
      last = std::max(last, report.done);
      ++count;
    } catch (const std::exception&) {
      refuse(file, "line " + std::to_string(in.number()) + " is no round");
    }
  }
  return count;
}

std::vector<json> read_evaluations(const std::filesystem::path& file) {
  std::vector<json> all;
  line_reader in{file};
  while (in.is_open() && in.next())
    if (auto e = json::parse(in.line(), nullptr, false);
        e.is_object() && e.contains("time_s") && e["time_s"].is_number())
      all.push_back(std::move(e));
  return all;
}

/// Lines may be missing: rounds.jsonl is thinned when it grows, and a node writes those of its own workers.
/// What they add up to is then made right with those that are there and what is `known`.
void make_up_for_missing(run_result& result, const json& known) {
  double compute_s = 0;
  double wait_s = 0;
  std::size_t present = 0;
  for (const auto& w : result.per_worker) {
    compute_s += w.compute_s;
    wait_s += w.wait_s;
    present += w.rounds > 0 ? 1 : 0;
  }
  if (compute_s + wait_s > 0)
    result.compute_share = compute_s / (compute_s + wait_s);
  if (present > 0)
    result.no_wait_rate *= static_cast<double>(result.per_worker.size()) / static_cast<double>(present);
  const auto steps = known.value("local_steps", json(0U));
  if (!steps.is_number_unsigned() || steps.get<std::uint64_t>() <= result.local_steps)
    return;
  result.local_steps = steps.get<std::uint64_t>();
  const auto duration_s = known.value("duration_s", json(nullptr));
  if (duration_s.is_number() && duration_s.get<double>() > 0)
    result.useful_gradient_rate =
        std::max(result.useful_gradient_rate, steps.get<double>() / duration_s.get<double>());
}

/// Of a run of which only this is known, and its files; null if it has no round.
json figures_of(const std::filesystem::path& directory, const json& config, const json& known,
                const std::filesystem::path& file) {
  if (!known.is_object() || !known.contains("policy") || !known["policy"].is_string() ||
      !known.contains("workers") || !known["workers"].is_number_unsigned())
    refuse(file, "a run without a policy or workers");
  const auto policy = known["policy"].get<std::string>();
  const auto workers = known["workers"].get<std::size_t>();
  const auto files = run_directory::at(directory);
  run_statistics sums{workers};
  nanoseconds last{0};
  if (sum_up(files.rounds_file(policy), sums, workers, last) == 0)
    return nullptr;
  run_result result;
  sums.fill(result, last);
  make_up_for_missing(result, known);
  json run = to_json(result);
  run.update(known);
  run["rounds"] = result.rounds;
  run["local_steps"] = result.local_steps;
  run["duration_s"] = result.duration_s;
  const auto evaluations = read_evaluations(files.evals_file(policy));
  run["evaluations"] = evaluations;
  if (!evaluations.empty())
    for (const auto* name : {"test_accuracy", "test_loss", "worst_worker_accuracy", "consensus_distance"})
      run[name] = evaluations.back().value(name, json(nullptr));
  const auto target = config.value("target-accuracy", json(nullptr));
  for (const auto& e : evaluations)
    if (target.is_number() && e.value("test_accuracy", json(nullptr)) >= target) {
      run["time_to_target_s"] = e["time_s"];
      break;
    }
  return run;
}

} // namespace

bool is_unfinished(const stored_run& run) {
  return run.run.value("state", json(nullptr)) == "running";
}

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
  const auto config = document.value("config", json::object());
  for (auto run : document["runs"]) {
    if (run.is_object() && run.value("state", json(nullptr)) == "running")
      run = figures_of(directory, config, run, file);
    if (run.is_null())
      continue;
    check(run, file);
    runs.push_back({directory, config, run});
  }
  if (runs.empty())
    refuse(directory, "its run has not done a round yet");
  return runs;
}

json read_series(const stored_run& recorded) {
  const auto policy = recorded.run["policy"].get<std::string>();
  const auto file = run_directory::at(recorded.directory).rounds_file(policy);
  if (!std::filesystem::exists(file))
    return nullptr;
  const auto workers = recorded.run["workers"].get<std::size_t>();
  run_statistics sums{workers};
  nanoseconds last{0};
  sum_up(file, sums, workers, last);
  finished_run run;
  run.result.policy = policy;
  run.series = sums.series();
  run.bin_width_s = sums.bin_width_s();
  return series_to_json(run);
}

} // namespace dybw
