#include "apps/web/view_metrics.hpp"

#include "apps/web/http_responder.hpp"
#include "tests/apps/web/sample_view.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

namespace dybw::test {

namespace {

std::string text_of(const run_view& view) {
  return prometheus::TextSerializer{}.Serialize(view_metrics(view));
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

std::string content(const std::string& path) {
  std::ifstream in(std::string{DYBW_SOURCE_DIR} + "/" + path, std::ios::binary);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

const std::string promtool = DYBW_PROMTOOL;

/// What `promtool` says to a file, empty if it is content.
std::string promtool_says(const std::string& command, const std::string& text) {
  const temporary_directory folder;
  const auto in = (folder.path() / "in").string(), out = (folder.path() / "out").string();
  std::ofstream(in, std::ios::binary) << text;
  const auto file = command == "check metrics" ? " <'" + in + "'" : " '" + in + "'";
  const auto code = std::system(("'" + promtool + "' " + command + file + " >'" + out + "' 2>&1").c_str());
  std::ifstream said(out);
  const std::string words{std::istreambuf_iterator<char>(said), {}};
  return code == 0 && command == "check metrics" ? words : code == 0 ? "" : words + " (failed)";
}

/// What `/metrics` shows of the sample, with the server's own figures.
std::string served_text() {
  http_responder responder{{"127.0.0.1", 7480},
                           "",
                           [] { return std::make_shared<const run_view>(sample_view()); },
                           [] {
                             return std::vector<certificate_end>{{"a", 1}};
                           }};
  http_reply reply;
  for (int i = 0; i < 2; ++i) // the first reply is counted in the second
    reply = responder.answer("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "", false, {}, {});
  return std::string{reply.body};
}

std::set<std::string> matches(const std::string& text, const std::regex& pattern) {
  std::set<std::string> found;
  for (std::sregex_iterator at{text.begin(), text.end(), pattern}, end; at != end; ++at)
    found.insert((*at)[at->size() - 1]);
  return found;
}

std::set<std::string> metric_names() {
  return matches(served_text(), std::regex{"# TYPE (dybw_[a-z0-9_]+) "});
}

} // namespace

TEST_CASE("view_metrics: totals, with help and type") {
  const auto text = text_of(sample_view());
  CHECK(has_line(text, "# TYPE dybw_local_steps_total counter"));
  CHECK(text.find("# HELP dybw_local_steps_total Gradient steps used, all workers\n") != std::string::npos);
  CHECK(has_line(text, "dybw_local_steps_total 9000"));
  CHECK(has_line(text, "dybw_run_state{state=\"running\"} 1"));
  CHECK(has_line(text, "dybw_run_state{state=\"over\"} 0"));
  CHECK(has_line(text, "dybw_useful_gradients_per_second 210"));
  CHECK(has_line(text, "dybw_parts 1"));
  CHECK(has_line(text, "dybw_events_total 3"));
  CHECK(has_line(text, "dybw_workers{standing=\"working\"} 8"));
  CHECK(has_line(text, "dybw_workers_in_phase{phase=\"gathering\"} 2"));
  CHECK(has_line(text, "dybw_stragglers 1"));
}

TEST_CASE("view_metrics: a series per node, worker and edge") {
  const auto text = text_of(sample_view());
  CHECK(has_line(text, "dybw_node_cpu_seconds_total{node=\"127.0.0.1:7400\"} 12.5"));
  CHECK(has_line(text, "dybw_worker_straggler{worker=\"3\",node=\"127.0.0.1:7401\"} 1"));
  CHECK(has_line(text, "dybw_worker_rounds_total{worker=\"0\",node=\"127.0.0.1:7400\"} 1100"));
  CHECK(has_line(text, "dybw_edge_commits_total{edge=\"0-1\"} 1000"));
}

TEST_CASE("view_metrics: what is absent has no series") {
  const auto text = text_of(run_view{});
  CHECK(text.find("dybw_loss") == std::string::npos);
  CHECK(text.find("dybw_test_accuracy_ratio") == std::string::npos);
  CHECK(text.find("dybw_worker_") == std::string::npos);
  CHECK(has_line(text, "dybw_run_state{state=\"attaching\"} 1"));
}

TEST_CASE("view_metrics: the number of series is bounded, and says what is left out") {
  const auto view = sample_view(metrics_edges_max + 500);
  std::size_t series = 0;
  for (const auto& family : view_metrics(view))
    series += family.metric.size();
  CHECK(series < 20'000);
  const auto text = text_of(view);
  CHECK(has_line(text, "dybw_workers_without_series 1500"));
  CHECK(has_line(text, "dybw_edges_without_series 500"));
  CHECK(text.find("worker=\"999\"") != std::string::npos);
  CHECK(text.find("worker=\"1000\"") == std::string::npos);
}

TEST_CASE("view_metrics: labels with quotes and line ends are escaped") {
  auto view = sample_view();
  view.name = "a\"b\nc\\";
  CHECK(text_of(view).find(R"(run="a\"b\nc\\")") != std::string::npos);
}

TEST_CASE("view_metrics: promtool has nothing to say against them") {
  if (promtool.empty()) {
    MESSAGE("skipped: promtool is not installed");
    return;
  }
  CHECK(promtool_says("check metrics", served_text()) == "");
  CHECK(promtool_says("check metrics", "# TYPE dybw_a_milliseconds counter\ndybw_a_milliseconds 1\n") != "");
}

TEST_CASE("config/grafana-dashboard.json: every metric that it draws exists") {
  const auto text = content("config/grafana-dashboard.json");
  const auto dashboard = nlohmann::json::parse(text);
  CHECK(dashboard["title"] == "dybw");
  REQUIRE(dashboard["panels"].size() >= 8);
  const auto known = metric_names();
  const auto drawn = matches(text, std::regex{"dybw_[a-z0-9_]+"});
  for (const auto& name : drawn) {
    CAPTURE(name);
    CHECK(known.contains(name));
  }
  CHECK(drawn.size() > 20);
}

TEST_CASE("config/grafana-dashboard.json: a run counts once, however many of its nodes are scraped") {
  const auto dashboard = nlohmann::json::parse(content("config/grafana-dashboard.json"));
  const std::regex metric{"dybw_[a-z0-9_]+\\{"};
  const std::regex once{"max by \\(job[a-z, ]*\\) \\((rate\\()?dybw_[a-z0-9_]+\\{"};
  for (const auto& panel : dashboard["panels"])
    for (const auto& target : panel.value("targets", nlohmann::json::array())) {
      const auto text = target["expr"].get<std::string>();
      CAPTURE(text);
      const auto count = [&](const std::regex& what) {
        return std::distance(std::sregex_iterator{text.begin(), text.end(), what}, std::sregex_iterator{});
      };
      CHECK(count(metric) > 0);
      CHECK(count(metric) == count(once));
    }
}

TEST_CASE("docs/web-page.md: lists every metric, and no other") {
  const auto listed = matches(content("docs/web-page.md"), std::regex{"`(dybw_[a-z0-9_]+)`"});
  const auto known = metric_names();
  for (const auto& name : known) {
    CAPTURE(name);
    CHECK(listed.contains(name));
  }
  CHECK(listed.size() == known.size());
}

TEST_CASE("config/grafana-dashboard.json: no panel overlaps another") {
  const auto dashboard = nlohmann::json::parse(content("config/grafana-dashboard.json"));
  std::set<std::pair<int, int>> taken;
  for (const auto& panel : dashboard["panels"]) {
    const auto& at = panel["gridPos"];
    CAPTURE(panel["title"].dump());
    CHECK(at["x"].get<int>() + at["w"].get<int>() <= 24);
    for (int x = at["x"]; x < at["x"].get<int>() + at["w"].get<int>(); ++x)
      for (int y = at["y"]; y < at["y"].get<int>() + at["h"].get<int>(); ++y)
        CHECK(taken.emplace(x, y).second);
  }
}

TEST_CASE("config/prometheus.yml: is what Prometheus reads") {
  const auto text = content("config/prometheus.yml");
  CHECK(text.find('\t') == std::string::npos);
  CHECK(text.find("scrape_configs:") != std::string::npos);
  CHECK(text.find("127.0.0.1:7480") != std::string::npos);
  if (promtool.empty()) {
    MESSAGE("skipped: promtool is not installed");
    return;
  }
  CHECK(promtool_says("check config --syntax-only", text) == "");
  CHECK(promtool_says("check config --syntax-only", "scrape_configs:\n  - no_such_key: 1\n") != "");
}

} // namespace dybw::test
