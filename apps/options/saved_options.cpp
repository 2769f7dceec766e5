#include "apps/options/saved_options.hpp"

#include "apps/results/run_directory.hpp"

#include <algorithm>
#include <array>

namespace dybw {

namespace {

namespace fs = std::filesystem;

/// Options that say where and how to print, or only what to do now.
constexpr std::array not_saved = {"out",    "force",    "format",     "log-level", "quiet",
                                  "config", "resume",   "help",       "nodes",     "nodes-file",
                                  "detach", "tls-cert", "tls-key",    "tls-ca",    "tls-crl",
                                  "trace",  "http",     "http-token", "record",    "seeds"};

/// Those of the saved ones that may be others when a run goes on.
constexpr std::array may_change = {"rounds", "time-limit", "target-accuracy",  "threads",
                                   "data",   "eval-every", "checkpoint-every", "log-max"};

template <class Names>
bool is_among(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// A value that names a file is made to do so from any directory.
std::string anywhere(const std::string& name, const std::string& value) {
  if (name == "data")
    return fs::absolute(value).lexically_normal().string();
  for (const std::string prefix : {"file:", "trace:"})
    if (value.starts_with(prefix))
      return prefix + fs::absolute(value.substr(prefix.size())).lexically_normal().string();
  return value;
}

/// As it may stand in an INI file.
std::string as_saved(const option_values& given, const std::string& name, const std::string& value) {
  if (value.find('\n') != std::string::npos || value.ends_with(' ') || value.ends_with('\t'))
    given.refuse(name, "has a line end or a blank at its end, which a run that can go on cannot keep",
                 "rename it or make a link of another name");
  std::string text;
  for (const auto c : value)
    text += c == '#' ? "\\#" : std::string(1, c);
  return text;
}

} // namespace

std::string saved_options(const option_values& given) {
  std::string text = "# Options of the run in this directory, for: dybw run --resume DIR, dybw replay DIR\n";
  for (const auto& [name, value] : given.all_given())
    if (!is_among(not_saved, name))
      text += name + " = " + as_saved(given, name, anywhere(name, value)) + '\n';
  return text;
}

namespace {

/// What `saved` has is below what is given; `place` stands for it in messages.
void add_checked(option_values& given, const option_values& saved, const std::string& place) {
  const auto before = saved.all_given();
  for (const auto& [name, value] : given.all_given()) {
    if (is_among(not_saved, name) || is_among(may_change, name))
      continue;
    const auto found = before.find(name);
    const auto was = found != before.end() ? found->second : given.standard(name);
    if (anywhere(name, value) != was)
      given.refuse(name, "contradicts " + place + (was.empty() ? "" : ", which has " + was), "leave it out");
  }
}

void refuse_contradictions(const option_values& given, const std::string& run) {
  for (const auto* option : {"config", "force"})
    if (given.given(option))
      throw input_error{input_fault::configuration,
                        std::string{"--"} + option + " contradicts --resume=" + run, "",
                        "leave it out: the run goes on as it began"};
}

} // namespace

void add_saved_options(option_values& given, const fs::path& directory) {
  const auto file = directory / saved_options_name;
  if (!fs::is_regular_file(file))
    given.refuse("resume", "holds no run with checkpoints: there is no " + file.string(),
                 "name the --out of a run with --checkpoint-every");
  refuse_contradictions(given, directory.string());
  if (given.given("out") &&
      fs::absolute(given.text("out")).lexically_normal() != fs::absolute(directory).lexically_normal())
    given.refuse("out", "contradicts --resume=" + directory.string(),
                 "leave it out: the run goes on where it is");
  auto saved = given.without_values();
  saved.add_file(file);
  add_checked(given, saved, file.string());
  given.add_file(file);
}

void add_saved_options(option_values& given, const std::vector<std::string>& lines,
                       const std::string& place) {
  std::string text;
  for (const auto& line : lines)
    text += line + '\n';
  if (given.given("config"))
    refuse_contradictions(given, given.text("resume"));
  auto saved = given.without_values();
  saved.add_text(text, place);
  add_checked(given, saved, place);
  given.add_text(text, place);
}

} // namespace dybw
