#include "actors/client/ask_nodes.hpp"

#include "tests/actors/support/network.hpp"
#include "tests/support/loopback.hpp"

namespace dybw::test {

namespace {

std::vector<node_answer> ask(process& asker, const std::vector<endpoint>& nodes,
                             const control_message& question, nanoseconds patience = long_enough,
                             const std::function<bool()>& interrupted = {}) {
  return ask_nodes(asker.system(), asker.gateway(), nodes, question, patience, interrupted);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("ask_nodes: every node is asked, and each answer or reason stands in its place") {
  process asker;
  process one{on_loopback()};
  process two{on_loopback()};
  endpoint nowhere{"127.0.0.1", 0};
  {
    const auto taken = listen_on_loopback(nowhere.port); // and free again
  }
  const std::vector<endpoint> nodes{one.where(), nowhere, two.where()};
  const auto answers = ask(asker, nodes, stop_request{});
  REQUIRE(answers.size() == 3);
  CHECK(expect_answer<stop_reply>(answers[0], nodes[0]).refusal == "stopped");
  CHECK(expect_answer<stop_reply>(answers[2], nodes[2]).refusal == "stopped");
  CHECK_FALSE(answers[1].message);
  CHECK(contains(answers[1].failure, to_string(nowhere)));
  CHECK_THROWS_AS(expect_answer<stop_reply>(answers[1], nodes[1]), input_error);
  CHECK_THROWS_WITH_AS(expect_answer<node_status>(answers[0], nodes[0]),
                       doctest::Contains("answers something else"), input_error);
  CHECK(one.acceptor_notes().wait_for("closed")); // nothing stays open
}

TEST_CASE("ask_nodes: a node that does not answer is given up, the others' answers stay") {
  process asker;
  process node{on_loopback()};
  endpoint silent{"127.0.0.1", 0};
  const auto listener = listen_on_loopback(silent.port); // connects, but says no hello
  const auto answers = ask(asker, {silent, node.where()}, stop_request{}, std::chrono::seconds{1});
  CHECK(contains(answers[0].failure, to_string(silent)));
  CHECK(answers[1].message);
  const auto unanswered = ask(asker, {node.where()}, node_status_request{}, std::chrono::milliseconds{300});
  CHECK(contains(unanswered[0].failure, "node " + to_string(node.where()) + " did not answer within"));
}

TEST_CASE("ask_nodes: a node that hangs up instead of answering is told so") {
  process asker;
  auto node = std::make_unique<process>(on_loopback());
  const auto where = node->where();
  std::jthread killer{[&] {
    node->acceptor_notes().wait_for("got");
    node->stop();
  }};
  const auto answers = ask(asker, {where}, node_status_request{});
  killer.join();
  CHECK(contains(answers[0].failure, "node " + to_string(where) + " hung up without an answer"));
}

TEST_CASE("ask_nodes: an interrupt ends the waiting") {
  process asker;
  process node{on_loopback()};
  const auto answers = ask(asker, {node.where()}, node_status_request{}, long_enough, [] { return true; });
  CHECK(answers[0].failure == "interrupted");
}

} // namespace dybw::test
