#include "bench/experiments/experiment_plot.hpp"

#include "learning/base/statistics.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

namespace dybw::bench {

namespace {

using json = nlohmann::ordered_json;

struct point {
  running_mean accuracy;
  running_mean loss;
  running_mean worst;
};
using curve = std::map<double, point>; ///< by time

/// A combination of the axes, for people and for file names.
struct cell_name {
  std::string title; ///< ", iid, slow:1:4"
  std::string file;  ///< "-iid-slow-1-4"
  friend auto operator<=>(const cell_name&, const cell_name&) = default;
};

std::string file_part(const std::string& text) {
  std::string part;
  for (const auto c : text)
    part += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
  return part;
}

cell_name name_of(const json& run) {
  cell_name x;
  for (const auto& [axis, variant] : run["cell"].items()) {
    x.title += ", " + variant.get<std::string>();
    x.file += "-" + file_part(variant.get<std::string>());
  }
  return x;
}

/// Curves by combination of the axes, then policy.
std::map<cell_name, std::map<std::string, curve>> read_curves(const std::filesystem::path& results) {
  std::ifstream in(results);
  if (!in)
    throw std::runtime_error("cannot read " + results.string());
  std::map<cell_name, std::map<std::string, curve>> curves;
  for (std::string line; std::getline(in, line);) {
    const auto run = json::parse(line);
    const auto cell = name_of(run);
    if (!run.contains("series"))
      continue;
    for (const auto& e : run["series"]) {
      auto& p = curves[cell][run["policy"]][e[0].get<double>()];
      p.accuracy.add(e[2]);
      p.loss.add(e[3]);
      if (e[4].is_number())
        p.worst.add(e[4]);
    }
  }
  return curves;
}

void draw(std::ostringstream& out, const std::vector<std::string>& policies,
          const std::map<std::string, curve>& by_policy, const char* label, std::size_t column) {
  out << "set ylabel '" << label << "'\nplot ";
  auto number = 0;
  for (const auto& name : policies) {
    if (!by_policy.contains(name))
      continue;
    ++number;
    out << (number > 1 ? ", " : "") << "$data" << number << " using 1:" << column
        << " with lines lw 2 title '" << name << "'";
  }
  out << "\n";
}

constexpr auto* preamble = "set grid\nset xrange [0:*] noextend\nset xlabel 'virtual seconds'\n";

std::string curves_plot(const experiment& x, const std::filesystem::path& results,
                        const std::filesystem::path& directory) {
  std::vector<std::string> policies;
  for (const auto& p : x.policies)
    policies.push_back(p.name);
  std::ostringstream out;
  out << "set terminal svg size 900,360 dynamic enhanced background rgb 'white'\n"
      << preamble << "set key bottom right\n";
  for (const auto& [cell, by_policy] : read_curves(results)) {
    auto number = 0;
    for (const auto& name : policies) {
      const auto found = by_policy.find(name);
      if (found == by_policy.end())
        continue;
      out << "$data" << ++number << " << EOD\n";
      for (const auto& [time, p] : found->second)
        out << time << ' ' << p.accuracy.mean() << ' ' << p.loss.mean() << '\n';
      out << "EOD\n";
    }
    out << "set output '" << (directory / (x.name + cell.file + ".svg")).string() << "'\n"
        << "set multiplot layout 1,2 title '" << x.title << cell.title << "'\n";
    draw(out, policies, by_policy, "test accuracy of the average model", 2);
    out << "set key top right\n";
    draw(out, policies, by_policy, "test loss of the average model", 3);
    out << "set key bottom right\nunset multiplot\nunset output\n";
  }
  return out.str();
}

// --- Backup workers over time: a panel per policy, a line per worker.

/// Stretches of a run are drawn together until they are about so long.
constexpr double stretch_s = 10;

std::string data_of(const json& bins, double bin_s) {
  const auto together = std::max<std::size_t>(1, static_cast<std::size_t>(stretch_s / bin_s));
  std::ostringstream out;
  for (std::size_t i = 0; i < bins.size(); i += together) {
    running_mean mean;
    for (auto k = i; k < std::min(bins.size(), i + together); ++k)
      if (bins[k].is_number())
        mean.add(bins[k]);
    if (mean.count() > 0)
      out << (static_cast<double>(i) + static_cast<double>(together) / 2) * bin_s << ' ' << mean.mean()
          << '\n';
  }
  return out.str();
}

std::string backup_plot(const experiment& x, const std::filesystem::path& results,
                        const std::filesystem::path& directory) {
  std::map<cell_name, std::map<std::string, json>> by_cell; ///< then by policy; of the first seed
  std::ifstream in(results);
  if (!in)
    throw std::runtime_error("cannot read " + results.string());
  for (std::string line; std::getline(in, line);) {
    const auto run = json::parse(line);
    const auto cell = name_of(run);
    if (run["seed"] == x.seeds.front())
      by_cell[cell][run["policy"]] = run["backup"];
  }
  std::ostringstream out;
  out << "set terminal svg size 900," << 240 * x.policies.size()
      << " dynamic enhanced background rgb 'white'\n"
      << preamble << "set ylabel 'backup workers'\nset yrange [-0.1:*]\nset key outside right\n";
  for (const auto& [cell, by_policy] : by_cell) {
    out << "set output '" << (directory / (x.name + cell.file + ".svg")).string() << "'\n"
        << "set multiplot layout " << x.policies.size() << ",1 title '" << x.title << cell.title << "'\n";
    for (const auto& p : x.policies) {
      const auto& backup = by_policy.at(p.name);
      const auto& workers = backup["workers"];
      for (std::size_t i = 0; i < workers.size(); ++i)
        out << "$w" << i << " << EOD\n" << data_of(workers[i], backup["bin_s"]) << "EOD\n";
      out << "set title '" << p.name << "'\nplot ";
      for (std::size_t i = 0; i < workers.size(); ++i)
        out << (i > 0 ? ", " : "") << "$w" << i << " using 1:2 with lines lw 1.5 title 'worker " << i << "'";
      out << "\n";
    }
    out << "unset multiplot\nunset output\n";
  }
  return out.str();
}

} // namespace

std::string plot_of(const experiment& x, const std::filesystem::path& results,
                    const std::filesystem::path& directory) {
  return x.keeps_backup ? backup_plot(x, results, directory) : curves_plot(x, results, directory);
}

} // namespace dybw::bench
