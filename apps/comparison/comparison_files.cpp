#include "apps/comparison/comparison_files.hpp"

#include "actors/system/durable_file.hpp"
#include "apps/comparison/comparison_json.hpp"
#include "apps/comparison/figure_svg.hpp"
#include "learning/base/error.hpp"
#include "learning/base/statistics.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <limits>
#include <span>
#include <system_error>

namespace dybw {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

struct curve_kind {
  const char* file;
  const char* field;
  const char* title;
  bool is_logarithmic;
  bool has_target;
};

constexpr std::array curve_kinds{
    curve_kind{"accuracy", "test_accuracy", "test accuracy of the average model", false, true},
    curve_kind{"loss", "test_loss", "test loss of the average model", false, false},
    curve_kind{"worst-worker", "worst_worker_accuracy", "test accuracy of the worst worker", false, true},
    curve_kind{"consensus-distance", "consensus_distance", "consensus distance", true, false},
};

double number_at(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<double>()
                                                     : std::numeric_limits<double>::quiet_NaN();
}

curve curve_of(const comparison& all, const run_group& g, const char* field) {
  curve c{g.label, policy_hue(g.policy), g.variant, {}, {}};
  for (const auto& e : evaluations_of(all, g)) {
    if (!e.is_object() || !e.contains(field) || !e[field].is_number())
      continue;
    curve_point p{number_at(e, "time_s"), number_at(e, field), 0};
    if (const auto widths = e.find("half_widths"); widths != e.end() && widths->is_object())
      p.half_width = std::max(0.0, number_at(*widths, field));
    if (e.value("at_end", false))
      c.end = p;
    else
      c.points.push_back(p);
  }
  return c;
}

/// The target that all of them had.
std::optional<double> common_target(const comparison& all, const std::vector<const run_group*>& groups) {
  std::optional<double> target;
  for (const auto* g : groups) {
    const auto x = number_at(all.runs[g->runs.front()].config, "target-accuracy");
    if (!(x > 0) || (target && *target != x))
      return std::nullopt;
    target = x;
  }
  return target;
}

bar_figure time_to_target(const comparison& all, const std::vector<const run_group*>& groups,
                          const std::string& time_name) {
  bar_figure figure{time_name + " to the target accuracy (s)", {}};
  for (const auto* g : groups) {
    sample_mean sum;
    for (const auto i : g->runs)
      if (const auto x = dybw::figure(all.runs[i], by_target.field))
        sum.add(*x);
    if (sum.count() == g->runs.size()) // a mean of those that got there would be too good
      figure.bars.push_back({g->label, policy_hue(g->policy), {sum.mean(), 0, sum.half_width()}});
  }
  return figure;
}

/// A terminal, a pipe, or what a link leads to.
void write_through(const fs::path& file, const std::string& text) {
  errno = 0;
  std::ofstream out(file, std::ios::binary);
  out << text;
  if (!out.flush())
    throw std::system_error{errno != 0 ? errno : EIO, std::generic_category()};
}

} // namespace

void write_output(const std::string& option, const fs::path& file, const std::string& begins,
                  const std::string& text) {
  const auto given = "--" + option + "=" + file.string();
  if (fs::is_regular_file(file) && fs::file_size(file) > 0) {
    std::string begin(begins.size(), '\0');
    if (!std::ifstream{file, std::ios::binary}.read(begin.data(),
                                                    static_cast<std::streamsize>(begin.size())) ||
        begin != begins)
      throw input_error{input_fault::configuration,
                        given + " is there already and was not made by dybw report", "",
                        "give another file, or remove that one first"};
  }
  try {
    if (fs::is_symlink(file) || (fs::exists(file) && !fs::is_regular_file(file)))
      write_through(file, text);
    else // a full disk leaves what was there
      write_whole(file, [&](const byte_sink& write) { write(std::as_bytes(std::span{text})); });
  } catch (const std::system_error& error) {
    throw input_error{input_fault::configuration, given + " cannot be written: " + error.code().message(), "",
                      "give a file in a directory that is there and has room"};
  }
}

std::vector<fs::path> write_figures(const comparison& all, const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error)
    throw input_error{input_fault::configuration,
                      "--svg=" + directory.string() + " cannot be made: " + error.message(), "",
                      "give another directory"};
  std::map<std::string, std::vector<const run_group*>> by_clock;
  for (const auto& g : all.groups)
    by_clock[all.runs[g.runs.front()].run.value("clock", std::string{"real"})].push_back(&g);
  std::vector<fs::path> files;
  for (const auto& [clock, groups] : by_clock) {
    const auto suffix = by_clock.size() > 1 ? "-" + clock : "";
    const std::string time_name = clock == "virtual" ? "virtual time" : "time";
    const auto write = [&](const std::string& name, const std::string& svg) {
      if (svg.empty())
        return;
      files.push_back(directory / (name + suffix + ".svg"));
      write_output("svg", files.back(), "<svg xmlns=", svg);
    };
    for (const auto& kind : curve_kinds) {
      line_figure figure{time_name + " (s)", kind.title, kind.is_logarithmic, {}, {}};
      if (kind.has_target)
        figure.rule = common_target(all, groups);
      for (const auto* g : groups)
        if (auto c = curve_of(all, *g, kind.field); !c.points.empty() || c.end)
          figure.curves.push_back(std::move(c));
      write(kind.file, svg_of(figure));
    }
    write("time-to-target", svg_of(time_to_target(all, groups, time_name)));
  }
  return files;
}

} // namespace dybw
