#include "bench/experiments/experiment_plot.hpp"

#include "bench/experiments/experiment_results.hpp"
#include "learning/base/statistics.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <sstream>
#include <stdexcept>

namespace dybw::bench {

namespace {

using json = experiment_results::json;

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

cell_name named(const cell& c) {
  cell_name x;
  for (const auto& [axis, variant] : c.names) {
    x.title += ", " + variant;
    x.file.append("-").append(file_part(variant)); // GCC 12 warns of "x" + a string, falsely
  }
  return x;
}

/// Null if it was not run.
const json* run_for(const experiment& x, const experiment_results& known, const cell& c, const variant_of& p,
                    std::uint64_t seed) {
  const auto row = row_of(c, p);
  return known.find(name_of(run_of(row, best_step_size(x, known, row), seed)));
}

/// Curves by combination of the axes, then policy.
std::map<cell_name, std::map<std::string, curve>> read_curves(const experiment& x,
                                                              const std::filesystem::path& results) {
  const experiment_results known{results};
  std::map<cell_name, std::map<std::string, curve>> curves;
  for (const auto& c : cells_of(x))
    for (const auto& policy : x.policies)
      for (const auto seed : x.seeds)
        if (const auto* run = run_for(x, known, c, policy, seed); run && run->contains("series"))
          for (const auto& e : (*run)["series"]) {
            auto& p = curves[named(c)][policy.name][e[0].get<double>()];
            p.accuracy.add(e[2]);
            p.loss.add(e[3]);
            if (e[4].is_number())
              p.worst.add(e[4]);
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
  for (const auto& [cell, by_policy] : read_curves(x, results)) {
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
  const experiment_results known{results};
  std::ostringstream out;
  out << "set terminal svg size 900," << 240 * x.policies.size()
      << " dynamic enhanced background rgb 'white'\n"
      << preamble << "set ylabel 'backup workers'\nset yrange [-0.1:*]\nset key outside right\n";
  for (const auto& c : cells_of(x)) {
    const auto cell = named(c);
    out << "set output '" << (directory / (x.name + cell.file + ".svg")).string() << "'\n"
        << "set multiplot layout " << x.policies.size() << ",1 title '" << x.title << cell.title << "'\n";
    for (const auto& p : x.policies) {
      const auto* run = run_for(x, known, c, p, x.seeds.front());
      if (!run)
        throw std::runtime_error("not all is run yet");
      const auto& backup = (*run)["backup"];
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
