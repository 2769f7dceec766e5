#include "actors/node/leadership.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

namespace {

constexpr auto second = nanoseconds{1'000'000'000};

/// Six workers on three nodes, two each: 0 and 3, 1 and 4, 2 and 5.
const std::vector<node_index> placement = {node_at(0), node_at(1), node_at(2),
                                           node_at(0), node_at(1), node_at(2)};

} // namespace

TEST_CASE("leadership: at the beginning the node of worker 0 leads, at once, and nobody else") {
  for (std::size_t self = 0; self < 3; ++self) {
    const leadership watch{placement, node_at(self), false, nanoseconds{0}};
    CHECK(watch.lead() == node_at(0));
    CHECK(watch.component() == 6);
    CHECK(watch.leads(nanoseconds{0}) == (self == 0));
  }
}

TEST_CASE("leadership: when the lead is cut off the next node takes over after a while") {
  leadership watch{placement, node_at(1), false, nanoseconds{0}};
  watch.changed(worker_at(1), 4, worker_at(1), 10 * second);
  CHECK(watch.lead() == node_at(0)); // worker 4 does not know yet
  watch.changed(worker_at(4), 4, worker_at(1), 11 * second);
  CHECK(watch.lead() == node_at(1));
  CHECK(watch.component() == 4);
  CHECK_FALSE(watch.leads(11 * second));
  CHECK(watch.leads(11 * second + leadership::settle_time));
  watch.changed(worker_at(1), 6, worker_at(0), 20 * second); // it is back
  CHECK_FALSE(watch.leads(30 * second));
}

TEST_CASE("leadership: news that change nothing do not put off the lead") {
  leadership watch{placement, node_at(1), false, nanoseconds{0}};
  watch.changed(worker_at(1), 4, worker_at(1), 10 * second);
  watch.changed(worker_at(4), 4, worker_at(1), 10 * second);
  watch.changed(worker_at(4), 3, worker_at(1), 11 * second);
  CHECK(watch.leads(11 * second));
}

TEST_CASE(
    "leadership: of the parts of its workers a node belongs to the largest, then to that of lowest number") {
  leadership watch{placement, node_at(0), false, nanoseconds{0}};
  watch.changed(worker_at(0), 1, worker_at(0), second); // cut off; worker 3 is with 1, 2, 4, 5
  watch.changed(worker_at(3), 5, worker_at(1), second);
  CHECK(watch.lead() == node_at(1));
  leadership other{placement, node_at(2), false, nanoseconds{0}};
  other.changed(worker_at(2), 3, worker_at(1), second);
  other.changed(worker_at(5), 3, worker_at(0), second);
  CHECK(other.lead() == node_at(0));
}

TEST_CASE("leadership: a node that joins is alone until its workers hear from others") {
  leadership watch{placement, node_at(0), true, 100 * second};
  CHECK(watch.component() == 1);
  CHECK_FALSE(watch.leads(100 * second));
  leadership later{placement, node_at(2), true, 100 * second};
  later.changed(worker_at(5), 6, worker_at(0), 100 * second);
  CHECK(later.lead() == node_at(0));
}

TEST_CASE("leadership: workers of other nodes and numbers beyond the run change nothing") {
  leadership watch{placement, node_at(1), false, nanoseconds{0}};
  watch.changed(worker_at(0), 1, worker_at(1), second);
  watch.changed(worker_at(1), 9, worker_at(6), second);
  CHECK(watch.lead() == node_at(0));
  CHECK(watch.component() == 6);
}

} // namespace dybw::test
