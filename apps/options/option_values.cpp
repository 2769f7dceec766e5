#include "apps/options/option_values.hpp"

#include "learning/base/option_text.hpp"

#include <boost/program_options/errors.hpp>
#include <boost/program_options/parsers.hpp>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <numeric>
#include <sstream>
#include <system_error>

namespace po = boost::program_options;

namespace dybw {

namespace {

std::string without_dashes(const std::string& name) {
  const auto first = name.find_first_not_of('-');
  return first == std::string::npos ? "" : name.substr(first);
}

/// Levenshtein's: insertions, deletions and replacements that turn one into the other.
std::size_t edit_distance(const std::string& from, const std::string& to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= from.size(); ++i) {
    auto diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const auto replaced = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

/// Empty if none is near enough to be meant.
std::string nearest_option(const po::options_description& known, const std::string& name) {
  std::string nearest;
  auto best = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const auto& option : known.options()) {
    const auto distance = edit_distance(name, option->long_name());
    if (distance < best) {
      best = distance;
      nearest = option->long_name();
    }
  }
  return nearest;
}

/// Stands for a `#` of a value: Boost's parser ends a value at every one.
constexpr char hidden_sign = '\x01';

/// A `#` begins a comment at the beginning of a line and behind a blank, unless `\#`.
std::string hide_signs(std::string_view content) {
  std::string hidden;
  hidden.reserve(content.size());
  auto in_comment = false;
  for (const auto c : content) {
    const auto before = hidden.empty() ? '\n' : hidden.back();
    if (c == '\n')
      in_comment = false;
    if (c != '#' || in_comment) {
      hidden += c;
    } else if (before == '\\') {
      hidden.back() = hidden_sign;
    } else if (std::isspace(static_cast<unsigned char>(before)) != 0) {
      in_comment = true;
      hidden += c;
    } else {
      hidden += hidden_sign;
    }
  }
  return hidden;
}

} // namespace

option_values::option_values(const po::options_description& known, std::string command, std::size_t words_max)
    : known_(known), command_(std::move(command)), words_max_(words_max) {
  po::store(po::parsed_options{&known_}, values_); // the defaults
}

void option_values::add_arguments(std::span<const std::string> arguments) {
  using namespace po::command_line_style;
  try {
    const auto parsed = po::command_line_parser({arguments.begin(), arguments.end()})
                            .options(known_)
                            .style(allow_long | long_allow_next | long_allow_adjacent)
                            .run();
    for (const auto& option : parsed.options) {
      if (option.position_key >= 0) {
        const auto& word = option.value.front();
        if (word.starts_with('-') || words_.size() == words_max_)
          refuse_positional(word);
        words_.push_back(word);
      }
      if (!option.value.empty() && option.value.front().starts_with("--"))
        throw input_error{input_fault::configuration, "--" + option.string_key + " needs a value", "",
                          "see " + command_ + " --help"};
    }
    po::store(parsed, values_);
  } catch (const po::error& error) {
    refuse_syntax(error, "");
  }
}

void option_values::add_file(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::ostringstream content;
  if (std::filesystem::is_directory(file) || !in || !(content << in.rdbuf() || in.peek() == EOF))
    throw input_error{input_fault::configuration, "--config=" + file.string() + " cannot be read", "",
                      "give an INI file, as in config/"};
  add_text(content.str(), file.string());
}

void option_values::add_text(const std::string& content, const std::string& name) {
  const auto prefix = name + ": ";
  const auto text = hide_signs(without_byte_order_mark(content));
  po::options_description in_files;
  for (const auto& option : known_.options())
    if (option->long_name() != "config" && option->long_name() != "help")
      in_files.add(option);
  try {
    std::istringstream in(text);
    auto parsed = po::parse_config_file(in, in_files);
    for (auto& option : parsed.options) {
      if (!given(option.string_key))
        file_of_[option.string_key] = name;
      for (auto& value : option.value)
        std::replace(value.begin(), value.end(), hidden_sign, '#');
    }
    po::store(parsed, values_);
  } catch (const po::error& error) {
    refuse_syntax(error, prefix);
  }
}

bool option_values::given(const std::string& name) const {
  return values_.count(name) > 0 && !values_[name].defaulted();
}

std::map<std::string, std::string> option_values::all_given() const {
  std::map<std::string, std::string> all;
  for (const auto& [name, value] : values_)
    if (const auto* text = boost::any_cast<std::string>(&value.value());
        text != nullptr && !value.defaulted())
      all.emplace(name, *text);
  return all;
}

std::string option_values::standard(const std::string& name) const {
  const auto none = without_values();
  const auto found = none.values_.find(name);
  const auto* text =
      found != none.values_.end() ? boost::any_cast<std::string>(&found->second.value()) : nullptr;
  return text != nullptr ? *text : std::string{};
}

bool option_values::flag(const std::string& name) const {
  return values_[name].as<bool>();
}

const std::string& option_values::text(const std::string& name) const {
  return values_[name].as<std::string>();
}

std::vector<std::string> option_values::texts(const std::string& name) const {
  return given(name) ? values_[name].as<std::vector<std::string>>() : std::vector<std::string>{};
}

std::uint64_t option_values::whole(const std::string& name, std::uint64_t min, std::uint64_t max) const {
  const auto x = parse_number<std::uint64_t>(text(name));
  const auto range = "give a whole number from " + std::to_string(min) + " to " + std::to_string(max);
  const auto looks_whole =
      !text(name).empty() && text(name).find_first_not_of("-0123456789") == std::string::npos;
  if (!x && !looks_whole)
    refuse(name, "is not a whole number", range);
  if (!x || *x < min || *x > max)
    refuse(name, "is out of range", range);
  return *x;
}

double option_values::real(const std::string& name, bool (*fits)(double), const std::string& range) const {
  const auto x = parse_number<double>(text(name));
  if (!x)
    refuse(name, "is not a finite number", "give " + range);
  if (!fits(*x))
    refuse(name, "is out of range", "give " + range);
  return *x;
}

std::size_t option_values::choice(const std::string& name, std::initializer_list<const char*> names) const {
  const auto found = std::find(names.begin(), names.end(), text(name));
  if (found == names.end())
    refuse(name, "is unknown", "give " + join_or(std::vector<std::string>(names.begin(), names.end())));
  return static_cast<std::size_t>(found - names.begin());
}

void option_values::refuse(const std::string& name, const std::string& what, const std::string& mend) const {
  const auto* value = boost::any_cast<std::string>(&values_[name].value());
  throw input_error{input_fault::configuration,
                    origin(name) + "--" + name + (value ? "=" + *value : "") + " " + what, "", mend};
}

std::string option_values::origin(const std::string& name) const {
  const auto found = file_of_.find(name);
  return found == file_of_.end() ? "" : found->second + ": ";
}

void option_values::refuse_positional(const std::string& word) const {
  if (word.size() > 1 && word.front() == '-')
    refuse_unknown(word, "");
  throw input_error{input_fault::configuration, "unexpected argument '" + word + "'", "",
                    "options start with --, see " + command_ + " --help"};
}

void option_values::refuse_unknown(const std::string& word, const std::string& prefix) const {
  const auto name = word.substr(0, word.find('='));
  const auto bare = without_dashes(name);
  const auto list = command_ + " --help lists all";
  const auto near = nearest_option(known_, bare);
  auto mend = near.empty() || name == "--" + near ? list : "did you mean --" + near + "? (" + list + ")";
  if (!prefix.empty() && !near.empty()) // in a file
    mend = near == bare ? "write it without dashes: " + near : "did you mean " + near + "? (" + list + ")";
  if (!prefix.empty() && bare.find('.') != std::string::npos)
    mend = "options stand in no [section]";
  throw input_error{input_fault::configuration, prefix + "unknown option " + (prefix.empty() ? name : bare),
                    "", mend};
}

void option_values::refuse_syntax(const std::exception& error, const std::string& prefix) const {
  std::string what = error.what();
  std::string mend = "see " + command_ + " --help";
  if (const auto* unknown = dynamic_cast<const po::unknown_option*>(&error))
    refuse_unknown(unknown->get_option_name(), prefix);
  if (const auto* named = dynamic_cast<const po::error_with_option_name*>(&error)) {
    const auto option = "--" + without_dashes(named->get_option_name());
    if (dynamic_cast<const po::multiple_occurrences*>(&error)) {
      what = option + " is given more than once";
      mend = option == "--policy" ? "separate policies by commas" : "give it once";
    } else if (const auto* syntax = dynamic_cast<const po::invalid_command_line_syntax*>(&error)) {
      const auto extra = syntax->kind() == po::invalid_syntax::extra_parameter;
      what = option + (extra ? " takes no value" : " needs a value");
    } else if (dynamic_cast<const po::validation_error*>(&error)) {
      what = option + " is on or off";
      mend = "give yes or no";
    }
  }
  throw input_error{input_fault::configuration, prefix + what, "", mend};
}

std::string join_or(std::span<const std::string> words) {
  std::string joined;
  for (std::size_t i = 0; i < words.size(); ++i)
    joined += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  return joined;
}

} // namespace dybw
