#include "apps/commands/commands.hpp"
#include "apps/commands/report_files.hpp"
#include "apps/comparison/comparison_files.hpp"
#include "apps/comparison/comparison_json.hpp"
#include "apps/comparison/comparison_tables.hpp"
#include "apps/options/option_group.hpp"
#include "apps/options/option_values.hpp"
#include "apps/pages/report_page.hpp"
#include "apps/results/run_directory.hpp"
#include "apps/text/json_text.hpp"
#include "learning/base/option_text.hpp"

#include <algorithm>
#include <iostream>
#include <optional>
#include <set>

namespace po = boost::program_options;

namespace dybw {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::size_t directories_max = 1000;
constexpr auto* page_begin = "<!doctype html>";

po::options_description report_option_list() {
  auto list = option_group("Options");
  list.add_options()("out", text_value("FILE"), "write a page with charts: one file, opens offline")(
      "group", po::bool_switch(),
      "one line for each policy and setting: means over the runs that differ in their seed only")(
      "format", text_value("text|json", "text"), "what to print")(
      "svg", text_value("DIR"),
      "write figures: accuracy, loss, worst worker and consensus distance over time, and time to target")(
      "csv", text_value("FILE"), "write all figures of every run, with --group of every group")(
      "latex", text_value("FILE"), "write the table of --group for a paper")("help", po::bool_switch(),
                                                                             "show this page");
  return list;
}

/// What a run's record says of the run itself, and not of the process that played it.
json essence(const stored_run& x) {
  auto run = x.run;
  for (const auto* of_the_host : {"host_cpu_s", "eval_cpu_s", "peak_rss_bytes"})
    run.erase(of_the_host);
  return {{"config", x.config}, {"run", run}};
}

/// Those of a run of several seeds (`dybw run --seeds`) are one level down.
std::vector<std::string> with_seeds(const std::vector<std::string>& directories) {
  std::vector<std::string> all;
  for (const auto& directory : directories) {
    const auto seeds = fs::exists(run_directory::at(directory).run_file()) ? std::vector<fs::path>{}
                                                                           : seed_directories(directory);
    if (seeds.empty())
      all.push_back(directory);
    for (const auto& each : seeds)
      all.push_back(each.string());
  }
  return all;
}

/// What somebody else has written into a run.json.
[[noreturn]] void refuse_content(const json::exception& error) {
  throw input_error{input_fault::data, "a run.json is not what dybw run writes", error.what(),
                    "name directories that dybw run --out wrote"};
}

} // namespace

std::vector<stored_run> read_all_runs(const std::vector<std::string>& named) {
  const auto directories = with_seeds(named);
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

void write_report_page(const comparison& all, const fs::path& file) {
  write_output("out", file, page_begin, render_report(page_data(all)));
}

void show_seeds(const fs::path& directory, bool as_json) {
  const auto all = compare(read_all_runs({directory.string()}));
  const auto page = run_directory::at(directory).report_file();
  write_report_page(all, page);
  if (as_json)
    std::cout << json_text(runs_to_json(all), 2) << std::endl;
  else
    std::cout << groups_table(all) << "\nReport: " << shell_word(page.string()) << std::endl;
}

std::string report_help() {
  return help_page(
      "dybw report DIR..: compares runs that dybw run --out wrote, of one directory or several.\n\n"
      "Runs that differ in their seed only belong together: on the page, in figures and with --group they "
      "are\n"
      "one, with means and 95 % intervals.\n\n",
      report_option_list());
}

int report_command(std::span<const std::string> arguments) try {
  const auto known = report_option_list();
  option_values given{known, "dybw report", directories_max};
  given.add_arguments(arguments);
  const auto as_json = given.choice("format", {"text", "json"}) == 1;
  for (const auto* option : {"out", "svg", "csv", "latex"})
    if (given.given(option) && given.text(option).empty())
      given.refuse(option, "is empty", "name what to write");
  if (given.words().empty())
    throw input_error{input_fault::configuration, "dybw report names no run", "",
                      "give the directory of one: dybw report DIR"};
  const auto all = compare(read_all_runs(given.words()));
  const auto grouped = given.flag("group");
  std::cout << (as_json   ? json_text(grouped ? groups_to_json(all) : runs_to_json(all), 2) + "\n"
                : grouped ? groups_table(all)
                          : runs_table(all))
            << std::flush;
  if (given.given("csv"))
    write_output("csv", given.text("csv"), "group,policy,", grouped ? groups_csv(all) : runs_csv(all));
  if (given.given("latex"))
    write_output("latex", given.text("latex"), "% dybw report", latex_table(all));
  if (given.given("svg") && write_figures(all, given.text("svg")).empty())
    std::cerr << "no figure: nothing was evaluated in any of the runs" << std::endl;
  if (given.given("out"))
    write_report_page(all, given.text("out"));
  return 0;
} catch (const json::exception& error) {
  refuse_content(error);
}

} // namespace dybw
