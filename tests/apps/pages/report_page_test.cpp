#include "apps/pages/report_page.hpp"
#include "tests/apps/pages/report_sample.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

using dybw::render_report;
using dybw::testing::make_report_data;
using dybw::testing::report_sample;
using nlohmann::json;

namespace {

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
    ++count;
  return count;
}

const std::string data_begin = R"(<script type="application/json" id="report-data">)";

/// What a browser takes for the content of the data element: up to the next end tag.
std::string data_text(const std::string& page) {
  const auto begin = page.find(data_begin);
  REQUIRE(begin != std::string::npos);
  const auto first = begin + data_begin.size();
  return page.substr(first, page.find("</script", first) - first);
}

/// The page without its data and without Chart.js, whose licence comment names a web site.
std::string own_parts(std::string page) {
  const auto chart = page.find("Chart.js v");
  REQUIRE(chart != std::string::npos);
  const auto chart_begin = page.rfind("<script>", chart);
  page.erase(chart_begin, page.find("</script", chart) - chart_begin);
  const auto first = page.find(data_begin) + data_begin.size();
  return page.erase(first, page.find("</script", first) - first);
}

/// A run as strange as the format allows: everything that may be null or missing is.
json sparse_report() {
  auto data = make_report_data({.policies = {"full", "dtur"}});
  auto& runs = data["document"]["runs"];
  for (auto& run : runs) {
    for (const auto* name : {"per_worker", "per_edge", "evaluations", "mixing"})
      run.erase(name);
    for (auto& [name, value] : run.items())
      if (name != "policy")
        value = nullptr;
  }
  data.erase("series");
  return data;
}

json hostile_report() {
  auto data =
      make_report_data({.topology = "star", .workers = 6, .model = "none", .stragglers = {2}, .target = {}});
  auto& document = data["document"];
  document["dybw"] = "</script><script>document.title='owned'</script>";
  document["config"]["dataset"] = "<img src=x onerror=\"document.title='owned'\">";
  document["config"]["</td><b>"] = "<!--<script>";
  auto& run = document["runs"][1];
  run["policy"] = "</script><b>static</b>\xE2\x80\xA8\xE2\x80\xA9";
  run["failed"] = true;
  run["failure"] = "worker 3 & <i>4</i> are gone";
  run["workers_lost"] = {3, 4};
  run["mixing"]["one_sided_edges"] = 3;
  return data;
}

json busy_report() {
  auto data = make_report_data({.topology = "torus:4x8",
                                .workers = 32,
                                .policies = {"full", "static:1", "dtur", "adpsgd"},
                                .stragglers = {9, 22},
                                .target = 0.93,
                                .time_limit_s = 20});
  return data;
}

/// Twelve groups of five seeds each, of two settings: what `dybw report` makes of sixty runs.
json seeds_report() {
  auto data = make_report_data({.policies = {"full", "static:1", "dtur", "adpsgd", "hop:1:3", "adaptive"}});
  auto& document = data["document"];
  document["differing"] = {"link-bandwidth", "step-size"};
  document["config"]["seed"] = "1, 2, 3, 4, 5";
  const auto runs = document["runs"];
  const auto series = data["series"];
  document["runs"] = json::array();
  for (const auto* setting :
       {"(link-bandwidth 125000000, step-size 0.05)", "(link-bandwidth 12500000, step-size 0.1)"})
    for (auto run : runs) {
      const auto misses = std::string{setting}.ends_with("0.1)"); // two of its seeds, the target
      run["label"] = run["policy"].get<std::string>() + " " + setting;
      run["variant"] = misses ? 1 : 0;
      run["seeds"] = {1, 2, 3, 4, 5};
      run["half_widths"] = {{"time_to_target_s", 1.2}, {"test_accuracy", 0.01}, {"compute_share", 0.02}};
      run["counts"] = {{"time_to_target_s", misses ? 3 : 5}};
      run["full"] = document["runs"].size() / runs.size() * runs.size();
      run["speed_up"] = {{"mean", 1.5}, {"low", 1.3}, {"high", 1.8}, {"count", misses ? 3 : 5}, {"of", 5}};
      run["speed_up"]["bound"] = misses ? json("<") : json(nullptr);
      for (auto& e : run["evaluations"])
        e["half_widths"] = {{"test_accuracy", 0.02}, {"test_loss", 0.1}, {"consensus_distance", 0.001}};
      run["evaluations"].back()["at_end"] = true;
      document["runs"].push_back(run);
    }
  for (const auto& each : series)
    data["series"].push_back(each);
  return data;
}

/// An audit that found what is not finite.
json infinite_report() {
  auto data = make_report_data({.policies = {"full"}});
  data["document"]["runs"][0]["mixing"]["max_projection_error"] = nullptr;
  return data;
}

/// Says in the page's element whether it is wider than the window.
const std::string overflow_probe =
    "<script>document.documentElement.dataset.width = document.documentElement.scrollWidth > "
    "document.documentElement.clientWidth ? 'overflows' : 'fits';</script>\n";

} // namespace

TEST_CASE("report page: it holds every part and no marker of the template") {
  const auto page = render_report(make_report_data({}));
  CHECK(page.rfind("<!doctype html>", 0) == 0);
  CHECK(page.find("Released under the MIT License") != std::string::npos);
  CHECK(page.find("--policy-0") != std::string::npos);
  CHECK(page.find("draw_header()") != std::string::npos);
  CHECK(own_parts(page).find("@{") == std::string::npos);
  CHECK(count_of(page, "<script") == 4);
  CHECK(count_of(page, "</script") == 4);
  CHECK(page.substr(page.size() - 8) == "</html>\n");
}

TEST_CASE("report page: it fetches nothing, and forbids the browser to") {
  const auto page = own_parts(render_report(make_report_data({})));
  for (const auto* fetching : {"http://", "https://", " src=", " srcset=", " action=", "@import", "url(",
                               "fetch(", "XMLHttpRequest", "WebSocket", "import(", "sendBeacon"}) {
    CAPTURE(fetching);
    CHECK(page.find(fetching) == std::string::npos);
  }
  CHECK(count_of(page, "<link") == 1);
  CHECK(count_of(page, "<link rel=\"icon\" href=\"data:,\">") == 1);
  CHECK(page.find("Content-Security-Policy\" content=\"default-src 'none';") != std::string::npos);
}

TEST_CASE("report page: the document comes out as it went in") {
  const auto data = make_report_data({});
  const auto parsed = json::parse(data_text(render_report(data)));
  CHECK(parsed["document"] == data["document"]);
  REQUIRE(parsed["series"].size() == data["series"].size());
  const auto& before = data["series"][2]["workers"][0]["round_s"];
  const auto& after = parsed["series"][2]["workers"][0]["round_s"];
  REQUIRE(after.size() == before.size());
  for (std::size_t i = 0; i < after.size(); ++i)
    CHECK(after[i].get<double>() == doctest::Approx(before[i].get<double>()).epsilon(1e-4));
  CHECK(parsed["series"][2]["workers"][5]["round_s"][7].is_null());
}

TEST_CASE("report page: hostile strings stay data") {
  const auto data = hostile_report();
  const auto page = render_report(data);
  const auto text = data_text(page);
  CHECK(text.find('<') == std::string::npos);
  CHECK(text.find("\xE2\x80\xA8") == std::string::npos);
  CHECK(text.find("\xE2\x80\xA9") == std::string::npos);
  CHECK(json::parse(text)["document"] == data["document"]);
  CHECK(count_of(page, "</script") == 4);
}

TEST_CASE("report page: template markers in the data mean nothing") {
  auto data = make_report_data({});
  data["document"]["config"]["dataset"] = "@{report.js} @{data} @{chart.js}";
  CHECK(json::parse(data_text(render_report(data)))["document"] == data["document"]);
}

TEST_CASE("report page: bytes that are not UTF-8 and numbers that are not finite do not stop it") {
  auto data = make_report_data({});
  data["document"]["config"]["dataset"] = "caf\xE9";
  data["series"][0]["workers"][0]["wait_share"][0] = std::nan("");
  const auto parsed = json::parse(data_text(render_report(data)));
  CHECK(parsed["document"]["config"]["dataset"] == "caf\xEF\xBF\xBD");
  CHECK(parsed["series"][0]["workers"][0]["wait_share"][0].is_null());
}

TEST_CASE("report page: an empty document still gives a page") {
  CHECK(json::parse(data_text(render_report(json::object()))) == json::object());
}

// The browser test draws these; DYBW_REPORT_SAMPLES names the folder, and without it they are written and
// removed.
TEST_CASE("report page: samples are written as files that stand on their own") {
  const auto* given = std::getenv("DYBW_REPORT_SAMPLES");
  const auto folder =
      given ? std::filesystem::path{given} : std::filesystem::current_path() / "report-samples-check";
  std::filesystem::create_directories(folder);
  const std::pair<std::string, json> samples[] = {
      {"typical", make_report_data({})},
      {"busy", busy_report()},
      {"hostile", hostile_report()},
      {"sparse", sparse_report()},
      {"single",
       make_report_data({.topology = "path", .policies = {"dtur"}, .stragglers = {}, .target = {}})},
      {"missed",
       make_report_data({.topology = "complete", .workers = 12, .target = 0.99, .time_limit_s = 15})},
      {"seeds", seeds_report()},
      {"infinite", infinite_report()},
      {"empty", json::object()},
  };
  for (const auto& [name, data] : samples) {
    const auto path = folder / (name + ".html");
    std::ofstream{path, std::ios::binary} << render_report(data) << overflow_probe;
    std::ifstream file{path, std::ios::binary};
    std::stringstream content;
    content << file.rdbuf();
    CHECK(json::parse(data_text(content.str())).contains("document") == data.contains("document"));
  }
  if (!given)
    std::filesystem::remove_all(folder);
}
