#include "tests/purity/source_tree.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace dybw::test {

namespace {

namespace fs = std::filesystem;

constexpr std::array folders = {"learning", "messages", "actors", "apps", "bench", "tests"};

/// All files of the tree whose name `fits`, in order.
template <class Fits>
std::vector<source_file> files_where(Fits fits) {
  const auto root = fs::path{DYBW_SOURCE_DIR};
  std::vector<source_file> files;
  for (const auto* folder : folders)
    for (const auto& entry : fs::recursive_directory_iterator(root / folder))
      if (entry.is_regular_file() && fits(entry.path())) {
        const auto path = entry.path().lexically_relative(root).generic_string();
        files.push_back({path, content(path)});
      }
  std::ranges::sort(files, {}, &source_file::path);
  return files;
}

} // namespace

const std::vector<source_file>& sources() {
  static const auto files =
      files_where([](const fs::path& p) { return p.extension() == ".cpp" || p.extension() == ".hpp"; });
  return files;
}

std::vector<source_file> all_code() {
  auto files = files_where([](const fs::path& p) { return p.extension() == ".js"; });
  files.insert(files.end(), sources().begin(), sources().end());
  return files;
}

const std::vector<source_file>& lists() {
  static const auto files = [] {
    auto found = files_where([](const fs::path& p) { return p.filename() == "CMakeLists.txt"; });
    found.push_back({"CMakeLists.txt", content("CMakeLists.txt")});
    return found;
  }();
  return files;
}

std::string content(const std::string& path) {
  std::ifstream in(fs::path{DYBW_SOURCE_DIR} / path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

} // namespace dybw::test
