#include "actors/reporting/trace_file.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <iterator>

namespace dybw::test {

namespace {

using nlohmann::json;
using std::chrono::milliseconds;

/// As strict readers take it.
json read_trace(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return json::parse(in);
}

round_report sample_report(std::size_t worker) {
  round_report r;
  r.mixed.worker = worker_at(worker);
  r.mixed.round = 9;
  r.started = milliseconds{100};
  r.compute = milliseconds{30};
  r.joined = milliseconds{140}; // ten of them queued for a thread
  r.closed = milliseconds{150};
  r.done = milliseconds{151};
  r.mix_began = milliseconds{152};
  r.mix_ended = milliseconds{153};
  r.acknowledged = milliseconds{145};
  return r;
}

} // namespace

TEST_CASE(
    "trace_file: a round is written as its intervals, in microseconds, each worker on lanes of its own") {
  const temporary_directory place;
  const auto file = place.path() / "trace.json";
  trace_file trace{file, "full", 0, 2};
  trace.add(sample_report(1));
  REQUIRE(trace.flush());
  const auto events = read_trace(file);
  json intervals;
  for (const auto& e : events)
    if (e["ph"] == "X") {
      CHECK(e["pid"] == 0);
      CHECK(e["args"]["round"] == 9);
      intervals[e["name"].get<std::string>()] = {e["tid"], e["ts"], e["dur"]};
    }
  CHECK(intervals["queue"] == json{2, 100'000.0, 10'000.0});
  CHECK(intervals["compute"] == json{2, 110'000.0, 30'000.0});
  CHECK(intervals["gather"] == json{2, 140'000.0, 10'000.0});
  CHECK(intervals["settle"] == json{2, 150'000.0, 1'000.0});
  CHECK(intervals["mix"] == json{2, 152'000.0, 1'000.0});
  CHECK(intervals["send"] == json{3, 140'000.0, 5'000.0});
  CHECK(intervals.size() == 6);
}

TEST_CASE("trace_file: what did not happen is not written") {
  const temporary_directory place;
  const auto file = place.path() / "trace.json";
  trace_file trace{file, "full", 0, 1};
  auto r = sample_report(0);
  r.compute = milliseconds{40};                    // no queue
  r.mix_began = r.mix_ended = r.acknowledged = {}; // no model, no answer yet
  r.timed_out = true;
  trace.add(r);
  REQUIRE(trace.flush());
  std::vector<std::string> names;
  for (const auto& e : read_trace(file))
    if (e["ph"] == "X")
      names.push_back(e["name"]);
  CHECK(names == std::vector<std::string>{"compute", "gather (timed out)", "settle"});
}

TEST_CASE("trace_file: several runs share a file, each a process of its own name") {
  const temporary_directory place;
  const auto file = place.path() / "trace.json";
  for (const std::size_t number : {0, 1}) {
    trace_file trace{file, number == 0 ? "full" : "dtur", number, 3};
    REQUIRE(trace.flush());
    trace.add(sample_report(2));
    REQUIRE(trace.flush());
    REQUIRE(read_trace(file).is_array());
  }
  std::vector<std::string> runs;
  std::size_t threads = 0;
  std::size_t intervals = 0;
  for (const auto& e : read_trace(file)) {
    if (e["name"] == "process_name")
      runs.push_back(e["args"]["name"]);
    threads += e["name"] == "thread_name" ? 1 : 0;
    intervals += e["ph"] == "X" ? 1 : 0;
  }
  CHECK(runs == std::vector<std::string>{"full", "dtur"});
  CHECK(threads == 12);
  CHECK(intervals == 12);
}

TEST_CASE("trace_file: a file that cannot be written is noticed") {
  trace_file trace{"/nowhere/trace.json", "full", 0, 1};
  CHECK_FALSE(trace.flush());
}

} // namespace dybw::test
