#include "actors/system/durable_file.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

namespace dybw::test {

namespace {

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>{in}, {}};
}

void append(const std::filesystem::path& file, std::uint64_t at, const std::string& text) {
  append_durably(file, at, std::as_bytes(std::span{text}));
}

} // namespace

TEST_CASE("append_durably: what is written becomes the end of the file") {
  const temporary_directory place;
  const auto file = place.path() / "f";
  append(file, 0, "abc");
  append(file, 3, "def");
  CHECK(content(file) == "abcdef");
  append(file, 4, "XY"); // what was cut short is gone
  CHECK(content(file) == "abcdXY");
  append(file, 6, "");
  CHECK(content(file) == "abcdXY");
  append(file, 0, "new");
  CHECK(content(file) == "new");
}

TEST_CASE("append_durably: failures are told, and links are not followed") {
  const temporary_directory place;
  CHECK_THROWS_AS(append(place.path() / "none" / "f", 0, "a"), std::system_error);
  append(place.path() / "real", 0, "kept");
  std::filesystem::create_symlink(place.path() / "real", place.path() / "link");
  CHECK_THROWS_AS(append(place.path() / "link", 0, "a"), std::system_error);
  CHECK(content(place.path() / "real") == "kept");
}

} // namespace dybw::test
