#include "apps/web/view_json.hpp"
#include "tests/apps/web/sample_view.hpp"

#include <doctest/doctest.h>

#include <limits>

namespace dybw::test {

namespace {

using json = nlohmann::ordered_json;

} // namespace

TEST_CASE("to_json: holds the run's figures under the names of their fields") {
  const auto all = to_json(sample_view());
  CHECK(all["state"] == "running");
  CHECK(all["policy"] == "dtur");
  CHECK(all["newest_round"] == 1234);
  CHECK(all["loss"] == 0.41);
  CHECK(all["newest_evaluation"]["test_accuracy"] == 0.882);
  CHECK(all["consensus_distance"] == 0.0125);
  CHECK(all["events_before"] == 0);
}

TEST_CASE("to_json: holds nodes, workers, edges, waits, events and history") {
  const auto view = sample_view();
  const auto all = to_json(view);
  REQUIRE(all["nodes"].size() == 2);
  CHECK(all["nodes"][1]["connections_refused"] == 1);
  REQUIRE(all["workers"].size() == 8);
  const auto& straggler = all["workers"][3];
  CHECK(straggler["id"] == 3);
  CHECK(straggler["standing"] == "working");
  CHECK(straggler["phase"] == "computing");
  CHECK(straggler["straggler"] == true);
  CHECK(straggler["recent_round_s"].size() == run_view::samples_max);
  CHECK(all["edges"]["link"].size() == 8);
  CHECK(all["edges"]["link"][7] == json::array({0, 7}));
  CHECK(all["edges"]["committed"][0] == 1000);
  REQUIRE(all["waits"].size() == 2);
  CHECK(all["waits"][0]["whom"] == 3);
  CHECK(all["waits"][0]["what"] == "estimate");
  CHECK(all["waits"][1]["timeout_in_s"] == nullptr);
  CHECK(all["events"][2]["how"] == "error");
  CHECK(all["history"]["time_s"].size() == view.history.size());
  CHECK(all["history"]["accuracy"][0] == 0.9 - 0.8);
}

TEST_CASE("to_json: what is absent or not a number is null, and a float keeps its short form") {
  auto view = sample_view();
  view.loss.reset();
  view.newest_evaluation.reset();
  view.no_wait_per_s = std::numeric_limits<double>::quiet_NaN();
  view.workers[0].loss.reset();
  view.workers[0].recent_round_s = {0.04F};
  view.waits[0].whom = view.waits[0].who;
  const auto all = json::parse(to_json(view).dump());
  CHECK(all["loss"].is_null());
  CHECK(all["newest_evaluation"].is_null());
  CHECK(all["no_wait_per_s"].is_null());
  CHECK(all["workers"][0]["loss"].is_null());
  CHECK(all["workers"][0]["recent_round_s"].dump() == "[0.04]");
  CHECK(all["waits"][0]["whom"].is_null());
}

TEST_CASE("to_json: a view without anything in it is whole") {
  const auto all = to_json(run_view{});
  CHECK(all["state"] == "attaching");
  CHECK(all["workers"] == json::array());
  CHECK(all["history"]["loss"] == json::array());
}

TEST_CASE("page_json: says the same as the view, by columns and in one line") {
  const auto view = sample_view();
  const auto text = page_json(view);
  CHECK(text.find('\n') == std::string::npos);
  const auto page = json::parse(text);
  CHECK(page["run"]["policy"] == "dtur");
  CHECK(page["workers"]["count"] == 8);
  CHECK(page["workers"]["straggler"] == json::array({0, 0, 0, 1, 0, 0, 0, 0}));
  CHECK(page["workers"]["step_s"][3] == 0.12);
  const auto phase_of_2 = page["workers"]["phase"][2].get<std::size_t>();
  CHECK(page["phases"][phase_of_2] == "gathering");
  const auto standing_of_0 = page["workers"]["standing"][0].get<std::size_t>();
  CHECK(page["standings"][standing_of_0] == "working");
  CHECK(page["workers"]["recent_round_s"][0].size() == run_view::samples_max);
  CHECK(page["edges"]["low"].size() == 8);
  CHECK(page["waits"]["shown"][0]["who"] == 2);
  CHECK(page["events"]["shown"][1]["text"] == view.events[1].text);
  CHECK(page["history"]["time_s"].back() == 41.5);
}

TEST_CASE("page_json: what may be many is cut, and counted") {
  auto view = sample_view(1000);
  view.waits.assign(page_waits_max + 5, view.waits.front());
  view.events.assign(page_events_max + 7, view.events.front());
  view.events_before = 3;
  view.edges.assign(page_edges_max + 1, view.edges.front());
  const auto page = json::parse(page_json(view));
  CHECK(page["waits"]["count"] == page_waits_max + 5);
  CHECK(page["waits"]["shown"].size() == page_waits_max);
  CHECK(page["events"]["before"] == 10);
  CHECK(page["events"]["shown"].size() == page_events_max);
  CHECK(page["edges"]["count"] == page_edges_max + 1);
  CHECK_FALSE(page["edges"].contains("low"));
  CHECK_FALSE(page["workers"].contains("recent_round_s"));
}

TEST_CASE("page_json: a thousand workers stay small") {
  auto view = sample_view(1000);
  view.history.resize(run_view::history_max, view.history.back());
  CHECK(page_json(view).size() < 160'000);
}

TEST_CASE("page_json: bytes that are not UTF-8, quotes and line ends stay inside their strings") {
  auto view = sample_view();
  view.name = "a\"b\n\xff";
  view.events[0].text = "\"},\n\n{\xfe";
  view.nodes[0].address = "\xc3";
  const auto text = page_json(view);
  CHECK(text.find('\n') == std::string::npos);
  const auto page = json::parse(text);
  CHECK(page["run"]["name"] == "a\"b\n\xef\xbf\xbd");
  CHECK(page["events"]["shown"][0]["text"] == "\"},\n\n{\xef\xbf\xbd");
}

TEST_CASE("page_json: numbers that are none become null") {
  auto view = sample_view();
  view.workers[0].round_s = std::numeric_limits<double>::infinity();
  view.workers[1].loss = std::numeric_limits<double>::quiet_NaN();
  const auto page = json::parse(page_json(view));
  CHECK(page["workers"]["round_s"][0].is_null());
  CHECK(page["workers"]["loss"][1].is_null());
}

} // namespace dybw::test
