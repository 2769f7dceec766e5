#include "actors/gateway/control_table.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ids = std::vector<connection_id>;

const control_table::moment start{seconds{1000}};

/// A table that looks at its connections twenty times per second, as a gateway does. What they carry is said
/// here, by their handles.
struct watched_table {
  control_table table;
  std::map<std::int64_t, control_table::flow> flows;
  control_table::moment now = start;

  watched_table() { look(); }

  connection_id add(std::int64_t handle, bool accepted = true) { return table.add(handle, accepted, now); }
  control_table::findings look() {
    return table.look_at_all(now, [&](const auto& x) { return flows[x.handle]; });
  }
  control_table::findings look_later(nanoseconds passed = milliseconds{50}) {
    now += passed;
    return look();
  }
  bool charge(connection_id id) { return table.charge(id, flows[table.find(id)->handle]); }
  /// How many more requests are read, at most `limit`.
  std::int64_t read_until_paused(connection_id id, std::int64_t limit = 100'000) {
    for (std::int64_t count = 0; count < limit; ++count)
      if (!charge(id))
        return count;
    return limit;
  }
  /// Looks until it is stuck; how long that takes, at most `limit`.
  nanoseconds until_stuck(connection_id id, nanoseconds limit) {
    for (const auto begin = now; now - begin < limit;)
      if (look_later().stuck == ids{id})
        return now - begin;
    return limit;
  }
};

} // namespace

TEST_CASE("control_table: a connection is found by its id until it is closed, and the id is not used again") {
  control_table table;
  const auto first = table.add(7, true, start);
  const auto second = table.add(8, false, start);
  CHECK(first != connection_id{}); // which means none
  CHECK(second != first);
  REQUIRE(table.find(first) != nullptr);
  CHECK(table.find(first)->handle == 7);
  CHECK(table.find(first)->accepted);
  CHECK_FALSE(table.find(second)->accepted);
  table.remove(first);
  table.remove(connection_id{});
  CHECK(table.find(first) == nullptr);
  CHECK(table.find(second)->handle == 8);
  const auto third = table.add(7, true, start);
  CHECK(third != first);
  CHECK(third != second);
}

TEST_CASE("control_table: so many accepted connections are kept, those that we dialled do not count") {
  control_table table;
  const auto first = table.add(0, true, start);
  for (std::size_t i = 1; i < controls_max; ++i) {
    CHECK(table.has_room());
    table.add(static_cast<std::int64_t>(i), true, start);
    table.add(static_cast<std::int64_t>(1000 + i), false, start);
  }
  CHECK_FALSE(table.has_room());
  table.remove(first);
  CHECK(table.has_room());
}

TEST_CASE("control_table: a burst of requests is read at once, then as many as the time allows") {
  watched_table x;
  const auto id = x.add(1);
  CHECK(x.read_until_paused(id) == requests_at_once);
  CHECK_FALSE(x.charge(id)); // those that were read with them: one more to pay for
  CHECK(x.look().resumed.empty());
  CHECK(x.look_later().resumed == ids{id});
  CHECK(x.look_later().resumed.empty()); // is read already
  CHECK(x.read_until_paused(id) == requests_per_s / 10 - 1);
  CHECK(x.look_later(seconds{3600}).resumed == ids{id});
  CHECK(x.read_until_paused(id) == requests_at_once);
}

TEST_CASE("control_table: who asks too fast waits alone") {
  watched_table x;
  const auto fast = x.add(1);
  const auto slow = x.add(2);
  x.read_until_paused(fast);
  CHECK(x.charge(slow));
  CHECK_FALSE(x.charge(fast));
}

TEST_CASE("control_table: a long request counts as several") {
  watched_table x;
  const auto id = x.add(1);
  x.flows[1].read = 100 * request_unit_bytes;
  CHECK(x.charge(id));
  CHECK(x.read_until_paused(id) == requests_at_once - 101);
}

TEST_CASE("control_table: who takes no answers is asked for no more until it has taken some") {
  watched_table x;
  const auto id = x.add(1);
  x.flows[1].waiting = x.flows[1].waiting_frames = control_backlog_max;
  CHECK(x.charge(id));
  ++x.flows[1].waiting; // parameters or not
  CHECK_FALSE(x.charge(id));
  CHECK(x.look_later().resumed.empty());
  --x.flows[1].waiting;
  CHECK_FALSE(x.charge(id)); // came before it was paused
  CHECK(x.look_later().resumed == ids{id});
}

TEST_CASE("control_table: answers to our own requests are read however fast they come") {
  watched_table x;
  const auto id = x.add(1, false);
  x.flows[1] = {std::uint64_t{1} << 40, 0, 2 * control_backlog_max, 0};
  CHECK(x.read_until_paused(id) == 100'000);
  CHECK(x.look_later().resumed.empty());
}

TEST_CASE("control_table: messages may wait up to a bound, for which parameters do not count") {
  CHECK(control_table::takes_more({0, 0, 100 * control_backlog_max, control_backlog_max}));
  CHECK_FALSE(control_table::takes_more({0, 0, control_backlog_max + 1, control_backlog_max + 1}));
}

TEST_CASE("control_table: who takes no parameters for a while is stuck, and nobody else is") {
  watched_table x;
  const auto id = x.add(1, false);
  const auto other = x.add(2);
  x.flows[2] = {0, 0, 5000, 5000}; // waits for small messages only
  CHECK(x.until_stuck(id, seconds{30}) == seconds{30});
  x.flows[1] = {0, 0, 5000, 1000};
  CHECK(x.until_stuck(id, seconds{30}) == progress_within + milliseconds{50});
  ++x.flows[1].written;
  CHECK(x.look_later().stuck.empty());
  for (int i = 0; i < 20; ++i) { // slow, but something goes
    CHECK(x.until_stuck(id, seconds{8}) == seconds{8});
    ++x.flows[1].written;
  }
  x.table.remove(id);
  CHECK(x.look_later(seconds{1}).stuck.empty());
  CHECK(x.table.find(other) != nullptr);
}

TEST_CASE("control_table: nobody is stuck when it was this process that did nothing") {
  watched_table x;
  const auto id = x.add(1);
  x.flows[1] = {0, 0, 5000, 0};
  CHECK(x.until_stuck(id, seconds{9}) == seconds{9});
  CHECK(x.look_later(seconds{60}).stuck.empty());
  CHECK(x.until_stuck(id, seconds{30}) == progress_within + milliseconds{50});
}

TEST_CASE("control_table: all requests together hold so much memory, and the longest at it goes first") {
  control_table table;
  constexpr std::uint64_t part = request_memory_max / 4;
  ids all;
  for (std::int64_t i = 0; i < 6; ++i)
    all.push_back(table.add(i, true, start));
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(table.hold(all[i], part, start + seconds{static_cast<int>(i)}).empty());
  CHECK(table.hold(all[0], 0, start + seconds{5}).empty()); // is whole
  CHECK(table.hold(all[4], part, start + seconds{6}).empty());
  CHECK(table.hold(all[0], part, start + seconds{7}) == ids{all[1]}); // the first began anew
  table.remove(all[1]);
  CHECK(table.hold(all[5], 2 * part, start + seconds{8}) == ids{all[2], all[3]});
  const auto dialled = table.add(9, false, start);
  CHECK(table.hold(dialled, 10 * request_memory_max, start + seconds{9}).empty()); // an answer that we wanted
}

TEST_CASE("control_table: all connections together bring so many bytes at once, and the rest later") {
  watched_table x;
  ids all;
  for (std::int64_t i = 0; i < 8; ++i)
    all.push_back(x.add(i));
  constexpr std::uint64_t request = 12 * 1024 * 1024; // one connection's own allowance has room for it
  std::size_t taken = 0;
  for (const auto id : all) {
    x.flows[x.table.find(id)->handle].read += request;
    taken += x.charge(id) ? 1 : 0;
  }
  CHECK(taken == static_cast<std::size_t>(request_bytes_at_once) / request);
  CHECK(x.look().resumed.empty());
  auto waited = nanoseconds{0};
  const auto begin = x.now;
  for (std::size_t resumed = 0; resumed < all.size() - taken && waited < seconds{60}; waited = x.now - begin)
    resumed += x.look_later().resumed.size();
  CHECK(waited > seconds{0});
  CHECK(waited <= seconds{2});
}

} // namespace dybw::test
