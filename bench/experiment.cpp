#include "bench/experiment.hpp"

#include <fstream>
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
  std::istringstream in(text.substr(mark + 1));
  for (std::string part; std::getline(in, part, '|');)
    a.variants.push_back(parse_variant(trimmed(part)));
  return a;
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
  } else if (name == "patience") {
    x.patience = std::stod(value);
  } else if (name == "series") {
    x.keeps_series = value == "yes";
  } else {
    throw std::runtime_error("'" + name +
                             "' is none of title, options, axis, policy, seeds, patience, series");
  }
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
  return x;
}

} // namespace dybw::bench
