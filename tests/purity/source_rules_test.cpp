#include "tests/purity/source_rules.hpp"
#include "tests/purity/source_tree.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace dybw::test {

namespace {

void none(const std::vector<std::string>& breaches) {
  for (const auto& breach : breaches)
    FAIL_CHECK(breach);
}

bool breaks_layers(const std::string& path, const std::string& text) {
  return !check_layers({path, text}).empty();
}

} // namespace

TEST_CASE("source tree: is found") {
  CHECK(sources().size() > 100);
  CHECK(lists().size() > 10);
}

TEST_CASE("source tree: each folder includes and uses only what its layer may") {
  for (const auto& file : sources())
    none(check_layers(file));
}

TEST_CASE("source tree: lines and functions have bearable lengths") {
  for (const auto& file : sources())
    none(check_lengths(file));
}

TEST_CASE("source tree: nothing is left unfinished, and no machine of ours is named") {
  for (const auto& file : sources())
    none(check_words(file));
}

TEST_CASE("source tree: every test has a name under which it is run") {
  for (const auto& file : sources())
    none(check_test_names(file));
}

TEST_CASE("source tree: every source is built and every header included") {
  none(check_dead_files(sources(), lists()));
}

TEST_CASE("check_layers: a breach in learning/ is found") {
  for (const std::string line :
       {"#include <caf/all.hpp>", "#include <spdlog/spdlog.h>", "#include <boost/any.hpp>",
        "#include <thread>", "#include <mutex>", "#include <iostream>", "#include <sys/socket.h>",
        "#include <nlohmann/json.hpp>", "#  include <thread>", "#include \"actors/actors.hpp\"",
        "#include \"messages/wire.hpp\"", "#include \"apps/results/run_json.hpp\"",
        "  const auto now = std::chrono::steady_clock::now();", "  std::cout << 1;",
        "  std::this_thread::sleep_for(x);", "  std::random_device device;", "#include <zlib.h>"}) {
    CAPTURE(line);
    CHECK(breaks_layers("learning/model/x.cpp", "int a;\n" + line + "\n"));
  }
}

TEST_CASE("check_layers: what learning/ may do is let through") {
  CHECK_FALSE(breaks_layers("learning/data/x.cpp", "#include <zlib.h>\n"));
  CHECK_FALSE(breaks_layers("learning/model/x.cpp",
                            "#include <Eigen/Core>\n#include <chrono>\n#include <fstream>\n"));
  CHECK_FALSE(breaks_layers("learning/model/x.cpp", "#include \"learning/base/types.hpp\"\n"));
  CHECK_FALSE(breaks_layers("learning/model/x.cpp", "int a; // not steady_clock::now()\n"));
  CHECK_FALSE(breaks_layers("learning/model/x.cpp", "auto a = \"std::cout\";\n"));
}

TEST_CASE("check_layers: breaches in the other folders are found") {
  CHECK(breaks_layers("messages/x.hpp", "#include \"actors/actors.hpp\"\n"));
  CHECK(breaks_layers("messages/x.hpp", "#include <spdlog/spdlog.h>\n"));
  CHECK_FALSE(
      breaks_layers("messages/x.hpp", "#include <caf/all.hpp>\n#include \"learning/base/types.hpp\"\n"));
  CHECK(breaks_layers("actors/x.cpp", "#include \"apps/results/run_json.hpp\"\n"));
  CHECK(breaks_layers("actors/x.cpp", "#include <boost/any.hpp>\n"));
  CHECK(breaks_layers("actors/x.cpp", "  std::this_thread::sleep_for(y);\n"));
  CHECK_FALSE(breaks_layers("actors/x.cpp", "#include \"messages/wire.hpp\"\n#include <spdlog/spdlog.h>\n"));
  CHECK(breaks_layers("apps/x.cpp", "#include \"tests/actors/support/fakes.hpp\"\n"));
  CHECK_FALSE(
      breaks_layers("apps/x.cpp", "#include \"actors/run/local_run.hpp\"\n#include <boost/any.hpp>\n"));
}

TEST_CASE("check_test_names: a semicolon is found, also in a name of two lines, and nowhere else") {
  const std::string begin = std::string{"TEST"} + "_CASE(";
  CHECK(check_test_names({"a.cpp", begin + "\"x: a, b\") {\n  f();\n}\n"}).empty());
  CHECK(check_test_names({"a.cpp", begin + "\"x: a; b\") {\n"}).size() == 1);
  CHECK(check_test_names({"a.cpp", begin + "\n    \"x: a \"\n    \"c; b\") {\n"}).size() == 1);
}

TEST_CASE("check_lengths: a line too long is found, whatever its bytes") {
  CHECK(check_lengths({"a.cpp", std::string(120, 'x') + "\n"}).empty());
  const auto breaches = check_lengths({"a.cpp", "\n" + std::string(121, 'x') + "\n"});
  REQUIRE(breaches.size() == 1);
  CHECK(breaches[0] == "a.cpp:2: a line of 121 columns");
  std::string umlauts;
  for (int i = 0; i < 120; ++i)
    umlauts += "\xc3\xa4";
  CHECK(check_lengths({"a.cpp", umlauts + "\n"}).empty());
}

TEST_CASE("check_lengths: a function too long is found, with a signature of one line or several") {
  const auto function = [](const std::string& signature, int body) {
    std::string text = "int before;\n\n" + signature + "\n";
    for (int i = 0; i < body; ++i)
      text += i % 10 == 0 ? "\n" : "  x();\n";
    return text + "}\n";
  };
  CHECK(check_lengths({"a.cpp", function("void f() {", 98)}).empty());
  REQUIRE(check_lengths({"a.cpp", function("void f() {", 99)}).size() == 1);
  CHECK(check_lengths({"a.cpp", function("void f() {", 99)})[0] == "a.cpp:3: a function of 101 lines");
  CHECK(check_lengths({"a.cpp", function("void f(int a,\n       int b) {", 98)}).size() == 1);
  std::string many;
  for (int i = 0; i < 30; ++i)
    many += function("void f() {", 20);
  CHECK(check_lengths({"a.cpp", many}).empty());
}

TEST_CASE("check_words: unfinished work and places on a machine are found") {
  CHECK(check_words({"a.cpp", std::string{"// TO"} + "DO: later\n"}).size() == 1);
  CHECK(check_words({"a.cpp", std::string{"open(\"/ho"} + "me/me/x\");\n"}).size() == 1);
  CHECK(check_words({"a.cpp", "int method; // todos are fine\n"}).empty());
}

TEST_CASE("check_dead_files: sources that are not built and headers that nobody includes are found") {
  const std::vector<source_file> some{{"a/used.hpp", "#include \"a/used.hpp\"\n"},
                                      {"a/near.hpp", ""},
                                      {"a/unused.hpp", "#include \"a/unused.hpp\"\n"},
                                      {"a/built.cpp", "#include \"a/used.hpp\"\n#include \"near.hpp\"\n"},
                                      {"a/b/deep.cpp", ""},
                                      {"a/looped.cpp", ""},
                                      {"a/built.cpp.cpp", ""},
                                      {"a/left.cpp", ""},
                                      {"b/elsewhere.cpp", ""}};
  const std::vector<source_file> list{
      {"a/CMakeLists.txt", "add(x built.cpp\n b/deep.cpp elsewhere.cpp not_left.cpp)"},
      {"a/c/CMakeLists.txt", "foreach(name looped)\nadd(${name}.cpp)"}};
  const auto breaches = check_dead_files(some, list);
  CHECK(breaches.size() == 4);
  for (const std::string path : {"a/unused.hpp", "a/left.cpp", "a/built.cpp.cpp", "b/elsewhere.cpp"})
    CHECK_MESSAGE(std::ranges::any_of(breaches, [&](const auto& b) { return b.starts_with(path + " "); }),
                  path);
}

} // namespace dybw::test
