#include "bench/experiments/experiment.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

namespace dybw::bench {

namespace {

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> all;
  for (std::string word; in >> word;)
    all.push_back(word);
  return all;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::istringstream in(text);
  std::vector<std::string> parts;
  for (std::string part; std::getline(in, part, separator);)
    parts.push_back(trimmed(part));
  return parts;
}

variant_of parse_variant(const std::string& text) {
  const auto colon = text.find(": ");
  if (colon == std::string::npos)
    throw std::runtime_error("'" + text + "' is not of the form NAME: OPTION..");
  return {trimmed(text.substr(0, colon)), words(text.substr(colon + 2))};
}

axis parse_axis(const std::string& text) {
  const auto mark = text.find(';');
  if (mark == std::string::npos)
    throw std::runtime_error("an axis is NAME; VARIANT: OPTION.. | ..");
  axis a{trimmed(text.substr(0, mark)), {}};
  for (const auto& part : split(text.substr(mark + 1), '|'))
    a.variants.push_back(parse_variant(part));
  return a;
}

picture parse_picture(const std::string& text) {
  const auto parts = split(text, ';');
  const auto kind = parts.empty() ? std::vector<std::string>{} : words(parts[0]);
  const std::map<std::string, picture::style> styles{{"lines", picture::style::lines},
                                                     {"bars", picture::style::bars}};
  const std::map<std::string, picture::what> figures{{"time", picture::what::time},
                                                     {"share", picture::what::share},
                                                     {"times-alone", picture::what::times_alone}};
  if (kind.size() != 2 || !styles.contains(kind[0]) || !figures.contains(kind[1]) || parts.size() > 2)
    throw std::runtime_error(
        "a picture is lines or bars, then time, share or times-alone; POLICY | POLICY | ..");
  return {styles.at(kind[0]), figures.at(kind[1]),
          parts.size() == 2 ? split(parts[1], '|') : std::vector<std::string>{}};
}

void take_line(experiment& x, const std::string& name, const std::string& value) {
  if (name == "title") {
    x.title = value;
  } else if (name == "options") {
    for (auto& w : words(value))
      x.options.push_back(std::move(w));
  } else if (name == "axis") {
    x.axes.push_back(parse_axis(value));
  } else if (name == "policy") {
    x.policies.push_back(parse_variant(value));
  } else if (name == "seeds") {
    for (const auto& w : words(value))
      x.seeds.push_back(std::stoull(w));
  } else if (name == "target") {
    x.target = std::stod(value);
  } else if (name == "step-sizes") {
    x.step_sizes = words(value);
  } else if (name == "patience") {
    x.patience = std::stod(value);
  } else if (name == "picture") {
    x.drawn = parse_picture(value);
  } else if (name == "series") {
    if (value != "yes" && value != "backup")
      throw std::runtime_error("series is yes or backup");
    x.keeps_series = value == "yes";
    x.keeps_backup = value == "backup";
  } else {
    throw std::runtime_error("'" + name +
                             "' is none of title, options, axis, policy, seeds, target, step-sizes, "
                             "patience, picture, series");
  }
}

using option_map = std::map<std::string, std::vector<std::string>>;

/// Later ones take the place of the same ones before.
void put_all(option_map& options, const std::vector<std::string>& more) {
  for (auto from = more.begin(); from != more.end();) {
    const auto to = std::find_if(from + 1, more.end(), [](const auto& o) { return o.starts_with("--"); });
    options[*from] = {from + 1, to};
    from = to;
  }
}

std::vector<std::string> in_order(const option_map& options) {
  std::vector<std::string> all;
  for (const auto& [name, values] : options) {
    all.push_back(name);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

double number_of(const option_map& options, const std::string& name) {
  const auto found = options.find(name);
  if (found == options.end() || found->second.empty())
    throw std::runtime_error("an option wants " + name + ", which is not given");
  return std::stod(found->second.front());
}

} // namespace

experiment read_experiment(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in)
    throw std::runtime_error("cannot read " + file.string());
  experiment x;
  x.name = file.stem().string();
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    line = trimmed(line.substr(0, line.find('#')));
    if (line.empty())
      continue;
    try {
      const auto mark = line.find('=');
      if (mark == std::string::npos)
        throw std::runtime_error("NAME = VALUE is expected");
      take_line(x, trimmed(line.substr(0, mark)), trimmed(line.substr(mark + 1)));
    } catch (const std::exception& e) {
      throw std::runtime_error(file.string() + ", line " + std::to_string(number) + ": " + e.what());
    }
  }
  if (x.policies.empty() || x.seeds.empty())
    throw std::runtime_error(file.string() + " needs at least one policy and seed");
  if (x.drawn && x.axes.empty())
    throw std::runtime_error(file.string() + " has a picture, but no axis to draw it over");
  return x;
}

std::vector<cell> cells_of(const experiment& x) {
  std::vector<cell> cells{{{}, x.options}};
  for (const auto& a : x.axes) {
    std::vector<cell> more;
    for (const auto& c : cells)
      for (const auto& v : a.variants) {
        auto next = c;
        next.names.emplace_back(a.name, v.name);
        next.options.insert(next.options.end(), v.options.begin(), v.options.end());
        more.push_back(std::move(next));
      }
    cells = std::move(more);
  }
  return cells;
}

std::vector<std::string> row_of(const cell& c, const variant_of& policy) {
  option_map of_cell;
  put_all(of_cell, c.options);
  auto options = of_cell;
  put_all(options, policy.options);
  auto row = in_order(options);
  for (auto& o : row) {
    if (const auto at = o.find("{1/N}"); at != std::string::npos)
      o.replace(at, 5, std::to_string(1 / number_of(of_cell, "--workers")));
    if (o == "{N*B}")
      o = std::to_string(std::lround(number_of(of_cell, "--workers") * number_of(of_cell, "--batch")));
  }
  return row;
}

std::vector<std::string> run_of(const std::vector<std::string>& row, const std::string& step_size,
                                std::uint64_t seed) {
  option_map options;
  put_all(options, row);
  if (!step_size.empty())
    options["--step-size"] = {step_size};
  options["--seed"] = {std::to_string(seed)};
  return in_order(options);
}

double number_of(const std::vector<std::string>& run, const std::string& name) {
  option_map options;
  put_all(options, run);
  return number_of(options, name);
}

std::string name_of(const std::vector<std::string>& run) {
  std::string name;
  for (const auto& o : run)
    name += (name.empty() ? "" : " ") + o;
  return name;
}

bool has_backup_workers(const variant_of& policy) {
  return policy.name.starts_with("static") || policy.name.starts_with("hop");
}

} // namespace dybw::bench
