#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace dybw::test {

/// Of a text file, without their ends; empty if it is not there.
inline std::vector<std::string> lines_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

} // namespace dybw::test
