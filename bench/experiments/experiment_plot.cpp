#include "bench/experiments/experiment_plot.hpp"

#include "bench/experiments/experiment_results.hpp"
#include "bench/experiments/experiment_summary.hpp"
#include "learning/base/statistics.hpp"

#include <algorithm>
#include <array>
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
  running_mean samples; ///< of training, that all workers used by then, in thousands
};
using curve = std::map<double, point>; ///< by time

/// The first are those of the policies on the pages (apps/comparison/figure_svg.hpp).
constexpr std::array colours{"#0072b2", "#d55e00", "#00916a", "#b0568e", "#a67c00", "#5b6470",
                             "#3a9fd6", "#000000", "#7a4a12", "#5e3c99", "#a0b020", "#99000d"};

std::string begin_script(std::size_t width, std::size_t height) {
  std::ostringstream out;
  out << "set terminal svg size " << width << ',' << height << " dynamic enhanced background rgb 'white'\n";
  for (std::size_t i = 0; i < colours.size(); ++i)
    out << "set linetype " << i + 1 << " lc rgb '" << colours[i] << "'\n";
  return out.str();
}

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
    for (const auto& policy : x.policies) {
      const auto thousands = number_of(row_of(c, policy), "--batch") / 1000;
      for (const auto seed : x.seeds)
        if (const auto* run = run_for(x, known, c, policy, seed); run && run->contains("series"))
          for (const auto& e : (*run)["series"]) {
            auto& p = curves[named(c)][policy.name][e[0].get<double>()];
            p.accuracy.add(e[2]);
            p.loss.add(e[3]);
            p.samples.add(e[1].get<double>() * thousands);
          }
    }
  return curves;
}

void draw(std::ostringstream& out, const std::vector<std::string>& policies,
          const std::map<std::string, curve>& by_policy, const char* abscissa, const char* label,
          const char* columns) {
  out << "set xlabel '" << abscissa << "'\nset ylabel '" << label << "'\nplot ";
  auto number = 0;
  for (const auto& name : policies) {
    if (!by_policy.contains(name))
      continue;
    ++number;
    out << (number > 1 ? ", " : "") << "$data" << number << " using " << columns << " with lines lw 2 title '"
        << name << "'";
  }
  out << "\n";
}

constexpr auto* seconds = "virtual seconds";
constexpr auto* preamble = "set grid\nset xrange [0:*] noextend\n";

std::string curves_plot(const experiment& x, const std::filesystem::path& results,
                        const std::filesystem::path& directory) {
  std::vector<std::string> policies;
  for (const auto& p : x.policies)
    policies.push_back(p.name);
  std::ostringstream out;
  out << begin_script(1280, 360) << preamble << "set key bottom right\n";
  for (const auto& [cell, by_policy] : read_curves(x, results)) {
    auto number = 0;
    for (const auto& name : policies) {
      const auto found = by_policy.find(name);
      if (found == by_policy.end())
        continue;
      out << "$data" << ++number << " << EOD\n";
      for (const auto& [time, p] : found->second)
        out << time << ' ' << p.accuracy.mean() << ' ' << p.loss.mean() << ' ' << p.samples.mean() << '\n';
      out << "EOD\n";
    }
    out << "set output '" << (directory / (x.name + cell.file + ".svg")).string() << "'\n"
        << "set multiplot layout 1,3 title '" << x.title << cell.title << "'\n";
    draw(out, policies, by_policy, seconds, "test accuracy of the average model", "1:2");
    out << "set key top right\n";
    draw(out, policies, by_policy, seconds, "test loss of the average model", "1:3");
    draw(out, policies, by_policy, "training samples used, thousands", "", "4:3");
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
  out << begin_script(900, 240 * x.policies.size()) << preamble << "set xlabel '" << seconds
      << "'\nset ylabel 'backup workers'\nset yrange [-0.1:*]\nset key outside right\n";
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

// --- Figures at the target: a panel per combination of all axes but the last, over whose variants they are.

struct drawn_figure {
  figure pair_of_runs::*field;
  const char* label;
};

drawn_figure drawn_figure_of(picture::what what) {
  switch (what) {
  case picture::what::share:
    return {&pair_of_runs::share, "share of the ideal"};
  case picture::what::times_alone:
    return {&pair_of_runs::times_alone, "times as fast as alone, in steps"};
  default:
    return {&pair_of_runs::time, "virtual seconds to the target"};
  }
}

/// Cells that differ in the last axis only, by what they have in common.
std::vector<std::pair<std::string, std::vector<cell>>> panels_of(const experiment& x) {
  std::vector<std::pair<std::string, std::vector<cell>>> panels;
  for (auto& c : cells_of(x)) {
    auto rest = c;
    rest.names.pop_back();
    const auto title = named(rest).title;
    if (panels.empty() || panels.back().first != title)
      panels.emplace_back(title, std::vector<cell>{});
    panels.back().second.push_back(std::move(c));
  }
  return panels;
}

/// A line for each cell: its last variant, then mean and 95 % interval for each policy. What is not known, or
/// only as a bound, is left out.
std::string panel_data(const results& r, const std::vector<cell>& cells,
                       const std::vector<std::string>& policies, figure pair_of_runs::*field) {
  std::ostringstream out;
  for (const auto& c : cells) {
    out << '"' << c.names.back().second << '"';
    for (const auto& p : policies)
      if (const auto s = over_seeds(r, title_of(c), p, field); s.any() && s.known() == bound::exact)
        out << ' ' << s.mean() << ' ' << s.low() << ' ' << s.high();
      else
        out << " NaN NaN NaN";
    out << '\n';
  }
  return out.str();
}

std::string target_plot(const experiment& x, const std::filesystem::path& file,
                        const std::filesystem::path& directory) {
  const auto r = read_results(x, file);
  const auto with = drawn_figure_of(x.drawn->of);
  const auto as_lines = x.drawn->drawn_as == picture::style::lines;
  auto policies = x.drawn->policies.empty() ? r.policies : x.drawn->policies;
  std::erase_if(policies, [&](const auto& p) {
    return std::ranges::find(r.policies, p) == r.policies.end() ||
           (x.drawn->of == picture::what::share && is_one_worker(p));
  });
  auto panels = panels_of(x);
  std::erase_if(panels, [&](const auto& panel) {
    return std::ranges::any_of(panel.second, [&](const cell& c) {
      return std::ranges::find(r.cells, title_of(c)) == r.cells.end();
    });
  });
  if (policies.empty() || panels.empty())
    throw std::runtime_error("no panel of the picture is run yet");
  std::ostringstream out;
  out << begin_script(1000, 60 + 300 * panels.size()) << "set output '"
      << (directory / (x.name + ".svg")).string() << "'\nset multiplot layout " << panels.size()
      << ",1 title '" << x.title << "'\nset grid y\nset key outside right\nset xlabel '" << x.axes.back().name
      << "'\nset ylabel '" << with.label << "'\nset style data " << (as_lines ? "yerrorlines" : "histograms")
      << "\nset style histogram errorbars gap 1.5 lw 1\nset style fill solid 0.8 border\n"
      << (as_lines ? "set logscale y 2\nset autoscale yfix\nset offsets 0,0,graph 0.05,graph 0.05\n"
                   : "set yrange [0:*]\n");
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const auto& [title, cells] = panels[i];
    out << "$panel" << i << " << EOD\n" << panel_data(r, cells, policies, with.field) << "EOD\n";
    out << "set title '" << (title.empty() ? "" : title.substr(2))
        << "'\nset xrange [-0.6:" << static_cast<double>(cells.size()) - 0.4 << "]\nplot ";
    for (std::size_t k = 0; k < policies.size(); ++k) {
      const auto mean = 2 + 3 * k;
      out << (k > 0 ? ", " : "") << "$panel" << i << " using " << (as_lines ? "0:" : "") << mean << ':'
          << mean + 1 << ':' << mean + 2 << ":xtic(1) title '" << policies[k] << "' lw "
          << (as_lines ? 2 : 1);
    }
    out << "\n";
  }
  out << "unset multiplot\nunset output\n";
  return out.str();
}

} // namespace

std::string plot_of(const experiment& x, const std::filesystem::path& results,
                    const std::filesystem::path& directory) {
  if (x.drawn)
    return target_plot(x, results, directory);
  return x.keeps_backup ? backup_plot(x, results, directory) : curves_plot(x, results, directory);
}

} // namespace dybw::bench
