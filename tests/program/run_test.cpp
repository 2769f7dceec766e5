#include "tests/program/child_process.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

namespace dybw::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// A run of a fraction of a second.
std::vector<std::string> short_run(std::vector<std::string> more) {
  std::vector<std::string> arguments{"run", "--workers", "4", "--rounds", "20", "--eval-every", "0.05"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<json> json_lines(const fs::path& file) {
  std::ifstream in(file);
  std::vector<json> lines;
  for (std::string line; std::getline(in, line);)
    lines.push_back(json::parse(line));
  return lines;
}

std::set<std::string> keys_of(const json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items())
    keys.insert(key);
  return keys;
}

/// The fields of a RUN, and the kind of their values.
void check_run(const json& run) {
  for (const auto* name : {"policy", "topology", "dataset", "partition", "model", "clock"})
    CHECK_MESSAGE(run.at(name).is_string(), name);
  for (const auto* name : {"workers", "edges", "parameters", "seed", "rounds", "local_steps", "timeouts",
                           "estimates_sent", "estimates_late", "bytes_sent", "peak_rss_bytes"})
    CHECK_MESSAGE(run.at(name).is_number_unsigned(), name);
  for (const auto* name :
       {"duration_s", "mean_round_s", "test_accuracy", "test_loss", "worst_worker_accuracy",
        "consensus_distance", "useful_gradient_rate", "no_wait_rate", "compute_share", "mean_backup_workers",
        "mean_active_share", "host_cpu_s", "eval_cpu_s"})
    CHECK_MESSAGE(run.at(name).is_number(), name);
  CHECK(run.contains("time_to_target_s"));
  const auto& mixing = run.at("mixing");
  for (const auto* name :
       {"rounds_audited", "rounds_unaudited", "one_sided_edges", "edges_lost", "connect_rounds_max"})
    CHECK_MESSAGE(mixing.at(name).is_number_unsigned(), name);
  CHECK(mixing.at("one_sided_edges") == 0);
  CHECK(mixing.at("max_row_error") <= 1e-9);
  CHECK(mixing.at("max_column_error") <= 1e-9);
  CHECK(run.at("failed") == false);
}

void check_clean_end(const process_end& end) {
  CAPTURE(end.err);
  CHECK_FALSE(end.killed);
  CHECK(end.code == 0);
  CHECK(end.err.find("error") == std::string::npos);
}

} // namespace

TEST_CASE("dybw run: with --format json standard output is one JSON document with the contract's fields, and "
          "no files") {
  const temporary_directory place;
  const auto end = dybw(short_run({"--format", "json", "--policy", "full,dtur"}), place.path());
  check_clean_end(end);
  const auto document = json::parse(end.out); // throws if anything else is there
  CHECK(keys_of(document) == std::set<std::string>{"config", "dybw", "runs", "state"});
  CHECK(document["dybw"].is_string());
  CHECK(document["config"]["rounds"] == 20);
  CHECK(document["config"]["policy"] == json{"full", "dtur"});
  REQUIRE(document["runs"].size() == 2);
  for (const auto& run : document["runs"]) {
    check_run(run);
    CHECK(run["rounds"] == 20);
    CHECK(run["workers"] == 4);
    CHECK(run["clock"] == "real");
    CHECK(run["time_to_target_s"].is_null());
    CHECK(run["parameters"] == 7850);
  }
  CHECK(document["runs"][0]["local_steps"] == 80);
  CHECK(fs::is_empty(place.path()));
}

TEST_CASE("dybw run: consensus-only runs report the drift of the mean") {
  const auto end =
      dybw(short_run({"--format", "json", "--policy", "full", "--step-size", "0", "--start", "random"}));
  check_clean_end(end);
  const auto run = json::parse(end.out)["runs"][0];
  CHECK(run["mixing"].at("mean_drift") < 1e-5);
}

TEST_CASE("dybw run: without a model the exchange alone is measured, and accuracies are null") {
  const auto end = dybw(short_run({"--format", "json", "--model", "none"}));
  check_clean_end(end);
  const auto document = json::parse(end.out);
  const auto& run = document["runs"][0];
  CHECK(run["rounds"] == 20);
  CHECK(run["model"] == "none");
  CHECK(run["test_accuracy"].is_null());
  CHECK(run["mixing"]["one_sided_edges"] == 0);
}

TEST_CASE("dybw run: names that are not UTF-8 do not cost the results") {
  const temporary_directory place;
  const auto odd = place.path() / "caf\xe9";
  fs::create_directory(odd);
  std::ofstream table(odd / "table.csv");
  table << "x,y,label\n";
  for (int i = 0; i < 200; ++i)
    table << i % 7 << ',' << (i * 3) % 5 << ',' << i % 2 << '\n';
  table.close();
  const auto out = (odd / "run").string();
  check_clean_end(dybw({"run", "--clock", "virtual", "--step-time", "const:0.1", "--workers", "4", "--rounds",
                        "5", "--dataset", "csv", "--data", (odd / "table.csv").string(), "--out", out}));
  const auto document = json::parse(content(fs::path{out} / "run.json"));
  CHECK(document["config"]["data"] == (place.path() / "caf\uFFFD" / "table.csv").string());
  CHECK(fs::file_size(fs::path{out} / "report.html") > 0);
  const auto report = dybw({"report", out, "--format", "json"});
  check_clean_end(report);
  CHECK(json::parse(report.out)["runs"][0]["directory"] == (place.path() / "caf\uFFFD" / "run").string());
}

TEST_CASE("dybw run: what was read is said, surprises even if quiet, and is in the results") {
  const temporary_directory place;
  std::ofstream table(place.path() / "table.csv");
  table << "kind,x,y\n";
  for (int i = 0; i < 30; ++i)
    table << "cat,1,2\ndog,3," << i % 5 << "\n";
  table.close();
  auto arguments = std::vector<std::string>{
      "run",       "--clock", "virtual",  "--step-time", "const:0.1",
      "--workers", "2",       "--rounds", "2",           "--dataset",
      "csv",       "--label", "kind",     "--data",      (place.path() / "table.csv").string(),
      "--format",  "json"};
  auto end = dybw(arguments);
  check_clean_end(end);
  CHECK(end.err.find(
            "data read: csv: 48 training and 12 test samples, 2 features, 2 classes; label: column 1 of "
            "3, 'kind'; each feature scaled") != std::string::npos);
  CHECK(end.err.find("labels cat, dog are classes 0 to 1") != std::string::npos);
  const auto document = json::parse(end.out);
  CHECK(document["config"]["label"] == "kind");
  CHECK(document["runs"][0]["data"]["features"] == 2);
  CHECK(document["runs"][0]["data"]["notes"].size() == 1);
  arguments.emplace_back("--quiet");
  end = dybw(arguments);
  check_clean_end(end);
  CHECK(end.err.find("data read") == std::string::npos);
  CHECK(end.err.find("labels cat, dog are classes 0 to 1") != std::string::npos);
}

TEST_CASE("dybw run: the run directory holds the files of the contract") {
  const temporary_directory place;
  const auto out = place.path() / "deep" / "out";
  const auto end = dybw(short_run({"--policy", "full,static:1,dtur", "--out", out.string(), "--quiet"}));
  check_clean_end(end);
  CHECK(end.err.empty());
  CHECK(end.out.find("static:1") != std::string::npos);
  CHECK(end.out.find("Report: " + (out / "report.html").string()) != std::string::npos);
  const auto document = json::parse(content(out / "run.json"));
  REQUIRE(document["runs"].size() == 3);
  const auto page = content(out / "report.html");
  CHECK(page.find("<html") != std::string::npos);
  CHECK(page.find("static:1") != std::string::npos);
  for (const auto& run : document["runs"]) {
    check_run(run);
    auto name = run["policy"].get<std::string>();
    CAPTURE(name);
    std::ranges::replace(name, ':', '-');
    const auto rounds = json_lines(out / name / "rounds.jsonl");
    CHECK(rounds.size() == run["local_steps"]);
    for (const auto& line : rounds)
      REQUIRE(keys_of(line) == std::set<std::string>{"worker", "round", "start_s", "compute_s", "wait_s",
                                                     "accepted", "committed", "backup_workers", "loss",
                                                     "gradients", "timeout"});
    const auto evaluations = json_lines(out / name / "evals.jsonl");
    for (const auto& line : evaluations)
      REQUIRE(keys_of(line) == std::set<std::string>{"time_s", "local_steps", "test_accuracy", "test_loss",
                                                     "worst_worker_accuracy", "consensus_distance",
                                                     "scored_workers", "scored_samples", "at_end"});
    const auto model = content(out / name / "model.npy");
    CHECK(model.starts_with("\x93NUMPY"));
    CHECK(model.size() == 128 + 4 * 7850);
    const auto layout = json::parse(content(out / name / "model.json"));
    CHECK(layout["arrays"] == run["model_layout"]);
    CHECK(layout["arrays"][0]["name"] == "layers.0.weight");
    CHECK(content(out / name / "model.npz").starts_with("PK"));
  }
  CHECK(std::distance(fs::directory_iterator{out}, {}) == 5);
}

TEST_CASE("dybw run: a run directory is not overwritten without --force") {
  const temporary_directory place;
  const auto out = (place.path() / "out").string();
  check_clean_end(dybw(short_run({"--policy", "full", "--out", out})));
  const auto before = content(place.path() / "out" / "run.json");
  const auto refused = dybw(short_run({"--policy", "dtur", "--out", out}));
  CHECK(refused.code == 2);
  CHECK(refused.out.empty());
  CHECK(refused.err.starts_with("dybw: error: --out="));
  CHECK(refused.err.find("--force") != std::string::npos);
  CHECK(content(place.path() / "out" / "run.json") == before);
  check_clean_end(dybw(short_run({"--policy", "dtur", "--out", out, "--force"})));
  CHECK(json::parse(content(place.path() / "out" / "run.json"))["runs"][0]["policy"] == "dtur");
  CHECK_FALSE(fs::exists(place.path() / "out" / "full"));
}

TEST_CASE("dybw run: several policies are compared in one table, and written below runs/") {
  const temporary_directory place;
  const auto end = dybw(short_run({"--policy", "full,dtur", "--quiet", "--seed", "7"}), place.path());
  check_clean_end(end);
  CHECK(end.out.find("full") != std::string::npos);
  CHECK(end.out.find("dtur") != std::string::npos);
  const auto runs = fs::directory_iterator{place.path() / "runs"};
  const auto directory = runs->path();
  CHECK(directory.filename().string().ends_with("-7"));
  CHECK(fs::exists(directory / "run.json"));
}

TEST_CASE("dybw run: one policy writes no files unless told to") {
  const temporary_directory place;
  check_clean_end(dybw(short_run({"--policy", "full", "--quiet"}), place.path()));
  CHECK(fs::is_empty(place.path()));
}

TEST_CASE("dybw run: a configuration file gives the options, and the command line wins") {
  const temporary_directory place;
  std::ofstream(place.path() / "my.ini")
      << "# mine\nworkers = 3\nrounds = 4\npolicy = full\ntopology = path\n";
  const auto end = dybw({"run", "--config", "my.ini", "--rounds", "6", "--format", "json"}, place.path());
  check_clean_end(end);
  const auto document = json::parse(end.out);
  CHECK(document["runs"][0]["workers"] == 3);
  CHECK(document["runs"][0]["rounds"] == 6);
  CHECK(document["runs"][0]["topology"] == "path");
}

TEST_CASE("dybw run: a run that fails ends with 1, one line, and what was measured") {
  const temporary_directory place;
  const auto out = (place.path() / "out").string();
  const auto end = dybw({"run", "--policy", "full,dtur", "--time-limit", "30", "--step-size", "1e30",
                         "--weight-decay", "1", "--out", out, "--quiet"});
  CHECK_FALSE(end.killed);
  CHECK(end.code == 1);
  CHECK(end.err.starts_with("dybw: error: the loss is no longer a number"));
  CHECK(std::ranges::count(end.err, '\n') == 1);
  const auto document = json::parse(content(place.path() / "out" / "run.json"));
  REQUIRE(document["runs"].size() == 1); // the next policy is not begun
  CHECK(document["runs"][0]["failed"] == true);
  CHECK(document["runs"][0]["failure"].is_string());
}

TEST_CASE("dybw run: the target ends a run, and its time is reported") {
  const auto end = dybw({"run", "--policy", "full", "--target-accuracy", "0.3", "--time-limit", "40",
                         "--eval-every", "0.05", "--format", "json"});
  check_clean_end(end);
  const auto document = json::parse(end.out);
  const auto& run = document["runs"][0];
  REQUIRE(run["time_to_target_s"].is_number());
  CHECK(run["time_to_target_s"] <= run["duration_s"]);
}

TEST_CASE(
    "dybw run: several gradient steps between two exchanges are counted each, and go on with the same bits") {
  const temporary_directory place;
  const auto run = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{"run", "--quiet", "--format", "json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto end = dybw(arguments, place.path());
    CAPTURE(end.err);
    REQUIRE(end.code == 0);
    return json::parse(end.out);
  };
  const auto begin = [&](const std::string& out, const std::string& rounds) {
    return run({"--policy",           "full", "--workers",    "3",     "--batch",       "8",
                "--momentum",         "0.5",  "--step-size",  "0.02",  "--local-steps", "4",
                "--outer-step",       "0.75", "--correction", "0.125", "--step-time",   "const:0.002",
                "--checkpoint-every", "0.05", "--rounds",     rounds,  "--out",         out});
  };
  const auto whole = begin("whole", "20");
  CHECK(whole["config"]["local-steps"] == 4);
  CHECK(whole["config"]["local-time"].is_null());
  CHECK(whole["config"]["outer-momentum"] == 0.5);
  CHECK(whole["config"]["outer-step"] == 0.75);
  CHECK(whole["config"]["correction"] == 0.125);
  CHECK(whole["runs"][0]["local_steps"] == 240);
  CHECK(whole["runs"][0]["samples"] == 8 * 240);
  const auto& third = whole["runs"][0]["per_worker"][2];
  CHECK(third["mean_step_s"].get<double>() == doctest::Approx(third["compute_s"].get<double>() / 80));
  std::ifstream rounds(place.path() / "whole" / "full" / "rounds.jsonl");
  std::string line;
  REQUIRE(std::getline(rounds, line));
  CHECK(json::parse(line)["gradients"] == 4);

  begin("parts", "12");
  const auto rest = run({"--resume", "parts", "--rounds", "20"});
  CHECK(rest["runs"][0]["local_steps"] == 96);
  const auto model_of = [&](const std::string& out) {
    std::ifstream in(place.path() / out / "full" / "model.npy", std::ios::binary);
    return std::string{std::istreambuf_iterator<char>{in}, {}};
  };
  CHECK(model_of("whole").size() > 1000);
  CHECK((model_of("parts") == model_of("whole")));
  const auto reported = dybw({"report", (place.path() / "whole").string(), "--format", "json"});
  CHECK(json::parse(reported.out)["runs"][0]["local_steps"] == 240);
}

TEST_CASE("dybw run: the same seed gives the same data, start and mini-batches") {
  const auto loss_of = [](const std::string& seed) {
    const auto end = dybw(
        {"run", "--policy", "full", "--rounds", "1", "--workers", "4", "--seed", seed, "--format", "json"});
    return json::parse(end.out)["runs"][0]["test_loss"];
  };
  // One full round from the same start on the same mini-batches: the same arithmetic, whatever the order of
  // threads.
  CHECK(loss_of("1") == loss_of("1"));
  CHECK(loss_of("1") != loss_of("2"));
}

TEST_CASE(
    "dybw run: goes on with the data and the step times that it began with, or says that they are others") {
  const temporary_directory place;
  const auto data = place.path() / "d#1.csv"; // a name that an INI file must not cut short
  const auto trace = place.path() / "t.trace";
  const auto write_data = [&](int turn) {
    std::ofstream out(data);
    out << "x,y,label\n";
    for (int i = 0; i < 40; ++i)
      out << i << ',' << 7 * i % 11 << ',' << (i + turn) % 2 << '\n';
  };
  const auto write_trace = [&](const char* second) { std::ofstream(trace) << "0.1\n" << second << '\n'; };
  write_data(1);
  write_trace("0.2");
  const auto out = (place.path() / "out").string();
  REQUIRE(dybw({"run", "--quiet", "--clock", "virtual", "--step-time", "trace:" + trace.string(), "--rounds",
                "10", "--workers", "4", "--dataset", "csv", "--data", data.string(), "--checkpoint-every",
                "0.5", "--out", out})
              .code == 0);
  const auto go_on = [&](const std::string& rounds) {
    return dybw({"run", "--quiet", "--resume", out, "--rounds", rounds});
  };
  write_data(2);
  const auto other_data = go_on("20");
  CHECK(other_data.code == 3);
  CHECK(other_data.err.find("other options or other data") != std::string::npos);
  write_data(1);
  write_trace("0.3");
  CHECK(go_on("20").code == 3);
  write_trace("0.2");
  const auto same = go_on("20");
  CAPTURE(same.err);
  CHECK(same.code == 0);
  CHECK(json::parse(content(fs::path{out} / "run.json"))["config"]["data"] == data.string());
}

TEST_CASE(
    "dybw run: a convolutional network on mirrored images goes on from a checkpoint with the same bits") {
  const temporary_directory place;
  const auto run = [&](const std::string& out, const std::string& rounds, std::vector<std::string> more) {
    std::vector<std::string> all{"run", "--quiet", "--rounds", rounds, "--out", out};
    all.insert(all.end(), more.begin(), more.end());
    const auto end = dybw(all);
    CAPTURE(end.err);
    REQUIRE(end.code == 0);
  };
  const std::vector<std::string> options{"--clock",   "virtual",  "--step-time", "exp:0.1", "--workers",
                                         "3",         "--policy", "full",        "--model", "cnn:2x5,pool4,8",
                                         "--scaling", "standard", "--batch",     "2000"};
  auto mirrored = options;
  mirrored.insert(mirrored.end(), {"--augment", "mirror", "--checkpoint-every", "0.2"});
  const auto model_of = [](const std::string& out) { return content(fs::path{out} / "full" / "model.npy"); };
  const auto whole = (place.path() / "whole").string();
  const auto parts = (place.path() / "parts").string();
  const auto plain = (place.path() / "plain").string();
  run(whole, "6", mirrored); // three passes over the data
  run(parts, "3", mirrored);
  REQUIRE(dybw({"run", "--quiet", "--resume", parts, "--rounds", "6"}).code == 0);
  run(plain, "6", options);
  CHECK(model_of(whole) == model_of(parts));
  CHECK(model_of(whole) != model_of(plain));
  const auto document = json::parse(content(fs::path{whole} / "run.json"));
  CHECK(document["config"]["scaling"] == "standard");
  CHECK(document["config"]["augment"] == "mirror");
  CHECK(document["runs"][0]["model"] == "cnn:2x5,pool4,8");
}

} // namespace dybw::test
