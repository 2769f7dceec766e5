#include "apps/comparison/comparison.hpp"

#include "apps/text/json_text.hpp"
#include "learning/base/statistics.hpp"
#include "learning/run/run_result.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <map>
#include <set>

namespace dybw {

using nlohmann::json;

const yardstick by_target{"time_to_target_s", "time to target", false};

namespace {

const yardstick by_gradients{"useful_gradient_rate", "gradients/s", true};

/// What may differ between runs of one group: the seed itself, the policies that ran beside this one, and
/// what says how the run was done on its machine.
constexpr std::array of_no_matter = {"seed", "policy", "threads", "data", "checkpoint-every"};

/// What runs must share to be compared at all.
constexpr std::array task = {"dataset", "partition", "model", "clock"};

/// Everything that was asked for beside the policy and the seed.
json setting_of(const stored_run& x) {
  auto setting = json::object();
  for (const auto& [name, value] : x.config.items())
    if (!value.is_null() && std::find(of_no_matter.begin(), of_no_matter.end(), name) == of_no_matter.end())
      setting[name] = value;
  for (const auto* name : {"dataset", "partition", "model", "workers", "topology", "clock"})
    if (!setting.contains(name) && x.run.contains(name))
      setting[name] = x.run[name];
  return setting;
}

json task_of(const json& setting) {
  auto same = json::object();
  for (const auto* name : task)
    if (setting.contains(name))
      same[name] = setting[name];
  return same;
}

std::string kind_of(const std::string& policy) {
  return policy.substr(0, policy.find(':'));
}

/// Of each group, as `setting_of`.
using settings = std::vector<json>;

json value_of(const json& setting, const std::string& name) {
  return setting.value(name, json(nullptr));
}

/// Names of options that have different values among the groups at `which`.
std::vector<std::string> differing(const settings& all, const std::vector<std::size_t>& which) {
  std::set<std::string> names;
  for (const auto i : which)
    for (const auto& [name, value] : all[i].items())
      if (value != value_of(all[which.front()], name))
        names.insert(name);
  for (const auto& [name, value] : all[which.front()].items())
    for (const auto i : which)
      if (value != value_of(all[i], name))
        names.insert(name);
  return {names.begin(), names.end()};
}

std::string plain_text(const json& value) {
  return value.is_null() ? "none" : value.is_string() ? value.get<std::string>() : json_text(value);
}

void name_groups(comparison& all, const settings& found) {
  std::map<std::string, std::vector<std::size_t>> of_policy;
  std::map<std::string, std::size_t> of_kind;
  for (std::size_t i = 0; i < all.groups.size(); ++i) {
    of_policy[all.groups[i].policy].push_back(i);
    all.groups[i].variant = of_kind[kind_of(all.groups[i].policy)]++;
  }
  for (const auto& [policy, which] : of_policy) {
    const auto names = differing(found, which);
    for (const auto i : which) {
      std::string more;
      for (const auto& name : names)
        more += (more.empty() ? "" : ", ") + name + " " + plain_text(value_of(found[i], name));
      all.groups[i].label = policy + (more.empty() ? "" : " (" + more + ")");
    }
  }
}

void find_references(comparison& all, const settings& found) {
  std::map<json, std::size_t> first_of_setting;
  std::map<json, std::size_t> first_of_task;
  std::map<json, std::size_t> full_of_setting;
  for (std::size_t i = 0; i < all.groups.size(); ++i) {
    first_of_setting.emplace(found[i], i);
    first_of_task.emplace(task_of(found[i]), i);
    if (all.groups[i].policy == "full")
      full_of_setting.emplace(found[i], i);
  }
  const auto one_each = first_of_setting.size() == all.groups.size();
  for (std::size_t i = 0; i < all.groups.size(); ++i) {
    auto& g = all.groups[i];
    g.reference = one_each ? first_of_task.at(task_of(found[i])) : first_of_setting.at(found[i]);
    if (const auto full = full_of_setting.find(found[i]); full != full_of_setting.end())
      g.full = full->second;
  }
}

/// How many times as good as `first`.
std::optional<double> ratio(const yardstick& by, const stored_run& first, const stored_run& run) {
  const auto a = figure(first, by.field);
  const auto b = figure(run, by.field);
  if (!a || !b || *a <= 0 || *b <= 0)
    return std::nullopt;
  return by.more_is_better ? *b / *a : *a / *b;
}

/// The run of `other` that belongs to the run at `index` of `g`: of the same seed, and where that was run
/// several times, as far behind the first.
const stored_run* partner(const comparison& all, const run_group& g, std::size_t index,
                          const run_group& other) {
  const auto seed = seed_text(all.runs[g.runs[index]]);
  auto earlier = std::count_if(g.runs.begin(), g.runs.begin() + static_cast<std::ptrdiff_t>(index),
                               [&](std::size_t i) { return seed_text(all.runs[i]) == seed; });
  const stored_run* found = nullptr;
  for (const auto i : other.runs)
    if (seed_text(all.runs[i]) == seed) {
      found = &all.runs[i];
      if (earlier-- == 0)
        break;
    }
  return found;
}

/// Which bound a mean of ratios is where runs of the group, or those that it is compared with, have none.
const char* bound_of(const yardstick& by, bool ours_missing, bool theirs_missing) {
  if (by.more_is_better || ours_missing == theirs_missing)
    return "~";
  return ours_missing ? "<" : ">";
}

} // namespace

std::optional<double> figure(const stored_run& x, const char* field) {
  const auto found = x.run.find(field);
  return found != x.run.end() && found->is_number() ? std::optional{found->get<double>()} : std::nullopt;
}

std::string policy_of(const stored_run& x) {
  return x.run["policy"].get<std::string>();
}

std::string seed_text(const stored_run& x) {
  return json_text(x.run.value("seed", json(0)));
}

std::optional<double> share_of_no_wait(const stored_run& x) {
  const auto no_wait = figure(x, "no_wait_rate");
  const auto rate = figure(x, "useful_gradient_rate");
  return no_wait && rate && *no_wait > 0 ? std::optional{*rate / *no_wait} : std::nullopt;
}

bool is_clean(const stored_run& x) {
  const auto mixing = x.run.value("mixing", json::object());
  const auto at = [&](const char* name) {
    const auto found = mixing.find(name);
    if (found == mixing.end())
      return 0.0;
    return found->is_number() ? found->get<double>() : std::numeric_limits<double>::infinity();
  };
  mixing_summary summary;
  summary.one_sided_edges = at("one_sided_edges") == 0 ? 0 : 1;
  summary.max_row_error = at("max_row_error");
  summary.max_column_error = at("max_column_error");
  summary.max_projection_error = at("max_projection_error");
  return summary.clean();
}

std::string setting_text(const stored_run& x) {
  const auto text = [](const json& from, const char* name) {
    const auto found = from.find(name);
    return found == from.end() || found->is_null() ? std::string{"?"} : plain_text(*found);
  };
  return text(x.run, "dataset") + " (" + text(x.run, "partition") + "), " + text(x.run, "model") + ", " +
         text(x.run, "workers") + " workers on " + text(x.run, "topology") + ", step time " +
         text(x.config, "step-time") + ", straggler " + text(x.config, "straggler") + ", " +
         text(x.run, "clock") + " clock";
}

comparison compare(std::vector<stored_run> runs) {
  assert(!runs.empty());
  comparison all{std::move(runs), {}, {}, by_gradients};
  settings found;
  std::map<json, std::size_t> place;
  for (std::size_t i = 0; i < all.runs.size(); ++i) {
    auto setting = setting_of(all.runs[i]);
    const auto policy = policy_of(all.runs[i]);
    const auto [at, is_new] = place.emplace(json{policy, setting}, all.groups.size());
    if (is_new) {
      all.groups.push_back({policy, policy, 0, {}, 0, {}});
      found.push_back(std::move(setting));
    }
    all.groups[at->second].runs.push_back(i);
  }
  std::vector<std::size_t> every(all.groups.size());
  for (std::size_t i = 0; i < every.size(); ++i)
    every[i] = i;
  all.differing = differing(found, every);
  name_groups(all, found);
  find_references(all, found);
  // Never the mean round: rounds of different policies do different amounts of work.
  if (std::all_of(all.runs.begin(), all.runs.end(),
                  [](const stored_run& x) { return figure(x, by_target.field).has_value(); }))
    all.by = by_target;
  return all;
}

std::optional<double> ratio_to_reference(const comparison& all, std::size_t run) {
  for (const auto& g : all.groups)
    if (const auto at = std::find(g.runs.begin(), g.runs.end(), run); at != g.runs.end()) {
      const auto index = static_cast<std::size_t>(at - g.runs.begin());
      const auto* other = partner(all, g, index, all.groups[g.reference]);
      return other ? ratio(all.by, *other, all.runs[run]) : std::nullopt;
    }
  return std::nullopt;
}

std::optional<interval> paired_ratio(const comparison& all, const run_group& g, const run_group& other,
                                     const yardstick& by) {
  sample_mean logarithms;
  std::uint64_t pairs = 0;
  auto ours_missing = false;
  auto theirs_missing = false;
  for (std::size_t i = 0; i < g.runs.size(); ++i) {
    const auto* first = partner(all, g, i, other);
    if (first == nullptr)
      continue;
    ++pairs;
    const auto& run = all.runs[g.runs[i]];
    if (const auto times = ratio(by, *first, run)) {
      logarithms.add(std::log(*times));
      continue;
    }
    ours_missing = ours_missing || !figure(run, by.field);
    theirs_missing = theirs_missing || !figure(*first, by.field);
  }
  if (logarithms.count() == 0)
    return std::nullopt;
  const auto at = [&](double sign) { return std::exp(logarithms.mean() + sign * logarithms.half_width()); };
  const auto* bound = logarithms.count() < pairs ? bound_of(by, ours_missing, theirs_missing) : "";
  return interval{at(0), at(-1), at(1), logarithms.count(), pairs, bound};
}

std::size_t reached_count(const comparison& all, const run_group& g) {
  return static_cast<std::size_t>(std::ranges::count_if(
      g.runs, [&](std::size_t i) { return figure(all.runs[i], by_target.field).has_value(); }));
}

std::size_t policy_hue(const std::string& policy) {
  static constexpr std::array<const char*, 7> known{"dtur", "full",     "static", "adpsgd",
                                                    "hop",  "adaptive", "barrier"};
  const auto kind = kind_of(policy);
  const auto at = std::find(known.begin(), known.end(), kind);
  if (at != known.end())
    return static_cast<std::size_t>(at - known.begin());
  std::size_t sum = 0;
  for (const auto c : kind)
    sum += static_cast<unsigned char>(c);
  return sum % known.size();
}

} // namespace dybw
