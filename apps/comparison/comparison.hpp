#pragma once

#include "apps/results/run_reader.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dybw {

/// Runs that differ in nothing but their seed: the same policy, data, graph, times and training.
struct run_group {
  std::string policy;
  std::string label;             ///< the policy, and what tells it from other groups of the same policy
  std::size_t variant = 0;       ///< which one of its kind of policy it is ("static" of "static:2"), from 0
  std::vector<std::size_t> runs; ///< indices, in the order given; at least one
  /// The group that this one is compared with: the first of its setting, or where every setting has one group
  /// only, the first that trains the same by the same clock. Maybe itself.
  std::size_t reference = 0;
  std::optional<std::size_t> full; ///< the group of the policy `full` in the same setting
};

/// By what runs are compared: one yardstick for all of them.
struct yardstick {
  const char* field; ///< of run.json
  const char* text;
  bool more_is_better;
};

/// A mean over runs with its 95 % interval.
struct interval {
  double mean = 0;
  double low = 0;
  double high = 0;
  std::uint64_t count = 0; ///< values that it is made of
  std::uint64_t of = 0;    ///< .. and that there would be if every run had reached its target
  /// What tells it from the mean of all: that is more (">") or less ("<"), nobody knows ("~"), or the same
  /// ("").
  const char* bound = "";
};

/// Runs side by side. A plain value; all functions here are pure.
struct comparison {
  std::vector<stored_run> runs;
  std::vector<run_group> groups;      ///< by the first run of each
  std::vector<std::string> differing; ///< options in which groups differ, beside the policy; ascending
  yardstick by{};                     ///< time to target if all runs have one, else the rate of gradients
};

/// REQUIRES: at least one run.
comparison compare(std::vector<stored_run> runs);

/// A number of a run; none if it is null or missing.
std::optional<double> figure(const stored_run& x, const char* field);
std::string policy_of(const stored_run& x);
std::string seed_text(const stored_run& x);
/// The rate of useful gradients as a share of the one that nobody's waiting would give.
std::optional<double> share_of_no_wait(const stored_run& x);
/// Whether the audit found nothing.
bool is_clean(const stored_run& x);
/// Data, model, graph, slowness and clock of a run in a line.
std::string setting_text(const stored_run& x);

/// By how much a run is better than the reference's run of the same seed; none if there is none. Only runs of
/// one clock are ever compared.
std::optional<double> ratio_to_reference(const comparison& all, std::size_t run);
/// Geometric mean of the ratios of a group's runs to those of `other` of the same seed; none without a pair.
/// By time, a run that did not reach its target took longer than it says: a bound.
std::optional<interval> paired_ratio(const comparison& all, const run_group& g, const run_group& other,
                                     const yardstick& by);
extern const yardstick by_target;
/// How many runs of the group have reached their target.
std::size_t reached_count(const comparison& all, const run_group& g);

/// Number of the colour that a policy has everywhere, in [0, policy_colours.size()).
std::size_t policy_hue(const std::string& policy);

} // namespace dybw
