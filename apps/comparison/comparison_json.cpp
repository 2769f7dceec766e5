#include "apps/comparison/comparison_json.hpp"

#include "apps/program/version.hpp"
#include "apps/text/json_text.hpp"
#include "learning/base/statistics.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <set>

namespace dybw {

using nlohmann::json;

namespace {

constexpr std::array evaluation_figures = {"local_steps", "test_accuracy", "test_loss",
                                           "worst_worker_accuracy", "consensus_distance"};

/// Points of a mean over runs that measured at moments of their own.
constexpr std::size_t points_max = 400;

/// Figures of a run that are numbers, and what follows from them.
json with_shares(const stored_run& x) {
  auto run = x.run;
  if (const auto share = share_of_no_wait(x))
    run["bound_share"] = *share;
  return run;
}

/// FIELD: {"mean", "half_width", "count"}, and "bound" where not every run has reached its target.
json figures_of(const comparison& all, const run_group& g) {
  std::map<std::string, sample_mean> sums;
  for (const auto i : g.runs) {
    const auto run = with_shares(all.runs[i]);
    for (const auto& [name, value] : run.items())
      if (value.is_number() && name != "seed")
        sums[name].add(value.get<double>());
  }
  auto figures = json::object();
  for (const auto& [name, sum] : sums)
    figures[name] = {{"mean", sum.mean()},
                     {"half_width", sum.count() > 1 ? json(sum.half_width()) : json(nullptr)},
                     {"count", sum.count()}};
  if (figures.contains(by_target.field) && reached_count(all, g) < g.runs.size())
    figures[by_target.field]["bound"] = ">";
  return figures;
}

json to_json(const std::optional<interval>& x) {
  if (!x)
    return nullptr;
  const std::string bound = x->bound;
  return {{"mean", x->mean},   {"low", x->low}, {"high", x->high},
          {"count", x->count}, {"of", x->of},   {"bound", bound.empty() ? json(nullptr) : json(bound)}};
}

json seeds_of(const comparison& all, const run_group& g) {
  auto seeds = json::array();
  for (const auto i : g.runs)
    seeds.push_back(all.runs[i].run.value("seed", json(0)));
  return seeds;
}

// --- The mean of curves ---

double time_of(const json& e) {
  const auto found = e.find("time_s");
  return found != e.end() && found->is_number() ? found->get<double>()
                                                : std::numeric_limits<double>::quiet_NaN();
}

bool at_end(const json& e) {
  const auto found = e.find("at_end");
  return found != e.end() && found->is_boolean() && found->get<bool>();
}

std::optional<double> number_of(const json& e, const char* name) {
  const auto found = e.find(name);
  return found != e.end() && found->is_number() ? std::optional{found->get<double>()} : std::nullopt;
}

/// What a run measured while it lasted.
std::vector<const json*> while_it_ran(const stored_run& x) {
  std::vector<const json*> points;
  const auto found = x.run.find("evaluations");
  if (found == x.run.end() || !found->is_array())
    return points;
  for (const auto& e : *found)
    if (e.is_object() && !at_end(e) && time_of(e) >= (points.empty() ? 0 : time_of(*points.back())))
      points.push_back(&e);
  return points;
}

const json* the_end(const stored_run& x) {
  const auto found = x.run.find("evaluations");
  if (found == x.run.end() || !found->is_array() || found->empty() || !found->back().is_object() ||
      !at_end(found->back()))
    return nullptr;
  return &found->back();
}

/// Between two evaluations in a straight line; none outside of them.
std::optional<double> value_at(const std::vector<const json*>& points, double t, const char* name) {
  const auto after = std::lower_bound(points.begin(), points.end(), t,
                                      [](const json* e, double at) { return time_of(*e) < at; });
  if (after == points.end())
    return std::nullopt;
  const auto y = number_of(**after, name);
  if (time_of(**after) == t || !y)
    return time_of(**after) == t ? y : std::nullopt;
  if (after == points.begin())
    return std::nullopt;
  const auto& before = **(after - 1);
  const auto x = number_of(before, name);
  const auto span = time_of(**after) - time_of(before);
  if (!x || span <= 0)
    return y;
  return *x + (*y - *x) * (t - time_of(before)) / span;
}

/// Means of one moment, over the runs that all have one.
template <class Value>
json mean_of(std::size_t runs, double t, bool is_end, const json& like, Value value) {
  json e{{"time_s", t}, {"at_end", is_end}, {"half_widths", json::object()}};
  for (const auto* name : {"scored_workers", "scored_samples"})
    if (like.contains(name))
      e[name] = like[name];
  for (const auto* name : evaluation_figures) {
    sample_mean sum;
    for (std::size_t i = 0; i < runs; ++i)
      if (const std::optional<double> x = value(i, name))
        sum.add(*x);
    if (sum.count() < runs)
      continue;
    e[name] = sum.mean();
    e["half_widths"][name] = sum.half_width();
  }
  return e;
}

/// The moments of the run with the fewest, while all of them last.
std::vector<double> common_moments(const std::vector<std::vector<const json*>>& curves) {
  const auto& fewest = *std::min_element(curves.begin(), curves.end(), [](const auto& a, const auto& b) {
    return time_of(*a.back()) < time_of(*b.back());
  });
  std::vector<double> moments;
  const auto every = 1 + fewest.size() / points_max;
  for (std::size_t i = 0; i < fewest.size(); ++i)
    if (i % every == 0 || i + 1 == fewest.size())
      moments.push_back(time_of(*fewest[i]));
  return moments;
}

// --- A group as one run ---

/// Over all runs: sums of what was counted, the largest of what went wrong, null if one was not finite.
json mixing_of(const comparison& all, const run_group& g) {
  json together;
  std::set<std::string> infinite;
  for (const auto i : g.runs) {
    const auto found = all.runs[i].run.find("mixing");
    if (found == all.runs[i].run.end() || !found->is_object())
      continue;
    for (const auto& [name, value] : found->items()) {
      if (value.is_null())
        infinite.insert(name);
      if (!value.is_number())
        continue;
      const auto is_largest =
          name.starts_with("max_") || name == "connect_rounds_max" || name == "mean_drift";
      auto& sum = together[name];
      if (sum.is_null())
        sum = value;
      else if (is_largest)
        sum = std::max(sum.get<double>(), value.get<double>());
      else
        sum = sum.get<std::uint64_t>() + value.get<std::uint64_t>();
    }
  }
  for (const auto& name : infinite)
    together[name] = nullptr;
  return together;
}

bool is_true(const json& run, const char* name) {
  const auto found = run.find(name);
  return found != run.end() && found->is_boolean() && found->get<bool>();
}

/// A RUN that stands for all of a group. What belongs to single workers is that of the first.
json combined_run(const comparison& all, const run_group& g) {
  auto together = with_shares(all.runs[g.runs.front()]);
  together["label"] = g.label;
  together["variant"] = g.variant;
  together["seeds"] = seeds_of(all, g);
  if (g.full) {
    together["full"] = *g.full;
    together["speed_up"] = to_json(paired_ratio(all, g, all.groups[*g.full], by_target));
  }
  if (g.runs.size() == 1)
    return together;
  auto half_widths = json::object();
  auto counts = json::object();
  const auto figures = figures_of(all, g);
  for (const auto& [name, value] : figures.items()) {
    together[name] = value["mean"];
    half_widths[name] = value["half_width"];
    counts[name] = value["count"];
  }
  together["half_widths"] = half_widths;
  together["counts"] = counts;
  together["mixing"] = mixing_of(all, g);
  together["evaluations"] = evaluations_of(all, g);
  std::set<json> lost;
  for (const auto i : g.runs) {
    const auto& run = all.runs[i].run;
    for (const auto* flag : {"failed", "interrupted"})
      if (is_true(run, flag))
        together[flag] = true;
    if (run.contains("failure") && run["failure"].is_string())
      together["failure"] = run["failure"];
    if (run.contains("workers_lost") && run["workers_lost"].is_array())
      lost.insert(run["workers_lost"].begin(), run["workers_lost"].end());
  }
  together["workers_lost"] = lost;
  return together;
}

/// Options with the values of all runs, those that differ one after the other.
json common_config(const comparison& all) {
  auto config = json::object();
  std::set<std::string> names;
  for (const auto& x : all.runs)
    for (const auto& [name, value] : x.config.items())
      names.insert(name);
  for (const auto& name : names) {
    auto values = json::array();
    for (const auto& x : all.runs)
      if (const auto value = x.config.value(name, json(nullptr));
          std::find(values.begin(), values.end(), value) == values.end())
        values.push_back(value);
    if (values.size() == 1) {
      config[name] = values.front();
      continue;
    }
    std::string list;
    for (const auto& value : values)
      list += (list.empty() ? "" : ", ") + (value.is_null()     ? "none"
                                            : value.is_string() ? value.get<std::string>()
                                                                : json_text(value));
    config[name] = list;
  }
  return config;
}

} // namespace

json evaluations_of(const comparison& all, const run_group& g) {
  if (g.runs.size() == 1)
    return all.runs[g.runs.front()].run.value("evaluations", json::array());
  std::vector<std::vector<const json*>> curves;
  std::vector<const json*> ends;
  for (const auto i : g.runs) {
    curves.push_back(while_it_ran(all.runs[i]));
    ends.push_back(the_end(all.runs[i]));
  }
  auto means = json::array();
  if (std::none_of(curves.begin(), curves.end(), [](const auto& each) { return each.empty(); }))
    for (const auto t : common_moments(curves))
      means.push_back(mean_of(curves.size(), t, false, *curves.front().front(),
                              [&](std::size_t i, const char* name) { return value_at(curves[i], t, name); }));
  if (std::find(ends.begin(), ends.end(), nullptr) != ends.end())
    return means;
  running_mean end;
  for (const auto* e : ends)
    end.add(time_of(*e));
  means.push_back(mean_of(ends.size(), end.mean(), true, *ends.front(),
                          [&](std::size_t i, const char* name) { return number_of(*ends[i], name); }));
  return means;
}

json runs_to_json(const comparison& all) {
  json document{{"dybw", version()}, {"ratio_by", all.by.field}, {"runs", json::array()}};
  for (std::size_t i = 0; i < all.runs.size(); ++i) {
    auto run = all.runs[i].run;
    run["directory"] = all.runs[i].directory.string();
    const auto times = ratio_to_reference(all, i);
    run["ratio_to_first"] = times ? json(*times) : json(nullptr);
    document["runs"].push_back(std::move(run));
  }
  return document;
}

json groups_to_json(const comparison& all) {
  json document{{"dybw", version()}, {"ratio_by", all.by.field}, {"groups", json::array()}};
  for (const auto& g : all.groups) {
    const auto& first = all.runs[g.runs.front()];
    auto setting = first.config;
    if (setting.is_object())
      for (const auto* name : {"seed", "policy"})
        setting.erase(name);
    auto directories = json::array();
    for (const auto i : g.runs)
      directories.push_back(all.runs[i].directory.string());
    document["groups"].push_back(
        {{"policy", g.policy},
         {"label", g.label},
         {"setting", setting},
         {"seeds", seeds_of(all, g)},
         {"directories", directories},
         {"figures", figures_of(all, g)},
         {"ratio_to_first", to_json(paired_ratio(all, g, all.groups[g.reference], all.by))},
         {"clean",
          std::all_of(g.runs.begin(), g.runs.end(), [&](std::size_t i) { return is_clean(all.runs[i]); })}});
  }
  return document;
}

json page_data(const comparison& all) {
  json document{{"dybw", version()},
                {"config", common_config(all)},
                {"differing", all.differing},
                {"runs", json::array()}};
  auto series = json::array();
  for (const auto& g : all.groups) {
    document["runs"].push_back(combined_run(all, g));
    series.push_back(read_series(all.runs[g.runs.front()]));
  }
  return {{"document", document}, {"series", series}};
}

} // namespace dybw
