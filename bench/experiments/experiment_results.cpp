#include "bench/experiments/experiment_results.hpp"

#include <algorithm>
#include <stdexcept>

namespace dybw::bench {

experiment_results::experiment_results(std::filesystem::path file) : file_(std::move(file)) {
  std::ifstream in(file_);
  for (std::string line; std::getline(in, line);) {
    auto run = json::parse(line, nullptr, false);
    is_cut_off_ |= run.is_discarded();
    if (!run.is_discarded())
      runs_.insert_or_assign(run["run"].get<std::string>(), run);
  }
}

const experiment_results::json* experiment_results::find(const std::string& run) const {
  const std::lock_guard lock{mutex_};
  const auto found = runs_.find(run);
  return found == runs_.end() ? nullptr : &found->second;
}

void experiment_results::add(const std::string& run, json figures) {
  auto line = json::object();
  line["run"] = run;
  line.update(figures);
  const std::lock_guard lock{mutex_};
  if (!out_.is_open()) {
    out_.open(file_, std::ios::app);
    if (is_cut_off_)
      out_ << '\n';
  }
  if (!(out_ << line.dump() << '\n' << std::flush))
    throw std::runtime_error("cannot write " + file_.string());
  runs_[run] = std::move(line);
}

std::optional<std::size_t> next_trial(std::span<const std::optional<double>> scores, std::size_t near) {
  if (!scores[near])
    return near;
  auto best = near;
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (scores[i] && *scores[i] < *scores[best])
      best = i;
  if (best + 1 < scores.size() && !scores[best + 1])
    return best + 1;
  if (best > 0 && !scores[best - 1])
    return best - 1;
  return std::nullopt;
}

double tuning_score(const experiment_results::json& run) {
  constexpr double never = 1e12;
  if (run["time_to_target_s"].is_number())
    return run["time_to_target_s"];
  return never * (2 - (run["test_accuracy"].is_number() ? run["test_accuracy"].get<double>() : 0));
}

std::string best_step_size(const experiment& x, const experiment_results& results,
                           const std::vector<std::string>& row) {
  std::string best;
  auto score = std::numeric_limits<double>::infinity();
  for (const auto& s : x.step_sizes)
    if (const auto* run = results.find(name_of(run_of(row, s, tuning_seed)));
        run && tuning_score(*run) < score) {
      score = tuning_score(*run);
      best = s;
    }
  return best;
}

} // namespace dybw::bench
