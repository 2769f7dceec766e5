#pragma once

#include "tests/purity/source_rules.hpp"

/// The project's files as they lie on the disk.
namespace dybw::test {

/// All C++.
const std::vector<source_file>& sources();

/// All C++ and JavaScript.
std::vector<source_file> all_code();

/// Every CMakeLists.txt.
const std::vector<source_file>& lists();

/// The content of a file, named from the project's root.
std::string content(const std::string& path);

} // namespace dybw::test
