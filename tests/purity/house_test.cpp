#include "tests/purity/house.hpp"
#include "tests/purity/source_tree.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

namespace {

void none(const std::vector<std::string>& breaches) {
  for (const auto& breach : breaches)
    FAIL_CHECK(breach);
}

std::size_t breaches_of(const std::string& path, const std::string& header) {
  return check_direction({path, "#include \"" + header + "\"\n"}).size();
}

} // namespace

TEST_CASE("house: between folders all includes run one way") {
  for (const auto& file : sources())
    none(check_direction(file));
}

TEST_CASE("house: a folder includes what its CMakeLists.txt names, and names what it includes") {
  none(check_uses(sources(), lists()));
}

TEST_CASE("house: no folder is crowded") {
  none(check_crowding(all_code()));
}

TEST_CASE("house: no file is long without a reason") {
  none(check_file_lengths(all_code()));
}

TEST_CASE("house: docs/architecture.md has a line for every folder") {
  none(check_page(content("docs/architecture.md")));
}

TEST_CASE("check_direction: an include against the direction is found, between sub-folders too") {
  CHECK(breaches_of("learning/model/x.hpp", "learning/consensus/y.hpp") == 1);
  CHECK(breaches_of("learning/consensus/x.hpp", "learning/consensus/audit/y.hpp") == 1);
  CHECK(breaches_of("learning/consensus/x.hpp", "learning/simulation/y.hpp") == 1);
  CHECK(breaches_of("learning/run/x.hpp", "actors/run/y.hpp") == 1);
  CHECK(breaches_of("actors/actors.hpp", "actors/gateway/y.hpp") == 1);
  CHECK(breaches_of("actors/training/x.cpp", "actors/run/y.hpp") == 1);
  CHECK(breaches_of("apps/results/x.cpp", "apps/options/y.hpp") == 1);
  CHECK(breaches_of("learning/consensus/audit/x.hpp", "learning/consensus/y.hpp") == 0);
  CHECK(breaches_of("apps/options/x.cpp", "apps/options/y.hpp") == 0);
}

TEST_CASE("check_direction: a folder that is not of the house is found, whoever includes it") {
  CHECK(breaches_of("actors/run/x.cpp", "actors/attic/y.hpp") == 1);
  CHECK(breaches_of("actors/attic/x.cpp", "actors/run/y.hpp") == 1);
  CHECK(breaches_of("apps/options/x.cpp", "tests/support/y.hpp") == 1);
  CHECK(breaches_of("tests/apps/x.cpp", "bench/y.hpp") == 0);
}

TEST_CASE("check_uses: what is not named, and what is named for nothing, is found") {
  const source_file list{"a/b/CMakeLists.txt",
                         "dybw_folder(\n  SOURCES\n    x.cpp\n  USES c/d\n    e LIBRARIES f)\n"};
  const source_file good{"a/b/x.cpp",
                         "#include \"a/b/x.hpp\"\n#include \"c/d/y.hpp\"\n#include \"e/z.hpp\"\n"};
  CHECK(check_uses({good}, {list}).empty());
  CHECK(check_uses({{"a/b/x.cpp", good.text + "#include \"f/y.hpp\"\n"}}, {list}).size() == 1);
  CHECK(check_uses({{"a/b/x.cpp", "#include \"e/z.hpp\"\n"}}, {list}).size() == 1);
}

TEST_CASE("check_crowding: headers do not count") {
  std::vector<source_file> files;
  for (std::size_t i = 0; i <= code_files_max; ++i)
    files.push_back({"a/b/" + std::to_string(i) + ".hpp", ""});
  CHECK(check_crowding(files).empty());
  for (std::size_t i = 0; i <= code_files_max; ++i)
    files.push_back({"a/b/" + std::to_string(i) + (i % 2 == 0 ? ".cpp" : ".js"), ""});
  CHECK(check_crowding(files).size() == 1);
}

TEST_CASE("check_file_lengths: a long file says why in its first lines") {
  std::string lines;
  for (std::size_t i = 0; i < file_lines_max; ++i)
    lines += "x\n";
  CHECK(check_file_lengths({{"a.cpp", lines}}).empty());
  CHECK(check_file_lengths({{"a.cpp", lines + "x\n"}}).size() == 1);
  CHECK(check_file_lengths({{"a.cpp", "// Long: one rule, one case\n" + lines}}).empty());
}

TEST_CASE("check_page: a folder without a line is found") {
  std::string page;
  for (const auto& folder : floors())
    page += "| `" + folder + "/` | purpose |\n";
  CHECK(check_page(page).empty());
  CHECK(check_page(page.substr(page.find('\n') + 1)).size() == 1);
}

} // namespace dybw::test
