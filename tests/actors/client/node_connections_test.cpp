#include "actors/client/node_connections.hpp"
#include "tests/actors/support/fake_gateway.hpp"
#include "tests/actors/support/test_system.hpp"

namespace dybw::test {

namespace {

constexpr auto one = node_index{1};
constexpr auto two = node_index{2};

/// Connections by a gateway that only writes down what it is asked for.
struct probe {
  void call(node_index node) {
    connections.perform(call_node{node, {"b", 2}, std::chrono::seconds{3}}, control_client_actor{});
    actors.run();
  }
  void tell(node_index node) {
    connections.perform(tell_node{node, std::make_shared<const control_message>(stop_request{7})});
    actors.run();
  }
  void close(node_index node) {
    connections.perform(hang_up{node});
    actors.run();
  }
  /// The newest call is answered.
  std::optional<node_event> open(connection_id connection) {
    const auto came = connections.take(control_opened{log->calls.back().key, connection});
    actors.run();
    return came;
  }
  std::optional<node_event> say(connection_id connection) {
    return connections.take(
        control_received{connection, std::make_shared<const control_message>(stop_reply{})});
  }

  test_system actors;
  gateway_log_ptr log = std::make_shared<gateway_log>();
  node_connections connections{actors.spawn(fake_gateway, log)};
};

template <class Event>
Event expect(const std::optional<node_event>& what) {
  REQUIRE(what);
  REQUIRE(std::holds_alternative<Event>(*what));
  return std::get<Event>(*what);
}

} // namespace

TEST_CASE("node_connections: what the gateway says becomes the events of the node it is about") {
  probe p;
  p.call(one);
  REQUIRE(p.log->calls.size() == 1);
  CHECK(p.log->calls[0].to == endpoint{"b", 2});
  CHECK(p.log->calls[0].patience == std::chrono::seconds{3});
  CHECK(expect<node_reached>(p.open(connection_id{5})).node == one);
  p.call(two);
  CHECK(expect<node_reached>(p.open(connection_id{4})).node == two);
  CHECK(expect<node_said>(p.say(connection_id{5})).node == one);
  CHECK(std::holds_alternative<stop_reply>(*expect<node_said>(p.say(connection_id{4})).message));
  const auto end = expect<node_hung_up>(p.connections.take(control_closed{connection_id{5}, "reset"}));
  CHECK(end.node == one);
  CHECK(end.reason == "reset");
  p.call(one);
  const auto failure =
      expect<node_not_reached>(p.connections.take(control_failed{p.log->calls.back().key, "refused"}));
  CHECK(failure.node == one);
  CHECK(failure.reason == "refused");
}

TEST_CASE("node_connections: a message is sent where the connection is open, and nowhere else") {
  probe p;
  p.tell(one);
  p.call(one);
  CHECK(p.connections.has(one));
  p.tell(one);
  CHECK(p.log->sent.empty());
  p.open(connection_id{5});
  p.tell(one);
  CHECK(p.log->sent_on<stop_request>(connection_id{5}).size() == 1);
  p.connections.take(control_closed{connection_id{5}, "reset"});
  CHECK_FALSE(p.connections.has(one));
  p.tell(one);
  CHECK(p.log->sent.size() == 1);
}

TEST_CASE("node_connections: of a connection that was closed nothing is heard any more") {
  probe p;
  p.call(one);
  p.open(connection_id{5});
  p.close(one);
  CHECK(p.log->closings == std::vector{connection_id{5}});
  CHECK_FALSE(p.say(connection_id{5}));
  CHECK_FALSE(p.connections.take(control_closed{connection_id{5}, "bye"}));
  p.close(one);
  CHECK(p.log->closings.size() == 1);
}

TEST_CASE("node_connections: a connection that opens after it was given up is closed again") {
  probe p;
  p.call(one);
  p.close(one);
  CHECK(p.log->closings.empty());
  CHECK_FALSE(p.open(connection_id{5}));
  CHECK(p.log->closings == std::vector{connection_id{5}});
  p.call(one);
  const auto given_up = p.log->calls.back().key;
  p.close(one);
  p.call(one);
  CHECK_FALSE(p.connections.take(control_failed{given_up, "refused"}));
  CHECK(p.connections.has(one)); // the newer call
}

TEST_CASE("node_connections: all are closed at once") {
  probe p;
  p.call(one);
  p.open(connection_id{5});
  p.call(two);
  p.connections.close_all();
  p.actors.run();
  CHECK(p.log->closings == std::vector{connection_id{5}});
  CHECK_FALSE(p.open(connection_id{6}));
  CHECK(p.log->closings.size() == 2);
}

} // namespace dybw::test
