#pragma once

#include <optional>
#include <string>
#include <vector>

/// Rules about the source tree that compilers do not check. Pure functions of texts, so that the rules
/// themselves can be tested.
namespace dybw::test {

struct source_file {
  std::string path; ///< from the project's root, for example "learning/base/types.hpp"
  std::string text;
};

std::vector<std::string> lines_of(const std::string& text);

/// What an `#include` names: `<..>` with its brackets, a quoted one bare.
std::optional<std::string> included(const std::string& line);

constexpr std::size_t line_columns_max = 120;
constexpr std::size_t function_lines_max = 100;

/// What each folder may include and use; one sentence per breach.
std::vector<std::string> check_layers(const source_file& file);

/// Lines of more than `line_columns_max` characters, functions of more than `function_lines_max` lines.
std::vector<std::string> check_lengths(const source_file& file);

/// Words that tell of unfinished work or of the author's machine.
std::vector<std::string> check_words(const source_file& file);

/// Names of test cases that CMake's discovery takes apart: at a semicolon, and then runs neither part.
std::vector<std::string> check_test_names(const source_file& file);

/// Sources that no CMakeLists.txt of `lists` names, and headers that no source includes.
std::vector<std::string> check_dead_files(const std::vector<source_file>& sources,
                                          const std::vector<source_file>& lists);

} // namespace dybw::test
