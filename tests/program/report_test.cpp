#include "tests/program/child_process.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace dybw::test {

namespace {

std::string run_into(const temporary_directory& place, const std::string& name, const std::string& seed) {
  const auto out = (place.path() / name).string();
  const auto end =
      dybw({"run", "--clock", "virtual", "--step-time", "exp:1", "--workers", "4", "--rounds", "20",
            "--policy", "full,adaptive", "--seed", seed, "--out", out, "--quiet", "--eval-every", "5"});
  REQUIRE(end.code == 0);
  return out;
}

} // namespace

TEST_CASE("dybw report: compares the runs of several directories, as a table, as JSON and as a page") {
  const temporary_directory place;
  const auto a = run_into(place, "a", "1");
  const auto b = run_into(place, "b", "2");
  const auto page = (place.path() / "page.html").string();
  const auto table = dybw({"report", a, b, "--out", page});
  CAPTURE(table.err);
  REQUIRE(table.code == 0);
  CHECK(table.out.find("digits (iid), softmax, 4 workers on ring") != std::string::npos);
  CHECK(table.out.find(a + " adaptive") != std::string::npos);
  CHECK(table.out.find("times the") != std::string::npos);
  CHECK(std::filesystem::file_size(page) > 100'000);
  std::ifstream in(page);
  const std::string html{std::istreambuf_iterator<char>{in}, {}};
  CHECK(html.find("b adaptive") != std::string::npos);

  const auto json = dybw({"report", a, "--format", "json"});
  REQUIRE(json.code == 0);
  const auto document = nlohmann::json::parse(json.out);
  REQUIRE(document["runs"].size() == 2);
  CHECK(document["runs"][0]["ratio_to_first"] == 1);
  CHECK(document["runs"][1]["directory"] == a);
}

TEST_CASE("dybw report: runs of several seeds make one line with an interval, paired by seed") {
  const temporary_directory place;
  const auto a = run_into(place, "a", "1");
  const auto b = run_into(place, "b", "2");
  const auto c = run_into(place, "c", "3");
  const auto end = dybw({"report", "--group", a, b, c});
  CAPTURE(end.out);
  REQUIRE(end.code == 0);
  CHECK(end.out.find("digits (iid), softmax, 4 workers on ring") == 0);
  CHECK(end.out.find("full         3") != std::string::npos);
  CHECK(end.out.find("adaptive     3") != std::string::npos);
  CHECK(end.out.find("1.00 (1.00 to 1.00)") != std::string::npos);
  CHECK(end.out.find(" ± ") != std::string::npos);
  CHECK(end.out.find("* by gradients/s") != std::string::npos); // none of them had a target
  CHECK(dybw({"report", "--group", "--format", "json", a}).code == 2);
  const auto json = nlohmann::json::parse(dybw({"report", a, "--format", "json"}).out);
  CHECK(json["ratio_by"] == "useful_gradient_rate");
}

TEST_CASE("dybw report: one run that was not finished does not hide the others, and a copy counts once") {
  const temporary_directory place;
  const auto a = run_into(place, "a", "1");
  const auto unfinished = (place.path() / "b").string();
  std::filesystem::create_directories(unfinished + "/dtur");
  const auto copy = (place.path() / "c").string();
  std::filesystem::copy(a, copy, std::filesystem::copy_options::recursive);
  const auto end = dybw({"report", unfinished, a, copy, a, "--format", "json"});
  CAPTURE(end.err);
  CHECK(end.code == 0);
  CHECK(nlohmann::json::parse(end.out)["runs"].size() == 2);
  CHECK(end.err.find("left out: there is no run.json, in " + unfinished) != std::string::npos);
  CHECK(end.err.find("left out: " + copy + " is a copy") != std::string::npos);
  const auto none = dybw({"report", unfinished, unfinished});
  CHECK(none.code == 3);
  CHECK(none.out.empty());
}

TEST_CASE("dybw report: --out overwrites pages only, and the table is printed all the same") {
  const temporary_directory place;
  const auto a = run_into(place, "a", "1");
  const auto kept = std::filesystem::file_size(a + "/run.json");
  const auto end = dybw({"report", a, "--out", a + "/run.json"});
  CHECK(end.code == 2);
  CHECK(end.err.find("no report page") != std::string::npos);
  CHECK(end.out.find("adaptive") != std::string::npos);
  CHECK(std::filesystem::file_size(a + "/run.json") == kept);
  CHECK(dybw({"report", a, "--out", a + "/report.html"}).code == 0);
}

TEST_CASE("dybw report: what is no run is refused in one line") {
  const temporary_directory place;
  CHECK(dybw({"report"}).code == 2);
  CHECK(dybw({"report", place.path().string()}).code == 3);
  std::ofstream(place.path() / "run.json") << R"({"runs": [{"policy": "full"}]})";
  const auto end = dybw({"report", place.path().string()});
  CHECK(end.code == 3);
  CHECK(end.err.find("the run of full has no number workers") != std::string::npos);
  const auto out = run_into(place, "c", "1");
  std::ofstream(std::filesystem::path{out} / "full" / "rounds.jsonl") << "{}\n{}\n";
  const auto broken = dybw({"report", out, "--out", (place.path() / "p.html").string()});
  CHECK(broken.code == 3);
  CHECK(broken.err.find("line 1 is no round") != std::string::npos);
}

} // namespace dybw::test
