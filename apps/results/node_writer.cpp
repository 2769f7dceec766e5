#include "apps/results/node_writer.hpp"

#include "actors/system/durable_file.hpp"
#include "apps/results/run_json.hpp"
#include "apps/results/run_writer.hpp"
#include "apps/text/json_text.hpp"
#include "learning/base/error.hpp"
#include "learning/base/number_text.hpp"
#include "messages/endpoint.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <system_error>

namespace dybw {

namespace {

namespace fs = std::filesystem;

/// Names come from other machines: they must not lead out of --out.
void check_name(const std::string& name, const std::string& what) {
  constexpr std::size_t length_max = 200;
  const auto fits = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
  };
  if (name.empty() || name.size() > length_max || name.front() == '.' ||
      !std::all_of(name.begin(), name.end(), fits))
    throw input_error{input_fault::configuration,
                      what + " \"" + name + "\" is not the name of a directory below --out", "",
                      "use letters, digits, '-', '_' and '.'"};
}

/// Claims the file at once: another node with the same --out is refused, whatever the order.
void claim(const fs::path& file) {
  auto* const made = std::fopen(file.c_str(), "wx");
  if (made == nullptr)
    throw input_error{input_fault::configuration, "--out of this node cannot be used",
                      file.string() + ": " + std::generic_category().message(errno),
                      "give every node a directory of its own"};
  std::fclose(made);
}

/// Where the checkpoints are that the run goes on from.
fs::path find_checkpoints(const fs::path& out, const run_spec& spec) {
  check_name(spec.resume, "run to go on from");
  const auto path = run_directory::at(out / spec.resume).checkpoints(spec.config.policies.front());
  if (!fs::is_directory(path))
    throw input_error{input_fault::configuration, "there are no checkpoints of " + spec.resume, path.string(),
                      "name a run that this node has written"};
  return path;
}

constexpr auto* last_run_name = "last-run.json";

/// Without it the node serves the run all the same.
void keep_last_run(const fs::path& out, const run_spec& spec) {
  auto nodes = nlohmann::ordered_json::array();
  for (const auto& node : spec.nodes)
    nodes.push_back(to_string(node));
  const nlohmann::ordered_json kept{
      {"run", number_text(spec.run, 16)}, {"name", spec.name}, {"nodes", nodes}};
  try {
    write_durably(out / last_run_name, json_text(kept, 2) + '\n');
  } catch (const std::system_error& error) {
    spdlog::warn("{}; --rejoin will not find run {}", error.what(), spec.name);
  }
}

run_place open_place(const fs::path& out, const run_spec& spec, run_start how) {
  check_name(spec.name, "run");
  run_place place;
  const auto& policies = spec.config.policies;
  const auto joined = how == run_start::joined;
  if (!joined && !spec.resume.empty()) // who joins starts from a neighbour's estimate
    place.resume = find_checkpoints(out, spec);
  const auto directory = joined ? run_directory::reopen(out / spec.name, policies)
                                : run_directory{out / spec.name, policies, false};
  place.rounds_file = directory.rounds_file(policies.front());
  place.evals_file = directory.evals_file(policies.front());
  place.checkpoints = directory.checkpoints(policies.front());
  place.trainers = directory.trainers();
  if (joined) {
    drop_torn_line(place.rounds_file);
    drop_torn_line(place.evals_file);
  } else {
    claim(place.rounds_file);
  }
  // What this process has claimed itself, for a part of the run that has just ended, it may write to.
  place.claim = joined ? path_claim{directory.path()} : directory.hold();
  keep_last_run(out, spec);
  if (joined)
    return place;
  place.made = directory.path();
  place.policy = policies.front();
  if (!spec.options.empty()) {
    std::string text;
    for (const auto& line : spec.options)
      text += line + '\n';
    directory.write_options(text);
  }
  return place;
}

/// Old ones that stay are no reason to refuse a new one.
void forget_runs(const fs::path& out, std::size_t keep, const run_spec& spec) {
  try {
    forget_oldest_runs(out, keep, std::array{spec.name, spec.resume});
  } catch (const std::system_error& error) {
    spdlog::warn("{}; more than {} runs stay below {}", error.what(), keep, out.string());
  }
}

std::vector<std::string> read_options(const fs::path& out, const std::string& name) {
  check_name(name, "run to go on from");
  const auto file = out / name / saved_options_name;
  std::ifstream in(file);
  if (!in)
    throw input_error{input_fault::configuration, "the options of " + name + " are not there", file.string(),
                      "name a run with --checkpoint-every that this node has written"};
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

} // namespace

std::optional<earlier_run> read_last_run(const fs::path& out) {
  const auto file = out / last_run_name;
  std::ifstream in(file, std::ios::binary);
  if (!in)
    return std::nullopt;
  try {
    const auto kept = nlohmann::json::parse(in);
    earlier_run run;
    const auto id = kept.at("run").get<std::string>();
    if (std::from_chars(id.data(), id.data() + id.size(), run.run, 16).ptr != id.data() + id.size() ||
        run.run == 0)
      throw std::runtime_error{"its \"run\" is no hexadecimal number above 0"};
    run.name = kept.at("name").get<std::string>();
    check_name(run.name, "run");
    for (const auto& node : kept.at("nodes"))
      run.nodes.push_back(parse_endpoint(node.get<std::string>()));
    return run;
  } catch (const std::exception& error) {
    spdlog::warn("{} cannot be read, so no run is joined again: {}", file.string(), error.what());
    return std::nullopt;
  }
}

node_writer make_node_writer(const std::optional<fs::path>& out, std::size_t keep) {
  node_writer files;
  if (!out) {
    files.open = [](const run_spec& spec, run_start how) -> run_place {
      if (how != run_start::joined && !spec.resume.empty())
        throw input_error{input_fault::configuration, "there are no checkpoints of " + spec.resume,
                          "--out is not given", "start the node with the --out of that run"};
      return {};
    };
    files.write = [](const run_spec&, const finished_run&) {};
    return files;
  }
  files.open = [out = *out, keep](const run_spec& spec, run_start how) {
    auto place = open_place(out, spec, how);
    if (keep > 0 && how != run_start::joined)
      forget_runs(out, keep, spec);
    return place;
  };
  files.discard = [](const run_place& place) {
    run_directory::at(place.made).discard(std::array{place.policy});
    if (fs::is_empty(place.made))
      fs::remove(place.made);
  };
  files.saved_options = [out = *out](const std::string& name) { return read_options(out, name); };
  files.renew = [out = *out](const run_spec& spec, const run_progress& now) {
    const auto directory = run_directory::reopen(out / spec.name, spec.config.policies);
    directory.write_run(running_to_json(spec.config, {}, spec.config.policies.front(), now));
  };
  files.write = [out = *out](const run_spec& spec, const finished_run& run) {
    const auto directory = run_directory::reopen(out / spec.name, spec.config.policies);
    auto series = nlohmann::json::array();
    series.push_back(series_to_json(run));
    write_files(directory, spec.config, std::array{run.result}, series, run);
  };
  return files;
}

} // namespace dybw
