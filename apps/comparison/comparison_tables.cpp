#include "apps/comparison/comparison_tables.hpp"

#include "apps/comparison/comparison_json.hpp"
#include "apps/text/json_text.hpp"
#include "apps/text/text_table.hpp"
#include "learning/base/number_text.hpp"
#include "learning/base/statistics.hpp"

#include <algorithm>
#include <cstdint>
#include <set>

namespace dybw {

using nlohmann::json;

namespace {

std::string plain_number(double x) {
  return fixed_text(x, 2);
}

/// What all groups have in common, above a table; empty if that is not all of the setting.
std::string common_setting(const comparison& all) {
  const auto first = setting_text(all.runs.front());
  const auto same = [&](const stored_run& x) { return setting_text(x) == first; };
  return std::all_of(all.runs.begin(), all.runs.end(), same) ? first + "\n\n" : "";
}

/// "n of m"
std::string share_text(std::uint64_t some, std::uint64_t all) {
  return std::to_string(some) + " of " + std::to_string(all);
}

/// "mean ± half of the 95 % interval" of what all of the group have, and of how many if not of all.
template <class Figure>
std::string mean_text(const comparison& all, const run_group& g, Figure figure, std::string (*text)(double)) {
  sample_mean values;
  for (const auto i : g.runs)
    if (const auto value = figure(all.runs[i]))
      values.add(*value);
  if (values.count() == 0)
    return "-";
  return text(values.mean()) + (values.count() > 1 ? " ± " + text(values.half_width()) : "") +
         (values.count() < g.runs.size() ? " (" + share_text(values.count(), g.runs.size()) + ")" : "");
}

/// Whether the mean time to the target is that of some runs, and less than that of all.
bool is_time_bound(const comparison& all, const run_group& g) {
  const auto reached = reached_count(all, g);
  return reached > 0 && reached < g.runs.size();
}

/// What the marks of bounds mean, if there are any.
std::string bounds_text(const comparison& all) {
  return std::ranges::any_of(all.groups, [&](const run_group& g) { return is_time_bound(all, g); })
             ? "> with (n of m): n of m runs reached the target, the time of the others is more"
             : "";
}

std::string ratio_text(const std::optional<interval>& x) {
  if (!x)
    return "-";
  const std::string bound = x->bound;
  return bound + (bound.empty() ? "" : " ") + plain_number(x->mean) +
         (x->count > 1 ? " (" + plain_number(x->low) + " to " + plain_number(x->high) + ")" : "") +
         (x->count < x->of ? " (" + share_text(x->count, x->of) + ")" : "");
}

/// Who audits says so at the end: nothing is known of a run that has not come to it.
std::string audit_word(const stored_run& x) {
  return is_unfinished(x) ? "-" : is_clean(x) ? "ok" : "WRONG";
}

/// The worst of them.
std::string audit_word(const comparison& all, const run_group& g) {
  std::string worst = "ok";
  for (auto i : g.runs)
    if (const auto word = audit_word(all.runs[i]); word == "WRONG" || worst == "ok")
      worst = word;
  return worst;
}

/// A line for each run that has not come to its end.
std::string unfinished_text(const comparison& all) {
  std::string text;
  for (const auto& x : all.runs)
    if (is_unfinished(x))
      text += x.directory.string() + " " + policy_of(x) +
              ": not at its end (it still runs, or was killed); figures up to " +
              or_dash(figure(x, "duration_s"), seconds_text) + "\n";
  return text;
}

/// What a table of groups has of one of them.
std::vector<std::string> cells_of(const comparison& all, const run_group& g) {
  const auto of = [](const char* name) { return [name](const stored_run& x) { return figure(x, name); }; };
  return {g.label,
          std::to_string(g.runs.size()),
          (is_time_bound(all, g) ? "> " : "") + mean_text(all, g, of(by_target.field), seconds_text),
          mean_text(all, g, of("test_accuracy"), percent_text),
          mean_text(all, g, of("worst_worker_accuracy"), percent_text),
          mean_text(all, g, share_of_no_wait, percent_text),
          mean_text(all, g, of("compute_share"), percent_text),
          mean_text(all, g, of("mean_backup_workers"), plain_number),
          ratio_text(paired_ratio(all, g, all.groups[g.reference], all.by)),
          audit_word(all, g)};
}

const std::vector<std::string> group_columns{
    "policy",           "runs",      "time to target", "accuracy",         "worst worker",
    "steps of no-wait", "computing", "backup workers", "times the first*", "audit"};

/// Which group the others are compared with, where that is not plain.
std::string reference_text(const comparison& all) {
  std::set<std::size_t> references;
  for (const auto& g : all.groups)
    references.insert(g.reference);
  return references.size() > 1 ? " of its setting" : "";
}

std::string latex_text(const std::string& text) {
  std::string safe;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "±") == 0) {
      safe += "$\\pm$";
      ++i;
    } else if (std::string_view{"&%$#_{}"}.find(text[i]) != std::string_view::npos) {
      safe += std::string{'\\'} + text[i];
    } else if (text[i] == '<' || text[i] == '>') {
      safe += std::string{'$'} + text[i] + '$';
    } else if (text[i] == '\\') {
      safe += "\\textbackslash{}";
    } else if (text[i] == '~' || text[i] == '^') {
      safe += std::string{'\\'} + text[i] + "{}";
    } else {
      safe += text[i];
    }
  }
  return safe;
}

// --- CSV ---

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos)
    return text;
  std::string quoted = "\"";
  for (const auto c : text)
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

/// Booleans and nulls, too: true, false and nothing.
std::string csv_value(const json& value) {
  return value.is_null()     ? ""
         : value.is_string() ? csv_cell(value.get<std::string>())
                             : csv_cell(json_text(value));
}

template <class Line>
std::string csv(const std::vector<std::string>& columns, std::size_t lines, Line line) {
  std::string text;
  const auto append = [&](std::size_t column, const std::string& cell) {
    if (column > 0)
      text += ',';
    text += cell;
    if (column + 1 == columns.size())
      text += '\n';
  };
  for (std::size_t k = 0; k < columns.size(); ++k)
    append(k, csv_cell(columns[k]));
  for (std::size_t i = 0; i < lines; ++i)
    for (std::size_t k = 0; k < columns.size(); ++k)
      append(k, csv_value(line(i, columns[k])));
  return text;
}

bool is_scalar(const json& value) {
  return value.is_number() || value.is_string() || value.is_boolean();
}

std::set<std::string> option_names(const comparison& all, const std::set<std::string>& but) {
  std::set<std::string> names;
  for (const auto& x : all.runs)
    for (const auto& [name, value] : x.config.items())
      if (!but.contains(name))
        names.insert(name);
  return names;
}

} // namespace

std::string runs_table(const comparison& all) {
  std::set<std::filesystem::path> directories;
  for (const auto& x : all.runs)
    directories.insert(x.directory);
  text_table table;
  table.add({"run", "seed", "time to", "accuracy", "worst", "rounds", "mean", "steps of", "computing",
             "backup", "times the", "audit"});
  table.add({"", "", "target", "", "worker", "", "round", "no-wait", "", "workers", "first*", ""});
  for (std::size_t i = 0; i < all.runs.size(); ++i) {
    const auto& x = all.runs[i];
    const auto of = [&](const char* name, std::string (*text)(double)) {
      return or_dash(figure(x, name), text);
    };
    table.add({(directories.size() > 1 ? x.directory.string() + " " : "") + policy_of(x), seed_text(x),
               of("time_to_target_s", seconds_text), of("test_accuracy", percent_text),
               of("worst_worker_accuracy", percent_text), count_text(x.run["rounds"].get<std::uint64_t>()),
               of("mean_round_s", seconds_text), or_dash(share_of_no_wait(x), percent_text),
               of("compute_share", percent_text), of("mean_backup_workers", plain_number),
               or_dash(ratio_to_reference(all, i), plain_number), audit_word(x)});
  }
  const auto common = common_setting(all);
  const auto several =
      std::any_of(all.groups.begin(), all.groups.end(), [](const run_group& g) { return g.runs.size() > 1; });
  auto text = common + table.text() + "* by " + all.by.text + ", the first" + reference_text(all) +
              " with the same seed" + (several ? "; --group shows means over the seeds" : "") + "\n" +
              unfinished_text(all);
  if (common.empty())
    for (const auto& x : all.runs)
      text += x.directory.string() + " " + policy_of(x) + ": " + setting_text(x) + "\n";
  return text;
}

std::string groups_table(const comparison& all) {
  text_table table;
  table.add(group_columns);
  for (const auto& g : all.groups)
    table.add(cells_of(all, g));
  const auto common = common_setting(all);
  const auto bounds = bounds_text(all);
  auto text = common + table.text() + "* by " + all.by.text + ", geometric mean over runs of the same seed" +
              (reference_text(all).empty() ? "" : ", the first" + reference_text(all)) +
              "; ± and (to): 95 % intervals over the seeds" + (bounds.empty() ? "" : "; " + bounds) + "\n" +
              unfinished_text(all);
  if (common.empty())
    for (const auto& g : all.groups)
      text += g.label + ": " + setting_text(all.runs[g.runs.front()]) + "\n";
  return text;
}

std::string latex_table(const comparison& all) {
  const auto bounds = bounds_text(all);
  auto text =
      "% dybw report; needs \\usepackage{booktabs}. Means over the runs, with 95 % intervals over the "
      "seeds.\n% " +
      setting_text(all.runs.front()) + (common_setting(all).empty() ? ", and others" : "") +
      "\n% Ratios by " + all.by.text + ", geometric means over runs of the same seed.\n" +
      (bounds.empty() ? "" : "% " + bounds + ".\n") + "\\begin{tabular}{l" +
      std::string(group_columns.size() - 1, 'r') + "}\n\\toprule\n";
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string joined;
    for (const auto& cell : cells)
      joined += (joined.empty() ? "" : " & ") + (cell == "-" ? "--" : latex_text(cell));
    text += joined + " \\\\\n";
  };
  auto head = group_columns;
  for (auto& name : head)
    if (name.ends_with('*'))
      name.pop_back();
  line(head);
  text += "\\midrule\n";
  for (const auto& g : all.groups)
    line(cells_of(all, g));
  return text + "\\bottomrule\n\\end{tabular}\n";
}

std::string runs_csv(const comparison& all) {
  std::vector<std::string> columns{"group", "policy", "directory", "seed"};
  std::set<std::string> known(columns.begin(), columns.end());
  std::set<std::string> figures;
  for (const auto& x : all.runs)
    for (const auto& [name, value] : x.run.items())
      if (is_scalar(value) && !known.contains(name))
        figures.insert(name);
  known.insert(figures.begin(), figures.end());
  const auto options = option_names(all, known);
  columns.insert(columns.end(), options.begin(), options.end());
  columns.insert(columns.end(), figures.begin(), figures.end());
  std::vector<std::string> labels(all.runs.size());
  for (const auto& g : all.groups)
    for (const auto i : g.runs)
      labels[i] = g.label;
  return csv(columns, all.runs.size(), [&](std::size_t i, const std::string& name) -> json {
    const auto& x = all.runs[i];
    if (name == "group")
      return labels[i];
    if (name == "directory")
      return x.directory.string();
    const auto found = x.run.find(name);
    if (found != x.run.end() && (is_scalar(*found) || figures.contains(name)))
      return is_scalar(*found) ? *found : json(nullptr);
    return x.config.value(name, json(nullptr));
  });
}

std::string groups_csv(const comparison& all) {
  const auto document = groups_to_json(all);
  std::vector<std::string> columns{"group", "policy", "runs"};
  std::set<std::string> figures;
  for (const auto& g : document["groups"])
    for (const auto& [name, value] : g["figures"].items())
      figures.insert(name);
  auto known = figures;
  known.insert({"group", "policy", "runs", "seed"});
  const auto options = option_names(all, known);
  columns.insert(columns.end(), options.begin(), options.end());
  const auto bound = std::string{by_target.field} + "_bound";
  for (const auto& name : figures) {
    for (const auto* more : {"", "_half_width", "_runs"})
      columns.push_back(name + more);
    if (name == by_target.field)
      columns.push_back(bound);
  }
  return csv(columns, all.groups.size(), [&](std::size_t i, const std::string& name) -> json {
    const auto& g = document["groups"][i];
    if (name == "group")
      return g["label"];
    if (name == "policy")
      return g[name];
    if (name == "runs")
      return g["seeds"].size();
    if (name == bound)
      return g["figures"].value(std::string{by_target.field}, json::object()).value("bound", json(nullptr));
    for (const auto& [more, field] :
         {std::pair{"_half_width", "half_width"}, std::pair{"_runs", "count"}, std::pair{"", "mean"}}) {
      const auto base =
          name.ends_with(more) ? name.substr(0, name.size() - std::string_view{more}.size()) : "";
      if (figures.contains(base))
        return g["figures"].contains(base) ? g["figures"][base][field] : json(nullptr);
    }
    return g["setting"].is_object() ? g["setting"].value(name, json(nullptr)) : json(nullptr);
  });
}

} // namespace dybw
