#include "apps/program/version.hpp"
#include "apps/results/run_json.hpp"
#include "tests/apps/results/sample_result.hpp"

#include <doctest/doctest.h>

#include <array>
#include <limits>
#include <sstream>

namespace dybw {

namespace {

std::vector<std::string> keys(const nlohmann::ordered_json& json) {
  std::vector<std::string> names;
  for (const auto& [name, value] : json.items())
    names.push_back(name);
  return names;
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

} // namespace

TEST_CASE("run_json: a run has the fields of the contract") {
  const auto json = to_json(sample_result("dtur"));
  const auto fields =
      words("policy workers edges topology dataset partition model parameters seed clock rounds "
            "local_steps duration_s mean_round_s time_to_target_s test_accuracy test_loss "
            "worst_worker_accuracy consensus_distance useful_gradient_rate no_wait_rate "
            "compute_share mean_backup_workers mean_active_share timeouts estimates_sent "
            "estimates_late bytes_sent host_cpu_s peak_rss_bytes mixing");
  for (const auto& field : fields) {
    INFO(field);
    CHECK(json.contains(field));
  }
  CHECK(keys(json.at("mixing")) ==
        words("rounds_audited rounds_unaudited max_row_error max_column_error max_projection_error "
              "one_sided_edges edges_lost connect_rounds_max"));
}

TEST_CASE("run_json: the fields hold what their names say") {
  auto run = sample_result("static:1");
  run.timeouts = 1;
  run.estimates_sent = 2;
  run.estimates_late = 3;
  run.steps_discarded = 4;
  run.samples = 5;
  run.bytes_sent = 6;
  run.peak_rss_bytes = 7;
  run.workers_lost = {1};
  run.link_bytes_sent = 8;
  run.eval_bytes_sent = 9;
  run.nodes = {{"a:7400", {0}, false}, {"b:7400", {1}, true, "no memory"}};
  const auto json = to_json(run);
  CHECK(json.at("policy") == "static:1");
  CHECK(json.at("clock") == "real");
  CHECK(json.at("mean_round_s") == 0.08);
  CHECK(json.at("time_to_target_s") == 24.5);
  CHECK(json.at("timeouts") == 1);
  CHECK(json.at("estimates_sent") == 2);
  CHECK(json.at("estimates_late") == 3);
  CHECK(json.at("steps_discarded") == 4);
  CHECK(json.at("samples") == 5);
  CHECK(json.at("bytes_sent") == 6);
  CHECK(json.at("peak_rss_bytes") == 7);
  CHECK(json.at("workers_lost").dump() == "[1]");
  CHECK(json.at("link_bytes_sent") == 8);
  CHECK(json.at("eval_bytes_sent") == 9);
  CHECK(json.at("nodes").dump() == R"([{"node":"a:7400","workers":[0],"lost":false,"left":null},)"
                                   R"({"node":"b:7400","workers":[1],"lost":true,"left":"no memory"}])");
  CHECK(to_json(sample_result("full")).at("nodes").empty());
  CHECK(json.at("failure").is_null());
  CHECK(json.at("per_worker").at(1).at("worker") == 1);
  CHECK(json.at("per_worker").at(1).at("wait_s") == 0.5);
  CHECK(json.at("per_edge").dump() == R"([{"edge":[0,1],"active_share":0.9}])");
  CHECK(json.at("evaluations").size() == 1);
}

TEST_CASE("run_json: what is unset or not finite is null") {
  run_result run;
  run.mean_round_s = std::numeric_limits<double>::quiet_NaN();
  run.consensus_distance = std::numeric_limits<double>::infinity();
  run.mixing.max_row_error = std::numeric_limits<double>::infinity();
  const auto json = to_json(run);
  for (const auto* field : {"time_to_target_s", "test_accuracy", "test_loss", "worst_worker_accuracy",
                            "mean_round_s", "consensus_distance"}) {
    INFO(field);
    CHECK(json.at(field).is_null());
  }
  CHECK(json.at("mixing").at("max_row_error").is_null());
  CHECK(json.dump().find("nan") == std::string::npos);
}

TEST_CASE("run_json: what was read is there, or null") {
  run_result run;
  CHECK(to_json(run).at("data").is_null());
  run.data = {
      120, 30, 4, 3, {"csv", "column 5 of 5, 'species'", "by range", {"labels a, b, c are classes 0 to 2"}}};
  CHECK(to_json(run).at("data").dump() ==
        R"({"training_samples":120,"test_samples":30,"features":4,"classes":3,"format":"csv",)"
        R"("label":"column 5 of 5, 'species'","scaling":"by range",)"
        R"("notes":["labels a, b, c are classes 0 to 2"]})");
  run.data.reading.label.clear();
  CHECK(to_json(run).at("data").at("label").is_null());
}

TEST_CASE("run_json: the drift of the mean is there for consensus-only runs only") {
  run_result run;
  CHECK_FALSE(to_json(run).at("mixing").contains("mean_drift"));
  run.mixing.mean_drift = 1e-7;
  CHECK(to_json(run).at("mixing").at("mean_drift") == 1e-7);
}

TEST_CASE("run_json: the document names version, options and runs") {
  run_config config;
  config.policies = {"full", "dtur"};
  config.weights = weight_rule::graph;
  const std::vector runs = {sample_result("full"), sample_result("dtur")};
  const auto json = results_to_json(config, runs);
  CHECK(keys(json) == words("dybw state config runs"));
  CHECK(json.at("dybw") == version());
  CHECK(json.at("config").at("policy").dump() == R"(["full","dtur"])");
  CHECK(json.at("config").at("weights") == "graph");
  CHECK(json.at("config").at("time-limit").is_null());
  CHECK(json.at("config").at("round-timeout") == "auto");
  CHECK(json.at("config").at("step-time") == "none");
  CHECK(json.at("runs").at(1).at("policy") == "dtur");
}

TEST_CASE("run_json: an evaluation is one line of evals.jsonl") {
  CHECK(to_json(evaluation{0.5, 10, 0.25, 2, 0.125, 1, 0.1, 4, 500, true}).dump() ==
        R"({"time_s":0.5,"local_steps":10,"test_accuracy":0.25,"test_loss":2,)"
        R"("worst_worker_accuracy":0.125,"consensus_distance":1,"scored_workers":4,"scored_samples":500,)"
        R"("at_end":true})");
  CHECK(to_json(evaluation{}).at("worst_worker_accuracy").is_null());
}

TEST_CASE("run_json: model.npy is NumPy's format 1.0") {
  const auto bytes = npy_header(std::array<std::uint64_t, 1>{3});
  CHECK(bytes.substr(0, 8) == std::string("\x93NUMPY\x01\x00", 8));
  const auto header_bytes =
      static_cast<unsigned char>(bytes[8]) + 256U * static_cast<unsigned char>(bytes[9]);
  CHECK((10 + header_bytes) % 64 == 0);
  REQUIRE(bytes.size() == 10 + header_bytes);
  CHECK(bytes.substr(10, 59) == "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }  ");
  CHECK(bytes.back() == '\n');
  CHECK(npy_header(std::array<std::uint64_t, 2>{10, 784}).find("'shape': (10, 784), }") != std::string::npos);
  CHECK(npy_header(std::array<std::uint64_t, 3>{1, 2, 3}).find("'shape': (1, 2, 3), }") != std::string::npos);
}

TEST_CASE("run_json: a run says what its vector of parameters consists of") {
  auto run = sample_result("full");
  run.model_layout = {{"layers.0.weight", {10, 784}, 0}, {"layers.0.bias", {10}, 7840}};
  CHECK(to_json(run).at("model_layout").dump() ==
        R"([{"name":"layers.0.weight","shape":[10,784],"offset":0},)"
        R"({"name":"layers.0.bias","shape":[10],"offset":7840}])");
}

} // namespace dybw
