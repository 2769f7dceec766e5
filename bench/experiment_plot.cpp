#include "bench/experiment_plot.hpp"

#include "learning/statistics.hpp"

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

std::string file_part(const std::string& text) {
  std::string part;
  for (const auto c : text)
    part += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
  return part;
}

/// Curves by combination of the axes, then policy.
std::map<std::string, std::map<std::string, curve>> read_curves(const std::filesystem::path& results) {
  std::ifstream in(results);
  if (!in)
    throw std::runtime_error("cannot read " + results.string());
  std::map<std::string, std::map<std::string, curve>> curves;
  for (std::string line; std::getline(in, line);) {
    const auto run = json::parse(line);
    std::string cell;
    for (const auto& [axis, variant] : run["cell"].items())
      cell += "-" + file_part(variant.get<std::string>());
    if (!run.contains("series"))
      continue;
    for (const auto& e : run["series"]) {
      auto& p = curves[cell][run["policy"]][e[0].get<double>()];
      p.accuracy.add(e[2]);
      p.loss.add(e[3]);
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

} // namespace

std::string plot_of(const experiment& x, const std::filesystem::path& results,
                    const std::filesystem::path& directory) {
  std::vector<std::string> policies;
  for (const auto& p : x.policies)
    policies.push_back(p.name);
  std::ostringstream out;
  out << "set terminal svg size 900,360 dynamic enhanced background rgb 'white'\n"
         "set grid\nset xlabel 'virtual seconds'\nset key bottom right\n";
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
    out << "set output '" << (directory / (x.name + cell + ".svg")).string() << "'\n"
        << "set multiplot layout 1,2 title '" << x.title << cell << "'\n";
    draw(out, policies, by_policy, "test accuracy of the average model", 2);
    out << "set key top right\n";
    draw(out, policies, by_policy, "test loss of the average model", 3);
    out << "set key bottom right\nunset multiplot\nunset output\n";
  }
  return out.str();
}

} // namespace dybw::bench
