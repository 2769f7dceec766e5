#include "actors/client/node_lines.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

node_line line_to_b() {
  return lines_to(std::vector<endpoint>{{"a", 1}, {"b", 2}})[1];
}

} // namespace

TEST_CASE("node_line: a call that is answered opens the line, which is a sign of life") {
  auto line = line_to_b();
  CHECK(line.is_closed());
  CHECK(line.name() == "b:2");
  const auto call = line.call(seconds{1}, seconds{3});
  CHECK(call.node == node_at(1));
  CHECK(call.to == endpoint{"b", 2});
  CHECK(call.patience == seconds{3});
  CHECK_FALSE(line.is_closed());
  CHECK_FALSE(line.is_open());
  CHECK(line.reached(seconds{2}));
  CHECK(line.is_open());
  CHECK(line.heard == seconds{2});
  CHECK(std::holds_alternative<stop_request>(*line.tell(stop_request{7}).message));
}

TEST_CASE("node_line: what comes too late changes nothing") {
  auto line = line_to_b();
  CHECK_FALSE(line.reached(seconds{1}));
  CHECK_FALSE(line.lost(seconds{1}));
  line.call(seconds{1});
  CHECK(line.close(seconds{2}).node == node_at(1));
  CHECK_FALSE(line.reached(seconds{3}));
  CHECK_FALSE(line.lost(seconds{3}));
  CHECK(line.changed == seconds{2});
}

TEST_CASE("node_line: it is called again a second after it was lost") {
  auto line = line_to_b();
  line.call(seconds{1});
  CHECK_FALSE(line.may_be_called_again(seconds{9})); // it is being called
  CHECK(line.lost(seconds{10}));
  CHECK_FALSE(line.may_be_called_again(milliseconds{10999}));
  CHECK(line.may_be_called_again(seconds{11}));
  line.call(seconds{11});
  line.reached(seconds{12});
  CHECK_FALSE(line.may_be_called_again(seconds{20}));
}

TEST_CASE("node_line: silence is forgiven to all when this process has slept, and only then") {
  auto lines = lines_to(std::vector<endpoint>{{"a", 1}, {"b", 2}});
  nanoseconds ticked{seconds{1}};
  forgive_silence(lines, ticked, seconds{2}, seconds{2});
  CHECK(lines[0].heard == seconds{0});
  CHECK(ticked == seconds{2});
  forgive_silence(lines, ticked, milliseconds{3001}, seconds{2});
  for (const auto& line : lines)
    CHECK(line.heard == milliseconds{3001});
}

TEST_CASE("node_line: a node may be silent for the time of suspicion, but two seconds always") {
  run_config config;
  config.suspect_after_s = 5;
  CHECK(silence_max(config) == seconds{5});
  config.suspect_after_s = 0.5;
  CHECK(silence_max(config) == seconds{2});
}

} // namespace dybw::test
