#pragma once

#include "tests/purity/source_rules.hpp"

/// The picture of the house (docs/architecture.md): which folders there are, and what may include what. Pure
/// functions of texts, so that the rules themselves can be tested.
namespace dybw::test {

constexpr std::size_t code_files_max = 16;
constexpr std::size_t file_lines_max = 500;

/// The folders of the program from the ground up: a folder may include itself and those before it.
const std::vector<std::string>& floors();

/// Includes that go up, or to a folder that is not of the house.
std::vector<std::string> check_direction(const source_file& file);

/// Includes of folders that the CMakeLists.txt beside the file does not name behind USES, and folders named
/// there that no file includes.
std::vector<std::string> check_uses(const std::vector<source_file>& sources,
                                    const std::vector<source_file>& lists);

/// Folders with more than `code_files_max` files that hold code of their own, headers aside.
std::vector<std::string> check_crowding(const std::vector<source_file>& sources);

/// Files of more than `file_lines_max` lines that do not say why: in one of their first lines, behind "Long:
/// ".
std::vector<std::string> check_file_lengths(const std::vector<source_file>& sources);

/// Folders of the house without a line in the table of `page`.
std::vector<std::string> check_page(const std::string& page);

} // namespace dybw::test
