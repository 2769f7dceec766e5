#include "actors/client/node_request.hpp"
#include "tests/actors/support/fake_gateway.hpp"
#include "tests/actors/support/test_system.hpp"

namespace dybw::test {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

using outcomes = std::shared_ptr<std::vector<node_request_done>>;

node_request_client_actor::behavior_type client(node_request_client_actor::pointer, outcomes done) {
  return {[done](const node_request_done& x) { done->push_back(x); }};
}

/// A request to node b:2, with a patience of two seconds.
struct probe {
  explicit probe(std::size_t answers = 1, nanoseconds keep_trying = nanoseconds{0}) {
    node_request_options options;
    options.gateway = actors.spawn(fake_gateway, log);
    options.to = {"b", 2};
    options.messages = {std::make_shared<const control_message>(stop_request{7}),
                        std::make_shared<const control_message>(node_status_request{})};
    options.answers = answers;
    options.patience = seconds{2};
    options.keep_trying = keep_trying;
    options.client = actors.spawn(client, done);
    options.key = 9;
    gateway = options.gateway;
    handle = actors.spawn(node_request, std::move(options));
    actors.run();
  }

  /// The newest call is answered.
  void open(connection_id connection) {
    actors.tell(handle, control_opened{log->calls.back().key, connection});
  }
  void fail() { actors.tell(handle, control_failed{log->calls.back().key, "refused"}); }
  void say(connection_id connection) {
    actors.tell(handle, control_received{connection, std::make_shared<const control_message>(stop_reply{})});
  }

  test_system actors;
  gateway_log_ptr log = std::make_shared<gateway_log>();
  outcomes done = std::make_shared<std::vector<node_request_done>>();
  gateway_actor gateway;
  node_request_actor handle;
};

} // namespace

TEST_CASE("node_request: says everything in order, waits for the answers, closes the connection") {
  probe p{2};
  p.open(connection_id{5});
  REQUIRE(p.log->sent.size() == 2);
  CHECK(std::holds_alternative<stop_request>(*p.log->sent[0].message));
  CHECK(std::holds_alternative<node_status_request>(*p.log->sent[1].message));
  p.say(connection_id{5});
  CHECK(p.done->empty());
  p.say(connection_id{5});
  REQUIRE(p.done->size() == 1);
  CHECK(p.done->front().key == 9);
  CHECK(p.done->front().answers.size() == 2);
  CHECK(p.done->front().failure.empty());
  CHECK(p.log->closings == std::vector{connection_id{5}});
}

TEST_CASE("node_request: without answers to wait for it is done once everything is sent") {
  probe p{0};
  p.open(connection_id{5});
  CHECK(p.log->sent.size() == 2);
  REQUIRE(p.done->size() == 1);
  CHECK(p.done->front().failure.empty());
  CHECK(p.log->closings == std::vector{connection_id{5}});
}

TEST_CASE("node_request: a failure says what went wrong, with the node's address") {
  probe refused;
  refused.fail();
  REQUIRE(refused.done->size() == 1);
  CHECK(refused.done->front().failure == "refused"); // the gateway names the node
  CHECK(refused.done->front().answers.empty());

  probe closed;
  closed.open(connection_id{5});
  closed.actors.tell(closed.handle, control_closed{connection_id{5}, "connection reset"});
  REQUIRE(closed.done->size() == 1);
  CHECK(closed.done->front().failure == "node b:2 hung up without an answer (connection reset)");
  CHECK(closed.log->closings.empty());

  probe silent;
  silent.open(connection_id{5});
  silent.actors.advance(milliseconds{1900});
  CHECK(silent.done->empty());
  silent.actors.advance(milliseconds{200});
  REQUIRE(silent.done->size() == 1);
  CHECK(silent.done->front().failure == "node b:2 did not answer within 2 s; see its log");
  CHECK(silent.log->closings == std::vector{connection_id{5}});
}

TEST_CASE("node_request: tries again once a second as long as it is told to") {
  probe p{1, seconds{3}};
  for (std::size_t calls = 1; calls <= 3; ++calls) {
    CHECK(p.log->calls.size() == calls);
    CHECK(p.done->empty());
    p.fail();
    p.actors.advance(seconds{1});
  }
  CHECK(p.log->calls.size() == 4);
  p.fail();
  REQUIRE(p.done->size() == 1);
  CHECK(p.done->front().failure == "refused");
}

TEST_CASE("node_request: a new attempt has its own patience, and forgets the answers of the one before") {
  probe p{2, seconds{60}};
  p.open(connection_id{5});
  p.say(connection_id{5});
  p.actors.advance(milliseconds{500});
  p.actors.tell(p.handle, control_closed{connection_id{5}, "reset"});
  p.actors.advance(seconds{1});
  REQUIRE(p.log->calls.size() == 2);
  p.open(connection_id{6});
  p.actors.advance(milliseconds{600}); // the first one's patience is over
  CHECK(p.log->closings.empty());
  p.say(connection_id{6});
  CHECK(p.done->empty());
  p.say(connection_id{6});
  REQUIRE(p.done->size() == 1);
  CHECK(p.done->front().answers.size() == 2);
}

} // namespace dybw::test
