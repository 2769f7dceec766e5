#include "actors/gateway/handshake_queue.hpp"
#include "messages/limits.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

namespace dybw::test {

namespace {

using namespace std::chrono_literals;
using moment = handshake_queue::moment;
using handles = std::vector<std::int64_t>;

constexpr moment start{1h};

/// So many from this address, numbered from `first`.
void add(handshake_queue& queue, std::int64_t first, int count, const std::string& source) {
  for (auto i = 0; i < count; ++i)
    queue.add(first + i, source);
}

} // namespace

TEST_CASE("handshake_queue: who comes alone begins at once") {
  handshake_queue queue;
  CHECK(queue.due(start).empty());
  queue.add(1, "a");
  CHECK(queue.due(start) == handles{1});
  CHECK(queue.due(start).empty());
}

TEST_CASE("handshake_queue: after a burst so many begin per second, in the order of their arrival") {
  handshake_queue queue;
  add(queue, 0, 1000, "a");
  const auto first = queue.due(start);
  REQUIRE(first.size() == handshakes_at_once);
  CHECK(std::ranges::is_sorted(first));
  std::size_t later = 0;
  for (auto now = start + 50ms; now <= start + 1s; now += 50ms)
    later += queue.due(now).size();
  CHECK(later == handshakes_per_s);
}

TEST_CASE("handshake_queue: a long quiet time earns no more than one burst") {
  handshake_queue queue;
  CHECK(queue.due(start).empty());
  add(queue, 0, 1000, "a");
  CHECK(queue.due(start + 24h).size() == handshakes_at_once);
}

TEST_CASE("handshake_queue: a flood from one address does not hold up another") {
  handshake_queue queue;
  add(queue, 0, 200, "flood");
  CHECK(queue.due(start).size() == handshakes_at_once);
  queue.add(999, "node");
  auto waited = 0ms;
  for (auto done = false; !done && waited < 10s; waited += 50ms) {
    add(queue, 1000 + waited.count() * 10, 100, "flood"); // two thousand a second
    done = std::ranges::count(queue.due(start + waited + 50ms), 999) > 0;
  }
  CHECK(waited == 50ms);
}

TEST_CASE("handshake_queue: who is new joins behind those that were there before") {
  handshake_queue queue;
  queue.add(1, "node");
  add(queue, 2, handshakes_at_once - 1, "other");
  REQUIRE(queue.due(start).size() == handshakes_at_once);
  for (int i = 0; i < 500; ++i)
    queue.add(1000 + i, "stranger " + std::to_string(i));
  queue.add(999, "node");
  const auto next = queue.due(start + 50ms);
  REQUIRE(next.size() > 1);
  CHECK(next.front() == 999);
}

TEST_CASE(
    "handshake_queue: addresses of one /64 are one source, and one of IPv4 is the same in either form") {
  const auto is_known = [](const std::string& known, const std::string& more) {
    handshake_queue queue;
    queue.add(1, known);
    add(queue, 2, handshakes_at_once - 1, "other");
    REQUIRE(queue.due(start).size() == handshakes_at_once);
    queue.add(501, "other");
    queue.add(500, more);
    const auto next = queue.due(start + 50ms);
    REQUIRE(next.size() == 2);
    return next.front() == 500; // its last turn was before that of the others, and no newcomer's is
  };
  CHECK(is_known("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"));
  CHECK(is_known("2001:db8::1", "2001:DB8:0:0:7::"));
  CHECK(is_known("10.0.0.1", "::ffff:10.0.0.1"));
  CHECK_FALSE(is_known("2001:db8:0:1::1", "2001:db8:0:2::1"));
  CHECK_FALSE(is_known("::ffff:10.0.0.1", "::ffff:10.0.0.2"));
}

TEST_CASE("handshake_queue: who is gone takes no turn") {
  handshake_queue queue;
  add(queue, 0, handshakes_at_once + 2, "a");
  queue.due(start);
  queue.remove(handshakes_at_once);
  CHECK(queue.due(start + 1s) == handles{handshakes_at_once + 1});
}

} // namespace dybw::test
