#include "apps/commands.hpp"
#include "apps/option_values.hpp"
#include "apps/recorded_run.hpp"
#include "apps/report_page.hpp"
#include "apps/text_table.hpp"
#include "apps/version.hpp"

#include <boost/program_options/value_semantic.hpp>

#include <fstream>
#include <iostream>
#include <optional>
#include <set>
#include <sstream>

namespace po = boost::program_options;

namespace dybw {

namespace {

using nlohmann::json;

constexpr unsigned columns_max = 100;
constexpr unsigned description_columns_min = 64;
constexpr std::size_t directories_max = 1000;

po::options_description option_list() {
  const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
  po::options_description list{"Options", columns_max, description_columns_min};
  list.add_options()("out", text("FILE"), "write a page with charts: one file, opens offline")(
      "format", text("text|json")->default_value("text"), "what to print")("help", po::bool_switch(),
                                                                           "show this page");
  return list;
}

std::optional<double> number(const json& run, const char* name) {
  const auto found = run.find(name);
  return found != run.end() && found->is_number() ? std::optional{found->get<double>()} : std::nullopt;
}

std::string or_dash(const std::optional<double>& x, std::string (*text)(double)) {
  return x ? text(*x) : "-";
}

/// Data, model, graph, slowness and clock of a run in a line.
std::string setting(const recorded_run& x) {
  const auto text = [](const json& from, const char* name) {
    const auto found = from.find(name);
    return found == from.end() || found->is_null() ? std::string{"?"}
           : found->is_string()                    ? found->get<std::string>()
                                                   : found->dump();
  };
  return text(x.run, "dataset") + " (" + text(x.run, "partition") + "), " + text(x.run, "model") + ", " +
         text(x.run, "workers") + " workers on " + text(x.run, "topology") + ", step time " +
         text(x.config, "step-time") + ", straggler " + text(x.config, "straggler") + ", " +
         text(x.run, "clock") + " clock";
}

/// How much quicker than the first run: by time to target if both have one, else by the mean round.
std::optional<double> ratio(const json& first, const json& run) {
  for (const auto* name : {"time_to_target_s", "mean_round_s"}) {
    const auto a = number(first, name);
    const auto b = number(run, name);
    if (a && b && *b > 0)
      return *a / *b;
  }
  return std::nullopt;
}

std::string table_of(const std::vector<recorded_run>& runs) {
  std::set<std::string> settings;
  std::set<std::filesystem::path> directories;
  for (const auto& x : runs) {
    settings.insert(setting(x));
    directories.insert(x.directory);
  }
  std::string text = settings.size() == 1 ? *settings.begin() + "\n\n" : "";
  text_table table;
  table.add({"run", "seed", "time to", "accuracy", "worst", "rounds", "mean", "steps of", "computing",
             "backup", "times the", "audit"});
  table.add({"", "", "target", "", "worker", "", "round", "no-wait", "", "workers", "first", ""});
  for (const auto& x : runs) {
    const auto& run = x.run;
    const auto no_wait = run["no_wait_rate"].get<double>();
    const auto& mixing = run.value("mixing", json::object());
    const auto clean = mixing.value("one_sided_edges", 0.0) == 0 &&
                       mixing.value("max_row_error", 0.0) <= 1e-9 &&
                       mixing.value("max_column_error", 0.0) <= 1e-9;
    table.add({(directories.size() > 1 ? x.directory.string() + " " : "") + run["policy"].get<std::string>(),
               run.value("seed", json(0)).dump(), or_dash(number(run, "time_to_target_s"), seconds_text),
               or_dash(number(run, "test_accuracy"), percent_text),
               or_dash(number(run, "worst_worker_accuracy"), percent_text),
               count_text(run["rounds"].get<std::uint64_t>()), seconds_text(run["mean_round_s"]),
               no_wait > 0 ? percent_text(run["useful_gradient_rate"].get<double>() / no_wait) : "-",
               percent_text(run["compute_share"]),
               or_dash(number(run, "mean_backup_workers"), [](double b) { return fixed_text(b, 2); }),
               or_dash(ratio(runs.front().run, run), [](double r) { return fixed_text(r, 2); }),
               clean ? "ok" : "WRONG"});
  }
  text += table.text();
  if (settings.size() > 1)
    for (const auto& x : runs)
      text += x.directory.string() + " " + x.run["policy"].get<std::string>() + ": " + setting(x) + "\n";
  return text;
}

json document_of(const std::vector<recorded_run>& runs) {
  json document{{"dybw", version()}, {"runs", json::array()}};
  for (const auto& x : runs) {
    auto run = x.run;
    run["directory"] = x.directory.string();
    const auto quicker = ratio(runs.front().run, x.run);
    run["ratio_to_first"] = quicker ? json(*quicker) : json(nullptr);
    document["runs"].push_back(std::move(run));
  }
  return document;
}

/// Runs of several directories are told apart by their names.
void write_page(const std::vector<recorded_run>& runs, const std::string& file) {
  auto document = document_of(runs);
  document["config"] = runs.front().config;
  auto series = json::array();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    series.push_back(read_series(runs[i]));
    auto& policy = document["runs"][i]["policy"];
    if (runs[i].directory != runs.front().directory || runs.back().directory != runs.front().directory)
      policy = runs[i].directory.filename().string() + " " + policy.get<std::string>();
  }
  std::ofstream out(file, std::ios::binary);
  out << render_report({{"document", document}, {"series", series}});
  if (!out.flush())
    throw input_error{input_fault::configuration, "--out=" + file + " cannot be written", "",
                      "give a file in a directory that is there"};
}

} // namespace

std::string report_help() {
  std::ostringstream help;
  help << "dybw report DIR..: compares runs that dybw run --out wrote, of one directory or several.\n\n"
       << option_list();
  return help.str();
}

int report_command(std::span<const std::string> arguments) {
  const auto known = option_list();
  option_values given{known, "dybw report", directories_max};
  given.add_arguments(arguments);
  const auto as_json = given.choice("format", {"text", "json"}) == 1;
  if (given.words().empty())
    throw input_error{input_fault::configuration, "dybw report names no run", "",
                      "give the directory of one: dybw report DIR"};
  std::vector<recorded_run> runs;
  for (const auto& directory : given.words())
    for (auto& run : read_runs(directory))
      runs.push_back(std::move(run));
  if (given.given("out"))
    write_page(runs, given.text("out"));
  std::cout << (as_json ? document_of(runs).dump(2) + "\n" : table_of(runs));
  return 0;
}

} // namespace dybw
