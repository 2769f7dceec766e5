#include "tests/program/child_process.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace dybw::test {

namespace {

std::string read_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// The data in a report page.
nlohmann::json page_document(const std::filesystem::path& file) {
  const auto html = read_file(file);
  const std::string begin = R"(id="report-data">)";
  const auto at = html.find(begin) + begin.size();
  return nlohmann::json::parse(html.substr(at, html.find("</script", at) - at))["document"];
}

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
  const auto shown = page_document(page);
  REQUIRE(shown["runs"].size() == 2); // one of each policy
  CHECK(shown["runs"][1]["label"] == "adaptive");
  CHECK(shown["runs"][1]["seeds"] == nlohmann::json::array({1, 2}));
  CHECK(shown["runs"][1]["half_widths"]["test_accuracy"].is_number());
  CHECK(shown["runs"][1]["full"] == 0);
  CHECK(shown["config"]["seed"] == "1, 2");

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
  const auto grouped = nlohmann::json::parse(dybw({"report", "--group", "--format", "json", a, b, c}).out);
  REQUIRE(grouped["groups"].size() == 2);
  CHECK(grouped["groups"][1]["figures"]["test_accuracy"]["count"] == 3);
  const auto json = nlohmann::json::parse(dybw({"report", a, "--format", "json"}).out);
  CHECK(json["ratio_by"] == "useful_gradient_rate");
}

TEST_CASE("dybw report: a run is compared with the first of its own seed") {
  const temporary_directory place;
  const auto a = run_into(place, "a", "1");
  const auto b = run_into(place, "b", "2");
  const auto runs = nlohmann::json::parse(dybw({"report", a, b, "--format", "json"}).out)["runs"];
  REQUIRE(runs.size() == 4);
  CHECK(runs[2]["ratio_to_first"] == 1);
  CHECK(runs[3]["ratio_to_first"].get<double>() ==
        doctest::Approx(runs[3]["useful_gradient_rate"].get<double>() /
                        runs[2]["useful_gradient_rate"].get<double>()));
}

TEST_CASE("dybw report: figures and tables for a paper") {
  const temporary_directory place;
  const auto a = run_into(place, "a", "1");
  const auto b = run_into(place, "b", "2");
  const auto at = [&](const char* name) { return (place.path() / name).string(); };
  const auto end =
      dybw({"report", a, b, "--svg", at("figures"), "--csv", at("runs.csv"), "--latex", at("t.tex")});
  CAPTURE(end.err);
  REQUIRE(end.code == 0);
  CHECK(read_file(at("figures/accuracy.svg")).find("fill-opacity") != std::string::npos); // a band
  CHECK(std::filesystem::exists(at("figures/consensus-distance.svg")));
  const auto csv = read_file(at("runs.csv"));
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 5);
  CHECK(read_file(at("t.tex")).find("\\toprule") != std::string::npos);
  CHECK(dybw({"report", a, b, "--group", "--csv", at("runs.csv")}).code == 0); // over our own
  CHECK(read_file(at("runs.csv")).find("test_accuracy_half_width") != std::string::npos);
  CHECK(dybw({"report", a, "--csv", a + "/run.json"}).code == 2);
  CHECK(dybw({"report", a, "--latex", at("no/t.tex")}).code == 2);
  CHECK(dybw({"report", a, "--svg", ""}).code == 2);
}

TEST_CASE("dybw run --seeds: one run after the other, and what they have together") {
  const temporary_directory place;
  const auto out = (place.path() / "out").string();
  const std::vector<std::string> run{"run", "--clock",  "virtual", "--step-time", "exp:1",     "--workers",
                                     "4",   "--rounds", "10",      "--policy",    "full,dtur", "--eval-every",
                                     "5",   "--out",    out};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), run.begin(), run.end());
    return dybw(more);
  };
  const auto end = with({"--seeds", "3-4,9", "--quiet"});
  CAPTURE(end.err);
  REQUIRE(end.code == 0);
  CHECK(end.out.find("full       3") != std::string::npos);
  CHECK(end.out.find("Report: " + out + "/report.html") != std::string::npos);
  for (const auto* seed : {"3", "4", "9"}) {
    const auto document = nlohmann::json::parse(read_file(out + "/seed-" + seed + "/run.json"));
    CHECK(std::to_string(document["runs"][0]["seed"].get<int>()) == seed);
    CHECK(document["runs"].size() == 2);
  }
  CHECK(page_document(out + "/report.html")["runs"][0]["seeds"] == nlohmann::json::array({3, 4, 9}));
  CHECK(nlohmann::json::parse(dybw({"report", out, "--format", "json"}).out)["runs"].size() == 6);
  CHECK(with({"--seeds", "3-4"}).code == 2); // that place is taken
  const auto json = with({"--seeds", "3-4", "--force", "--format", "json"});
  CHECK(json.code == 0);
  CHECK(nlohmann::json::parse(json.out)["runs"].size() == 6); // seed 9 is there as well
  for (const auto* wrong : {"", "4-3", "1,1", "a", "1-5000", "-3"}) {
    CAPTURE(wrong);
    const auto refused = with({std::string{"--seeds="} + wrong});
    CHECK(refused.code == 2);
    CHECK(refused.err.find("--seeds") != std::string::npos);
  }
  CHECK(with({"--seeds", "5-6", "--seed", "1"}).err.find("contradicts --seed") != std::string::npos);
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
  CHECK(end.err.find("was not made by dybw report") != std::string::npos);
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
