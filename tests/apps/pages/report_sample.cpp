#include "tests/apps/pages/report_sample.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

namespace dybw::testing {

namespace {

using nlohmann::json;
using edge_list = std::vector<std::pair<std::size_t, std::size_t>>;

constexpr double base_step_s = 0.045;
constexpr double slow_factor = 5;
constexpr std::size_t bins = 90;

edge_list make_edges(const report_sample& sample) {
  edge_list edges;
  const auto n = sample.workers;
  const auto add = [&](std::size_t a, std::size_t b) {
    const std::pair<std::size_t, std::size_t> link{std::min(a, b), std::max(a, b)};
    if (a != b && std::find(edges.begin(), edges.end(), link) == edges.end())
      edges.push_back(link);
  };
  if (sample.topology.rfind("torus:", 0) == 0) {
    const auto columns =
        static_cast<std::size_t>(std::stoul(sample.topology.substr(sample.topology.find('x') + 1)));
    for (std::size_t i = 0; i < n; ++i) {
      add(i, i / columns * columns + (i + 1) % columns);
      add(i, (i + columns) % n);
    }
  } else {
    for (std::size_t a = 0; a < n; ++a)
      for (std::size_t b = a + 1; b < n; ++b) {
        const bool next = b == a + 1;
        const bool closing = a == 0 && b == n - 1;
        if (sample.topology == "complete" || (sample.topology == "star" && a == 0) ||
            (sample.topology == "path" && next) || (sample.topology == "ring" && (next || closing)))
          add(a, b);
      }
  }
  return edges;
}

/// How much a policy lets a straggler hold up its neighbours, 1: entirely.
double held_up(const std::string& policy) {
  if (policy == "full")
    return 1;
  return policy.rfind("static", 0) == 0 ? 0.42 : policy == "adpsgd" ? 0.12 : 0.06;
}

class run_maker {
public:
  run_maker(const report_sample& sample, std::string policy)
      : sample_(sample), policy_(std::move(policy)), edges_(make_edges(sample)), held_up_(held_up(policy_)) {
    for (std::size_t i = 0; i < sample_.workers; ++i) {
      const bool slow = is_straggler(i);
      step_s_.push_back(base_step_s * (slow ? slow_factor : 1) * (0.93 + 0.14 * uniform()));
      const auto slowest = base_step_s * slow_factor;
      const auto round = slow ? step_s_[i] : step_s_[i] + held_up_ * (slowest - step_s_[i]) * reach(i);
      round_s_.push_back(sample_.stragglers.empty() ? 1.1 * step_s_[i] : round);
      rate_ += 1 / round_s_.back();
    }
  }

  json run() {
    const auto evaluations = evaluate();
    json result = {{"policy", policy_},
                   {"workers", sample_.workers},
                   {"edges", edges_.size()},
                   {"topology", sample_.topology},
                   {"dataset", "mnist"},
                   {"partition", "dirichlet:0.5"},
                   {"model", sample_.model},
                   {"parameters", with_model() ? 269322 : 0},
                   {"seed", 1},
                   {"clock", "real"},
                   {"rounds", std::floor(duration_s_ / round_s_.front())},
                   {"local_steps", std::floor(rate_ * duration_s_)},
                   {"duration_s", duration_s_},
                   {"mean_round_s", round_s_.front()},
                   {"time_to_target_s", reached_s_ ? json(*reached_s_) : json(nullptr)}};
    const auto& last = evaluations.empty() ? json::object() : evaluations.back();
    for (const auto* name : {"test_accuracy", "test_loss", "worst_worker_accuracy"})
      result[name] = last.contains(name) ? last[name] : json(nullptr);
    result["consensus_distance"] =
        last.contains("consensus_distance") ? last["consensus_distance"] : json(3.1e-7);
    double bound = 0;
    double computing = 0;
    double backup = 0;
    for (std::size_t i = 0; i < sample_.workers; ++i) {
      bound += 1 / step_s_[i];
      computing += step_s_[i] / round_s_[i] / static_cast<double>(sample_.workers);
      backup += backup_workers(i) / static_cast<double>(sample_.workers);
      result["per_worker"].push_back(
          {{"worker", i},
           {"rounds", std::floor(duration_s_ / round_s_[i])},
           {"local_steps", std::floor(duration_s_ / round_s_[i])},
           {"compute_s", 0.985 * duration_s_ * step_s_[i] / round_s_[i]},
           {"wait_s", 0.985 * duration_s_ * (1 - step_s_[i] / round_s_[i])},
           {"mean_backup_workers", backup_workers(i)},
           {"mean_step_s", step_s_[i]},
           {"test_accuracy", last.contains("test_accuracy")
                                 ? json(last["test_accuracy"].get<double>() - 0.01 * uniform())
                                 : json(nullptr)}});
    }
    double active = 0;
    for (const auto& [a, b] : edges_) {
      const bool slow = is_straggler(a) || is_straggler(b);
      const auto share = policy_ == "full" ? 1 : slow ? 0.13 + 0.1 * uniform() : 0.55 + 0.4 * uniform();
      active += share / static_cast<double>(edges_.size());
      result["per_edge"].push_back({{"edge", {a, b}}, {"active_share", share}});
    }
    result["evaluations"] = evaluations;
    result["useful_gradient_rate"] = rate_;
    result["no_wait_rate"] = bound;
    result["compute_share"] = computing;
    result["mean_backup_workers"] = backup;
    result["mean_active_share"] = active;
    result["timeouts"] = 0;
    result["estimates_sent"] = std::floor(2 * rate_ * duration_s_);
    result["estimates_late"] = policy_ == "full" ? 0 : std::floor(0.11 * rate_ * duration_s_);
    result["steps_discarded"] = 0;
    result["bytes_sent"] = std::floor(2 * rate_ * duration_s_) * 4 * 269322;
    result["host_cpu_s"] = 1.7 * duration_s_;
    result["peak_rss_bytes"] = 412'000'000;
    result["mixing"] = {{"rounds_audited", result["rounds"]},
                        {"rounds_unaudited", 1},
                        {"max_row_error", 2.2e-16},
                        {"max_column_error", 2.2e-16},
                        {"max_projection_error", 3e-8},
                        {"one_sided_edges", 0},
                        {"edges_lost", 0},
                        {"connect_rounds_max", 2 * sample_.workers}};
    result["workers_lost"] = json::array();
    result["interrupted"] = false;
    result["failed"] = false;
    result["failure"] = "";
    return result;
  }

  /// After `run`, which finds the duration.
  json series() {
    json result = {{"policy", policy_}};
    for (std::size_t bin = 0; bin < bins; ++bin)
      result["time_s"].push_back((static_cast<double>(bin) + 0.5) * duration_s_ / bins);
    for (std::size_t i = 0; i < sample_.workers; ++i) {
      json worker = {{"worker", i}};
      for (std::size_t bin = 0; bin < bins; ++bin) {
        // The straggler recovers for a while, and its neighbours with it.
        const bool recovered = bin > 54 && bin < 68;
        const bool empty = is_straggler(i) && bin % 31 == 7;
        const auto calm = recovered ? 0.35 : 1.0;
        const auto noise = 0.75 + 0.5 * uniform();
        const auto wait = 1 - step_s_[i] / round_s_[i];
        worker["backup_workers"].push_back(
            empty ? json(nullptr)
                  : json(std::min(1.0, backup_workers(i) * (policy_ == "dtur" ? calm * noise : 1))));
        worker["wait_share"].push_back(empty ? json(nullptr) : json(std::min(1.0, wait * calm * noise)));
        worker["round_s"].push_back(empty ? json(nullptr)
                                          : json(round_s_[i] * (1 - 0.6 * (1 - calm)) * noise));
      }
      result["workers"].push_back(std::move(worker));
    }
    return result;
  }

private:
  bool with_model() const { return sample_.model != "none"; }
  bool is_straggler(std::size_t i) const {
    return std::find(sample_.stragglers.begin(), sample_.stragglers.end(), i) != sample_.stragglers.end();
  }

  bool beside_straggler(std::size_t i) const {
    return std::any_of(edges_.begin(), edges_.end(), [&](const auto& link) {
      return (link.first == i && is_straggler(link.second)) || (link.second == i && is_straggler(link.first));
    });
  }

  /// How much of the hold-up arrives at worker i: all of it where everybody waits for everybody.
  double reach(std::size_t i) const { return policy_ == "full" || beside_straggler(i) ? 1 : 0.5; }

  double backup_workers(std::size_t i) const {
    if (policy_ == "full" || is_straggler(i))
      return 0;
    if (policy_.rfind("static", 0) == 0)
      return 1;
    return beside_straggler(i) ? 0.95 : 0.28 + 0.03 * static_cast<double>(i % 5);
  }

  json evaluate() {
    auto list = json::array();
    duration_s_ = sample_.time_limit_s;
    if (!with_model())
      return list;
    const auto steps_to_learn = 420.0 * static_cast<double>(sample_.workers) / 8 * 1.4;
    for (double t = 0; t <= sample_.time_limit_s; t += sample_.time_limit_s / 120) {
      const auto learned = 1 - std::exp(-std::pow(rate_ * t / steps_to_learn, 0.62));
      const auto accuracy = 0.1 + 0.862 * learned + 0.006 * (uniform() - 0.5);
      list.push_back(
          {{"time_s", t},
           {"local_steps", std::floor(rate_ * t)},
           {"test_accuracy", accuracy},
           {"test_loss", 0.13 + 2.17 * (1 - learned) + 0.01 * uniform()},
           {"worst_worker_accuracy", accuracy - (0.005 + 0.05 * (1 - held_up_)) * (1.1 - learned)},
           {"consensus_distance",
            t > 0 ? (1 - 0.85 * held_up_) * 2.5 * std::exp(-t / 22) * (0.8 + 0.4 * uniform()) : 0.0}});
      if (sample_.target && accuracy >= *sample_.target) {
        reached_s_ = t;
        duration_s_ = t;
        break;
      }
    }
    return list;
  }

  double uniform() { return std::uniform_real_distribution<double>{0, 1}(generator_); }

  const report_sample& sample_;
  std::string policy_;
  edge_list edges_;
  double held_up_;
  std::mt19937_64 generator_{7};
  std::vector<double> step_s_;
  std::vector<double> round_s_;
  double rate_ = 0;
  double duration_s_ = 0;
  std::optional<double> reached_s_;
};

} // namespace

json make_report_data(const report_sample& sample) {
  json document = {{"dybw", "0.1.0"},
                   {"config",
                    {{"dataset", "mnist"},
                     {"partition", "dirichlet:0.5"},
                     {"model", sample.model},
                     {"workers", sample.workers},
                     {"topology", sample.topology},
                     {"policy", sample.policies},
                     {"straggler", "slow:" + std::to_string(sample.stragglers.size()) + ":5"},
                     {"step-time", "shifted-exp:0.04,0.005"},
                     {"batch", 64},
                     {"step-size", 0.1},
                     {"target-accuracy", sample.target ? json(*sample.target) : json(nullptr)},
                     {"time-limit", sample.time_limit_s},
                     {"seed", 1}}},
                   {"runs", json::array()}};
  auto series = json::array();
  for (const auto& policy : sample.policies) {
    run_maker maker(sample, policy);
    document["runs"].push_back(maker.run());
    series.push_back(maker.series());
  }
  return {{"document", std::move(document)}, {"series", std::move(series)}};
}

} // namespace dybw::testing
