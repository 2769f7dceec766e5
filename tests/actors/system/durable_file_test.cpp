#include "actors/system/durable_file.hpp"
#include "tests/support/full_disk.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>

namespace dybw::test {

namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::set<std::string> names_in(const fs::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory))
    names.insert(entry.path().filename().string());
  return names;
}

using names = std::set<std::string>;

} // namespace

TEST_CASE("write_durably: writes beside the place, and then there") {
  const temporary_directory place;
  const auto file = place.path() / "a";
  for (const std::string text : {"one", "two"}) {
    write_durably(file, [&](const byte_sink& write) {
      write(std::as_bytes(std::span{text}));
      CHECK(names_in(place.path()).contains("a.part"));
    });
    CHECK(content(file) == text);
    CHECK(names_in(place.path()) == names{"a"});
  }
}

TEST_CASE("write_durably: follows no link, whether in its place or where an unfinished file might stand") {
  const temporary_directory place;
  const auto below = place.path() / "below";
  fs::create_directory(below);
  const auto target = place.path() / "target";
  write_durably(target, "kept");
  for (const auto* name : {"a", "a.part"})
    fs::create_symlink(target, below / name);
  write_durably(below / "a", "new");
  CHECK(content(target) == "kept");
  CHECK(content(below / "a") == "new");
  CHECK(fs::is_regular_file(fs::symlink_status(below / "a")));
  CHECK(names_in(below) == names{"a"});
}

TEST_CASE("write_durably: a failure leaves what was there and nothing else") {
  const temporary_directory place;
  const auto file = place.path() / "a";
  write_durably(file, "old");
  {
    const full_disk disk{2};
    CHECK_THROWS_AS(write_durably(file, "new"), std::system_error);
  }
  CHECK_THROWS_AS(write_durably(file,
                                [](const byte_sink& write) {
                                  write(std::as_bytes(std::span{"half"}));
                                  throw std::runtime_error{"no more"};
                                }),
                  std::runtime_error);
  CHECK(content(file) == "old");
  fs::create_directories(place.path() / "b" / "c"); // cannot be replaced
  CHECK_THROWS_AS(write_durably(place.path() / "b", "new"), std::system_error);
  CHECK_THROWS_AS(write_durably(place.path() / "missing" / "d", "new"), std::system_error);
  CHECK(names_in(place.path()) == names{"a", "b"});
}

TEST_CASE("write_durably: takes the place of what a killed process left of the same file") {
  const temporary_directory place;
  for (const auto* name : {"a.part", "b.part"})
    std::ofstream(place.path() / name) << "half";
  write_durably(place.path() / "a", "new");
  CHECK(content(place.path() / "a") == "new");
  CHECK(names_in(place.path()) == names{"a", "b.part"});
}

TEST_CASE("finished_name: takes off what an unfinished file has behind its name") {
  CHECK(finished_name("run.json.part") == "run.json");
  for (const auto* other : {"run.json", "part", ""})
    CHECK(finished_name(other) == other);
}

TEST_CASE("create_directories_durably: makes what is missing, and minds nothing that is there") {
  const temporary_directory place;
  const auto deep = place.path() / "a" / "b" / "c";
  create_directories_durably(deep);
  CHECK(fs::is_directory(deep));
  create_directories_durably(deep);
  std::ofstream(deep / "file") << "x";
  CHECK_THROWS_AS(create_directories_durably(deep / "file" / "d"), std::system_error);
}

} // namespace dybw::test
