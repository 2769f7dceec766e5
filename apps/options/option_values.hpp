#pragma once

#include "learning/base/error.hpp"

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace dybw {

/// For `option_values::real`. Moments are 64-bit nanoseconds: sums of a few of these cannot overflow.
inline bool fits_duration(double s) {
  return s > 0 && s <= 1e8;
}
inline const std::string a_duration = "a number of seconds above 0, at most 1e8";

/// Of --threads.
constexpr std::uint64_t threads_max = 4096;

/// The options of one subcommand as they were given: command line, then configuration file, then preset, then
/// default. Values stay text until they are read here, so that every refusal names option, value and
/// constraint. Whatever is wrong throws `input_error` (configuration fault); a value that came from a file is
/// reported behind the file's name.
class option_values {
public:
  /// `known` holds every option: text values, or `bool_switch` for flags. `command` as in "dybw run".
  /// `words_max`: how many words may stand on the command line that belong to no option.
  option_values(const boost::program_options::options_description& known, std::string command,
                std::size_t words_max = 0);

  void add_arguments(std::span<const std::string> arguments);
  /// INI without sections: `name = value` per line, `#` starts a comment. `config` cannot be nested.
  void add_file(const std::filesystem::path& file);
  /// The file of `--config`, if one is given.
  void add_config_file() {
    if (given("config"))
      add_file(text("config"));
  }
  /// As a file's content; `name` stands for the file in messages.
  void add_text(const std::string& content, const std::string& name);

  /// Those that belong to no option, in order.
  const std::vector<std::string>& words() const noexcept { return words_; }
  /// Not merely its default.
  bool given(const std::string& name) const;
  bool flag(const std::string& name) const;
  /// Every option given that has a value, by name.
  std::map<std::string, std::string> all_given() const;
  /// Default of an option; empty for none.
  std::string standard(const std::string& name) const;
  /// The same options, none given.
  option_values without_values() const { return {known_, command_, words_max_}; }
  /// REQUIRES: given, or has a default.
  const std::string& text(const std::string& name) const;
  /// All values of an option that may be given several times, in order: those of the command line first.
  std::vector<std::string> texts(const std::string& name) const;
  /// In [min,max].
  std::uint64_t whole(const std::string& name, std::uint64_t min, std::uint64_t max) const;
  /// Finite and `fits`; `range` describes what fits: "a number ...".
  double real(const std::string& name, bool (*fits)(double), const std::string& range) const;
  /// Index of the value among `names`.
  std::size_t choice(const std::string& name, std::initializer_list<const char*> names) const;

  /// Throws "[FILE: ]--name=value WHAT; MEND".
  [[noreturn]] void refuse(const std::string& name, const std::string& what, const std::string& mend) const;

  /// What `read` returns; an `input_error` that it throws gets the file of the option in front.
  template <class Read>
  auto reading(const std::string& name, Read read) const {
    try {
      return read();
    } catch (const input_error& error) {
      throw input_error{error.fault(), origin(name) + error.what(), "", ""};
    }
  }

private:
  std::string origin(const std::string& name) const; ///< "FILE: " or nothing
  [[noreturn]] void refuse_positional(const std::string& word) const;
  [[noreturn]] void refuse_unknown(const std::string& word, const std::string& prefix) const;
  [[noreturn]] void refuse_syntax(const std::exception& error, const std::string& prefix) const;

  const boost::program_options::options_description& known_;
  std::string command_;
  std::size_t words_max_;
  std::vector<std::string> words_;
  boost::program_options::variables_map values_;
  std::map<std::string, std::string> file_of_; ///< options that were not on the command line
};

/// "a", "a or b", "a, b or c".
std::string join_or(std::span<const std::string> words);

} // namespace dybw
