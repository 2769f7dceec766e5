#include "bench/experiments/experiment_results.hpp"

#include <algorithm>
#include <limits>
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

std::optional<double> tuning_score(const experiment_results& results, const std::vector<std::string>& row,
                                   const std::string& step_size) {
  constexpr double never = 1e12;
  double sum = 0;
  for (const auto seed : tuning_seeds) {
    const auto* run = results.find(name_of(run_of(row, step_size, seed)));
    if (!run)
      return std::nullopt;
    const auto& time = (*run)["time_to_target_s"];
    const auto& accuracy = (*run)["test_accuracy"];
    sum += time.is_number() ? time.get<double>()
                            : never * (2 - (accuracy.is_number() ? accuracy.get<double>() : 0));
  }
  return sum / static_cast<double>(tuning_seeds.size());
}

std::string best_step_size(const experiment& x, const experiment_results& results,
                           const std::vector<std::string>& row) {
  std::string best;
  auto least = std::numeric_limits<double>::infinity();
  for (const auto& s : x.step_sizes)
    if (const auto score = tuning_score(results, row, s); score && *score < least) {
      least = *score;
      best = s;
    }
  return best;
}

} // namespace dybw::bench
