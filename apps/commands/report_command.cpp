#include "apps/commands/commands.hpp"
#include "apps/options/option_group.hpp"
#include "apps/options/option_values.hpp"
#include "apps/pages/report_page.hpp"
#include "apps/program/version.hpp"
#include "apps/results/run_reader.hpp"
#include "apps/text/json_text.hpp"
#include "apps/text/text_table.hpp"
#include "learning/base/number_text.hpp"
#include "learning/base/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <optional>
#include <set>

namespace po = boost::program_options;

namespace dybw {

namespace {

using nlohmann::json;

constexpr std::size_t directories_max = 1000;
constexpr std::string_view page_begin = "<!doctype html>";

po::options_description report_option_list() {
  auto list = option_group("Options");
  list.add_options()("out", text_value("FILE"), "write a page with charts: one file, opens offline")(
      "group", po::bool_switch(),
      "one line for each policy and setting, means over the runs of several seeds")(
      "format", text_value("text|json", "text"), "what to print")("help", po::bool_switch(),
                                                                  "show this page");
  return list;
}

std::optional<double> number(const json& run, const char* name) {
  const auto found = run.find(name);
  return found != run.end() && found->is_number() ? std::optional{found->get<double>()} : std::nullopt;
}

/// Data, model, graph, slowness and clock of a run in a line.
std::string setting(const stored_run& x) {
  const auto text = [](const json& from, const char* name) {
    const auto found = from.find(name);
    return found == from.end() || found->is_null() ? std::string{"?"}
           : found->is_string()                    ? found->get<std::string>()
                                                   : json_text(*found);
  };
  return text(x.run, "dataset") + " (" + text(x.run, "partition") + "), " + text(x.run, "model") + ", " +
         text(x.run, "workers") + " workers on " + text(x.run, "topology") + ", step time " +
         text(x.config, "step-time") + ", straggler " + text(x.config, "straggler") + ", " +
         text(x.run, "clock") + " clock";
}

/// By what runs are compared: one yardstick for all of them.
struct yardstick {
  const char* field;
  const char* text;
  bool more_is_better;
};
constexpr yardstick by_target{"time_to_target_s", "time to target", false};
constexpr yardstick by_gradients{"useful_gradient_rate", "gradients/s", true};

/// Time to target if all have reached one; else the rate of useful gradients. Never the mean round: rounds of
/// different policies do different amounts of work.
yardstick yardstick_for(const std::vector<stored_run>& runs) {
  const auto reached = [](const stored_run& x) { return number(x.run, by_target.field).has_value(); };
  return std::all_of(runs.begin(), runs.end(), reached) ? by_target : by_gradients;
}

/// How many times as good as the first.
std::optional<double> ratio(const yardstick& by, const json& first, const json& run) {
  const auto a = number(first, by.field);
  const auto b = number(run, by.field);
  if (!a || !b || *a <= 0 || *b <= 0)
    return std::nullopt;
  return by.more_is_better ? *b / *a : *a / *b;
}

std::string policy_of(const stored_run& x) {
  return x.run["policy"].get<std::string>();
}

std::optional<double> share_of_no_wait(const stored_run& x) {
  const auto no_wait = x.run["no_wait_rate"].get<double>();
  return no_wait > 0 ? std::optional{x.run["useful_gradient_rate"].get<double>() / no_wait} : std::nullopt;
}

bool is_clean(const stored_run& x) {
  const auto& mixing = x.run.value("mixing", json::object());
  return mixing.value("one_sided_edges", 0.0) == 0 && mixing.value("max_row_error", 0.0) <= 1e-9 &&
         mixing.value("max_column_error", 0.0) <= 1e-9;
}

/// Who audits says so at the end.
std::string audit_word(const stored_run& x) {
  return is_unfinished(x) ? "-" : is_clean(x) ? "ok" : "WRONG";
}

/// A line for each that has not come to its end.
std::string unfinished_text(const std::vector<stored_run>& runs) {
  std::string text;
  for (const auto& x : runs)
    if (is_unfinished(x))
      text += x.directory.string() + " " + policy_of(x) +
              ": not at its end (it still runs, or was killed); figures up to " +
              seconds_text(x.run.value("duration_s", 0.0)) + "\n";
  return text;
}

std::string backup_text(double b) {
  return fixed_text(b, 2);
}

/// What all runs have in common, above a table; empty if that is not all of the setting.
std::string common_setting(const std::vector<stored_run>& runs) {
  const auto first = setting(runs.front());
  const auto same = [&](const stored_run& x) { return setting(x) == first; };
  return std::all_of(runs.begin(), runs.end(), same) ? first + "\n\n" : "";
}

std::string table_of(const std::vector<stored_run>& runs) {
  std::set<std::filesystem::path> directories;
  for (const auto& x : runs)
    directories.insert(x.directory);
  const auto by = yardstick_for(runs);
  text_table table;
  table.add({"run", "seed", "time to", "accuracy", "worst", "rounds", "mean", "steps of", "computing",
             "backup", "times the", "audit"});
  table.add({"", "", "target", "", "worker", "", "round", "no-wait", "", "workers", "first*", ""});
  for (const auto& x : runs) {
    const auto& run = x.run;
    table.add({(directories.size() > 1 ? x.directory.string() + " " : "") + policy_of(x),
               json_text(run.value("seed", json(0))), or_dash(number(run, "time_to_target_s"), seconds_text),
               or_dash(number(run, "test_accuracy"), percent_text),
               or_dash(number(run, "worst_worker_accuracy"), percent_text),
               count_text(run["rounds"].get<std::uint64_t>()), seconds_text(run["mean_round_s"]),
               or_dash(share_of_no_wait(x), percent_text), percent_text(run["compute_share"]),
               or_dash(number(run, "mean_backup_workers"), backup_text),
               or_dash(ratio(by, runs.front().run, run), backup_text), audit_word(x)});
  }
  const auto common = common_setting(runs);
  auto text = common + table.text() + "* by " + by.text + "\n" + unfinished_text(runs);
  if (common.empty())
    for (const auto& x : runs)
      text += x.directory.string() + " " + policy_of(x) + ": " + setting(x) + "\n";
  return text;
}

/// Runs of one policy in one setting, of several seeds.
using group = std::vector<const stored_run*>;

std::vector<group> groups_of(const std::vector<stored_run>& runs) {
  std::vector<group> groups;
  for (const auto& x : runs) {
    const auto fits = [&](const group& g) {
      return policy_of(*g.front()) == policy_of(x) && setting(*g.front()) == setting(x);
    };
    const auto found = std::find_if(groups.begin(), groups.end(), fits);
    if (found == groups.end())
      groups.push_back({&x});
    else
      found->push_back(&x);
  }
  return groups;
}

/// "mean ± half of the 95 % interval" of what all of the group have.
template <class Figure>
std::string mean_text(const group& g, Figure figure, std::string (*text)(double)) {
  sample_mean values;
  for (const auto* x : g)
    if (const auto value = figure(*x))
      values.add(*value);
  if (values.count() == 0)
    return "-";
  return text(values.mean()) + (values.count() > 1 ? " ± " + text(values.half_width()) : "") +
         (values.count() < g.size() ? " (" + std::to_string(values.count()) + ")" : "");
}

/// Geometric mean of the ratios to the first group's run of the same seed, with its 95 % interval.
std::string paired_text(const yardstick& by, const group& first, const group& g) {
  sample_mean logarithms;
  for (const auto* x : g)
    for (const auto* y : first)
      if (x->run.value("seed", json(0)) == y->run.value("seed", json(0)))
        if (const auto times = ratio(by, y->run, x->run)) {
          logarithms.add(std::log(*times));
          break;
        }
  if (logarithms.count() == 0)
    return "-";
  const auto at = [&](double sign) {
    return fixed_text(std::exp(logarithms.mean() + sign * logarithms.half_width()), 2);
  };
  return at(0) + (logarithms.count() > 1 ? " (" + at(-1) + " to " + at(1) + ")" : "");
}

/// The first group of the same setting.
const group& compared_with(const std::vector<group>& groups, const group& g) {
  return *std::find_if(groups.begin(), groups.end(),
                       [&](const group& other) { return setting(*other.front()) == setting(*g.front()); });
}

std::string grouped_table_of(const std::vector<stored_run>& runs) {
  const auto by = yardstick_for(runs);
  const auto groups = groups_of(runs);
  const auto figure = [](const char* name) {
    return [name](const stored_run& x) { return number(x.run, name); };
  };
  text_table table;
  table.add({"policy", "runs", "time to target", "accuracy", "worst worker", "steps of no-wait", "computing",
             "backup workers", "times the first*", "audit"});
  for (const auto& g : groups) {
    const auto clean = std::all_of(g.begin(), g.end(), [](const stored_run* x) { return is_clean(*x); });
    table.add({policy_of(*g.front()), std::to_string(g.size()),
               mean_text(g, figure("time_to_target_s"), seconds_text),
               mean_text(g, figure("test_accuracy"), percent_text),
               mean_text(g, figure("worst_worker_accuracy"), percent_text),
               mean_text(g, share_of_no_wait, percent_text),
               mean_text(g, figure("compute_share"), percent_text),
               mean_text(g, figure("mean_backup_workers"), backup_text),
               paired_text(by, compared_with(groups, g), g), clean ? "ok" : "WRONG"});
  }
  const auto common = common_setting(runs);
  auto text = common + table.text() + "* by " + by.text +
              ", geometric mean over runs of the same seed; ± and (to): 95 % intervals over the seeds\n" +
              unfinished_text(runs);
  if (common.empty())
    for (const auto& g : groups)
      text += policy_of(*g.front()) + ": " + setting(*g.front()) + "\n";
  return text;
}

json document_of(const std::vector<stored_run>& runs) {
  const auto by = yardstick_for(runs);
  json document{{"dybw", version()}, {"ratio_by", by.field}, {"runs", json::array()}};
  for (const auto& x : runs) {
    auto run = x.run;
    run["directory"] = x.directory.string();
    const auto times = ratio(by, runs.front().run, x.run);
    run["ratio_to_first"] = times ? json(*times) : json(nullptr);
    document["runs"].push_back(std::move(run));
  }
  return document;
}

/// A slip must not cost what a run measured: what is overwritten is a page.
void check_not_data(const std::filesystem::path& file) {
  if (!std::filesystem::is_regular_file(file) || std::filesystem::file_size(file) == 0)
    return;
  std::string begin(page_begin.size(), '\0');
  if (!std::ifstream{file, std::ios::binary}.read(begin.data(), static_cast<std::streamsize>(begin.size())) ||
      begin != page_begin)
    throw input_error{input_fault::configuration,
                      "--out=" + file.string() + " is there already and no report page", "",
                      "give another file, or remove that one first"};
}

/// Runs of several directories are told apart by their names.
void write_page(const std::vector<stored_run>& runs, const std::string& file) {
  auto document = document_of(runs);
  document["config"] = runs.front().config;
  auto series = json::array();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    series.push_back(read_series(runs[i]));
    auto& policy = document["runs"][i]["policy"];
    if (runs[i].directory != runs.front().directory || runs.back().directory != runs.front().directory)
      policy = runs[i].directory.filename().string() + " " + policy.get<std::string>();
  }
  check_not_data(file);
  std::ofstream out(file, std::ios::binary);
  out << render_report({{"document", document}, {"series", series}});
  if (!out.flush())
    throw input_error{input_fault::configuration, "--out=" + file + " cannot be written", "",
                      "give a file in a directory that is there"};
}

/// What a run's record says of the run itself, and not of the process that played it.
json essence(const stored_run& x) {
  auto run = x.run;
  for (const auto* of_the_host : {"host_cpu_s", "eval_cpu_s", "peak_rss_bytes"})
    run.erase(of_the_host);
  return {{"config", x.config}, {"run", run}};
}

/// A run counts once, however often it is named or copied. One that cannot be read does not hide the others.
std::vector<stored_run> read_all(const std::vector<std::string>& directories) {
  std::vector<stored_run> runs;
  std::set<json> seen;
  std::optional<input_error> fault;
  for (const auto& directory : directories) {
    try {
      std::size_t again = 0;
      for (auto& run : read_runs(directory))
        if (seen.insert(essence(run)).second)
          runs.push_back(std::move(run));
        else
          ++again;
      if (again > 0)
        std::cerr << "left out: " << directory << " is a copy of a run that is named before" << std::endl;
    } catch (const input_error& error) {
      if (directories.size() > 1)
        std::cerr << "left out: " << error.what() << std::endl;
      fault = error;
    }
  }
  if (runs.empty())
    throw fault.value();
  return runs;
}

} // namespace

std::string report_help() {
  return help_page(
      "dybw report DIR..: compares runs that dybw run --out wrote, of one directory or several.\n\n",
      report_option_list());
}

namespace {

/// What somebody else has written into a run.json.
[[noreturn]] void refuse_content(const json::exception& error) {
  throw input_error{input_fault::data, "a run.json is not what dybw run writes", error.what(),
                    "name directories that dybw run --out wrote"};
}

} // namespace

int report_command(std::span<const std::string> arguments) try {
  const auto known = report_option_list();
  option_values given{known, "dybw report", directories_max};
  given.add_arguments(arguments);
  const auto as_json = given.choice("format", {"text", "json"}) == 1;
  if (as_json && given.flag("group"))
    throw input_error{input_fault::configuration, "--group contradicts --format=json", "",
                      "leave it out: the document holds every run"};
  if (given.words().empty())
    throw input_error{input_fault::configuration, "dybw report names no run", "",
                      "give the directory of one: dybw report DIR"};
  const auto runs = read_all(given.words());
  std::cout << (as_json               ? json_text(document_of(runs), 2) + "\n"
                : given.flag("group") ? grouped_table_of(runs)
                                      : table_of(runs))
            << std::flush;
  if (given.given("out"))
    write_page(runs, given.text("out"));
  return 0;
} catch (const json::exception& error) {
  refuse_content(error);
}

} // namespace dybw
