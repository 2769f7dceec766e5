#include "actors/gateway/link_table.hpp"
#include "actors/transport/outbox.hpp"
#include "tests/messages/wire_bytes.hpp"

#include <doctest/doctest.h>

#include <array>
#include <random>

namespace dybw::test {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Node 1 of three with two workers each; a ring of six, so that it has neighbours on both others.
join_run middle_of_three() {
  join_run x;
  x.run = 5;
  x.self = node_index{1};
  x.nodes = {{"a", 1}, {"b", 2}, {"c", 3}};
  x.placement = {node_index{0}, node_index{0}, node_index{1}, node_index{1}, node_index{2}, node_index{2}};
  x.graph = std::make_shared<const topology>(make_topology("ring", 6, 1));
  x.parameters = 1000;
  x.suspect_after = seconds{6};
  x.workers.resize(6);
  return x;
}

const link_table::moment start{seconds{1000}};

std::string all_of(const outbox& x) {
  std::array<std::span<const char>, 100> pieces;
  const auto count = x.next(pieces);
  std::string text;
  for (std::size_t i = 0; i < count; ++i)
    text.append(pieces[i].begin(), pieces[i].end());
  return text;
}

std::string text_of_block(const parameter_block& x) {
  return {reinterpret_cast<const char*>(x.values().data()), x.values().size_bytes()};
}

void add(outbox& x, const std::string& text) {
  auto& tail = x.tail();
  tail.insert(tail.end(), text.begin(), text.end());
}

} // namespace

TEST_CASE("link_table: links go to the nodes that share an edge, the lower number dials") {
  link_table table{middle_of_three()};
  REQUIRE(table.links().size() == 2);
  CHECK_FALSE(table.find(node_index{0})->dials);
  CHECK(table.find(node_index{2})->dials);
  CHECK(table.find(node_index{1}) == nullptr);
  CHECK(table.find(node_index{7}) == nullptr);
  CHECK(table.find(node_index{2})->where == endpoint{"c", 3});
  const auto& pairs = table.find(node_index{2})->pairs;
  REQUIRE(pairs.size() == 1);
  CHECK(pairs[0].here == worker_id{3});
  CHECK(pairs[0].there == worker_id{4});
  CHECK(table.route(worker_id{0}) == table.find(node_index{0}));
  CHECK(table.route(worker_id{2}) == nullptr); // lives here
  CHECK(table.route(worker_id{9}) == nullptr);
  CHECK(table.due(start) == std::vector{node_index{2}});
  CHECK(table.due(start).empty()); // under way
}

TEST_CASE(
    "link_table: a failed dial is repeated after a quarter of a second, then later, at most after one") {
  link_table table{middle_of_three()};
  auto& link = *table.find(node_index{2});
  auto now = start;
  for (const auto wait : {250, 500, 1000, 1000}) {
    REQUIRE(table.due(now).size() == 1);
    CHECK(table.failed(link, now, "refused " + std::to_string(now.time_since_epoch().count())));
    CHECK(table.due(now + milliseconds{wait - 1}).empty());
    now += milliseconds{wait};
  }
  REQUIRE(table.due(now).size() == 1);
  CHECK(table.failed(link, now, "another reason"));
  CHECK_FALSE(table.failed(link, now, "another reason")); // no news
  table.moved(link, {"d", 4}, now);
  CHECK(table.due(now).size() == 1);
  table.up(link, now);
  table.failed(link, now, "cut");
  CHECK(table.due(now + milliseconds{249}).empty());
  CHECK(table.due(now + milliseconds{250}).size() == 1);
}

TEST_CASE("link_table: a link is silent after twice the time of suspicion, unless this process was stopped") {
  link_table table{middle_of_three()};
  auto& link = *table.find(node_index{2});
  table.up(link, start);
  auto now = start;
  for (; now <= start + seconds{12}; now += seconds{1})
    CHECK(table.silent(now).empty());
  CHECK(table.silent(now) == std::vector{node_index{2}});
  link.heard = now;
  CHECK(table.silent(now).empty());
  now += seconds{60}; // nobody asked in the meantime
  CHECK(table.silent(now).empty());
  for (int i = 0; i < 12; ++i)
    CHECK(table.silent(now += seconds{1}).empty());
  CHECK(table.silent(now += seconds{1}).size() == 1);
}

TEST_CASE(
    "link_table: says now and then that we live, and passes on that others do, six times per suspicion") {
  link_table table{middle_of_three()};
  auto& link = *table.find(node_index{2});
  CHECK(table.mute(start).empty()); // down
  table.up(link, start);
  CHECK(table.mute(start + milliseconds{1999}).empty());
  CHECK(table.mute(start + seconds{2}).size() == 1);
  CHECK(table.mute(start + seconds{2}).empty());
  CHECK_FALSE(table.sign_of_life_due(link, start + milliseconds{999}));
  CHECK(table.sign_of_life_due(link, start + seconds{1}));
  CHECK_FALSE(table.sign_of_life_due(link, start + milliseconds{1999}));
  CHECK(table.backlog_max(link) == 2 * 1 * 4000 + 1024 * 1024);
}

TEST_CASE("outbox: frames and blocks come out in order, however they are written") {
  std::mt19937_64 generator{1};
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(generator() % n); };
  for (int run = 0; run < 200; ++run) {
    outbox out;
    std::string expected;
    std::string written;
    const auto write_some = [&] {
      std::array<std::span<const char>, 3> pieces;
      const auto count = out.next(pieces);
      std::size_t room = 0;
      std::string text;
      for (std::size_t i = 0; i < count; ++i) {
        room += pieces[i].size();
        text.append(pieces[i].begin(), pieces[i].end());
      }
      const auto taken = room == 0 ? 0 : 1 + below(room);
      written += text.substr(0, taken);
      out.written(taken);
    };
    for (int i = 0; i < 50; ++i) {
      if (below(3) == 0) {
        const auto block = block_of({static_cast<float>(i), 2, 3});
        out.append(block);
        expected += text_of_block(block);
      } else {
        const auto text = std::to_string(generator());
        add(out, text);
        expected += text;
      }
      if (below(2) == 0)
        write_some();
      CHECK(out.bytes() == expected.size() - written.size());
      CHECK(all_of(out) == expected.substr(written.size()));
    }
    while (!out.empty())
      write_some();
    CHECK(written == expected);
  }
}

TEST_CASE("outbox: holds a block until it is written, and no longer") {
  outbox out;
  auto buffer = std::make_shared<float_buffer>(4);
  out.append(parameter_block{buffer});
  add(out, "x");
  CHECK(buffer.use_count() == 2);
  out.written(15);
  CHECK(buffer.use_count() == 2);
  out.written(1);
  CHECK(buffer.use_count() == 1);
  out.append({}); // an empty one is nothing
  CHECK(out.bytes() == 1);
}

TEST_CASE("outbox: a backlog that never ends does not grow the memory that it takes") {
  outbox out;
  const std::string frame(1024, 'x');
  for (int i = 0; i < 20'000; ++i) {
    add(out, frame);
    if (i > 10)
      out.written(frame.size());
    CHECK(out.tail().capacity() <= 256 * 1024);
  }
  CHECK(out.bytes() == 11 * frame.size());
  CHECK(out.frames_bytes() == out.bytes());
  out.append(block_of({1, 2}));
  CHECK(out.bytes() > out.frames_bytes());
  CHECK(out.frames_bytes() + 8 == out.bytes());
  out.written(11 * frame.size() + 4);
  CHECK(out.frames_bytes() == 0);
  add(out, frame);
  CHECK(out.frames_bytes() == frame.size());
  CHECK(out.bytes() == frame.size() + 4);
  out.written(4);
  CHECK(out.bytes() == out.frames_bytes());
}

TEST_CASE("link_table: of several processes of a node the newest has its link") {
  link_table table{middle_of_three()};
  auto& accepts = *table.find(node_index{0});
  auto& dials = *table.find(node_index{2});
  const auto retired = [](const auto& link, std::uint64_t x) { return link_table::is_retired(link, x); };
  for (auto* link : {&accepts, &dials}) {
    link_table::owned_by(*link, 1);
    link_table::owned_by(*link, 1);
    CHECK_FALSE(retired(*link, 1));
    CHECK(table.moved(*link, {"d", 4}, start));
    CHECK(retired(*link, 1));
    link_table::owned_by(*link, 2);
    CHECK_FALSE(table.moved(*link, {"d", 4}, start)); // old news
    CHECK_FALSE(retired(*link, 2));
    link_table::owned_by(*link, 3);
    CHECK(retired(*link, 2));
  }
  CHECK_FALSE(table.moved(accepts, {"e", 5}, start)); // was faster than this news of it
  CHECK_FALSE(retired(accepts, 3));
  CHECK(table.moved(dials, {"e", 5}, start)); // we found it at the address before
  CHECK(retired(dials, 3));
  for (std::uint64_t i = 4; i < 1000; ++i)
    link_table::owned_by(accepts, i);
  CHECK(accepts.retired.size() == retired_max);
  CHECK(retired(accepts, 998));
  CHECK_FALSE(retired(accepts, 999));
}

} // namespace dybw::test
