#include "tests/messages/wire_bytes.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <doctest/doctest.h>

#include <cstring>
#include <set>

namespace dybw::test {

namespace {

template <class T>
T reloaded(const T& value) {
  T copy{};
  std::size_t left_over = 1;
  CHECK_FALSE(load(bytes_of(value), copy, &left_over));
  CHECK(left_over == 0);
  return copy;
}

bool operator==(const parameter_block& x, const parameter_block& y) {
  return std::ranges::equal(x.values(), y.values());
}

} // namespace

TEST_CASE("wire: a worker's number comes back") {
  CHECK(reloaded(worker_id{4'000'000'000U}) == worker_id{4'000'000'000U});
}

TEST_CASE("wire: an estimate with parameters comes back, whatever the bits of the floats") {
  const auto infinity = std::numeric_limits<float>::infinity();
  const auto m = estimate_message{{1ULL << 40, true}, block_of({1.5F, -0.0F, infinity, 1e-42F})};
  const auto copy = reloaded(m);
  CHECK(copy.body.round == 1ULL << 40);
  CHECK(copy.body.has_parameters);
  REQUIRE(copy.parameters.values().size() == 4);
  CHECK(std::memcmp(copy.parameters.values().data(), m.parameters.values().data(), 16) == 0);
}

TEST_CASE("wire: an estimate without parameters comes back without, and replaces what the receiver held") {
  auto held = estimate_message{{1, true}, block_of({1, 2})};
  REQUIRE_FALSE(load(bytes_of(estimate_message{{7, false}, {}}), held));
  CHECK(held.body.round == 7);
  CHECK_FALSE(held.body.has_parameters);
  CHECK_FALSE(held.parameters);
}

TEST_CASE("wire: accept, closed and received come back") {
  CHECK(reloaded(accept{~0ULL}).round == ~0ULL);
  const auto c = reloaded(closed{12, 4'000'000'000U});
  CHECK(c.round == 12);
  CHECK(c.degree == 4'000'000'000U);
  CHECK(reloaded(received{9}).round == 9);
}

TEST_CASE("wire: leaving and heartbeat carry nothing") {
  CHECK(bytes_of(leaving{}).empty());
  CHECK(bytes_of(heartbeat{}).empty());
  leaving l;
  CHECK_FALSE(load({}, l));
  heartbeat h;
  CHECK_FALSE(load({}, h));
}

TEST_CASE("wire: a threshold comes back with its edge, or without one") {
  const auto link = make_edge(worker_id{3}, worker_id{9});
  const auto with = reloaded(threshold_message{{1ULL << 63, 5, 6, link}, nanoseconds{-7}});
  CHECK(with.body.generation == 1ULL << 63);
  CHECK(with.body.sweep == 5);
  CHECK(with.body.round == 6);
  REQUIRE(with.body.covered);
  CHECK(*with.body.covered == link);
  CHECK(with.passed_on == nanoseconds{-7});

  auto held = with;
  REQUIRE_FALSE(load(bytes_of(threshold_message{{1, 2, 3, std::nullopt}, nanoseconds{4}}), held));
  CHECK_FALSE(held.body.covered);
  CHECK(held.passed_on == nanoseconds{4});
}

TEST_CASE("wire: membership facts come back in order, none at all come back as an empty list") {
  const std::vector<fact> facts{{worker_id{0}, worker_id{0}, 1, false},
                                {worker_id{1}, worker_id{2}, ~0ULL, true}};
  const auto copy = reloaded(news_of(facts));
  REQUIRE(copy.facts);
  CHECK(*copy.facts == facts);
  CHECK(reloaded(membership_news{}).facts->empty());
}

TEST_CASE("parameter_block: travels as a count and its floats in one piece") {
  const auto block = block_of({0.25F, -3, 1e30F});
  const auto wire = bytes_of(block);
  REQUIRE(wire.size() == 8 + 3 * 4);
  CHECK(std::memcmp(wire.data() + 8, block.values().data(), 12) == 0);
  CHECK(std::equal(wire.begin(), wire.begin() + 8, numbers(std::uint64_t{3}).begin()));
  CHECK(bytes_of(parameter_block{}) == numbers(std::uint64_t{0}));
  const auto large = parameter_block{std::make_shared<float_buffer>(100'000)};
  CHECK(bytes_of(large).size() == 8 + 4 * 100'000);
}

TEST_CASE("parameter_block: a block of no floats loads as none") {
  auto held = block_of({1});
  REQUIRE_FALSE(load(numbers(std::uint64_t{0}), held));
  CHECK_FALSE(held);
}

TEST_CASE("parameter_block: a message within the process holds the sender's block, not a copy") {
  const auto block = block_of({1, 2, 3});
  const auto sent = caf::make_message(worker_id{1}, estimate_message{{1, true}, block});
  const auto second = sent; // as for a second receiver
  CHECK(second.get_as<estimate_message>(1).parameters.values().data() == block.values().data());
}

TEST_CASE("wire: whole messages between processes come back with their types") {
  caf::actor_system_config config;
  config.add_message_types<caf::id_block::dybw>();
  caf::actor_system system{config};
  const auto check = [&](const caf::message& sent, auto matches) {
    bytes wire;
    caf::binary_serializer sink{system, wire};
    REQUIRE_FALSE(sink(const_cast<caf::message&>(sent)));
    caf::message copy;
    caf::binary_deserializer source{system, wire.data(), wire.size()};
    REQUIRE_FALSE(source(copy));
    CHECK(source.remaining() == 0);
    CHECK(matches(copy));
  };
  check(caf::make_message(worker_id{3}, estimate_message{{2, true}, block_of({1, 2})}), [](const auto& m) {
    return m.template match_elements<worker_id, estimate_message>() &&
           m.template get_as<worker_id>(0) == worker_id{3} &&
           m.template get_as<estimate_message>(1).parameters == block_of({1, 2});
  });
  check(caf::make_message(worker_id{3}, accept{2}),
        [](const auto& m) { return m.template match_elements<worker_id, accept>(); });
  check(caf::make_message(worker_id{3}, closed{2, 1}),
        [](const auto& m) { return m.template match_elements<worker_id, closed>(); });
  check(caf::make_message(worker_id{3}, threshold_message{}),
        [](const auto& m) { return m.template match_elements<worker_id, threshold_message>(); });
  check(caf::make_message(worker_id{3}, leaving{}),
        [](const auto& m) { return m.template match_elements<worker_id, leaving>(); });
  check(caf::make_message(worker_id{3}, news_of({{worker_id{0}, worker_id{1}, 1, false}})),
        [](const auto& m) { return m.template get_as<membership_news>(1).facts->size() == 1; });
  check(caf::make_message(worker_id{3}, received{2}),
        [](const auto& m) { return m.template match_elements<worker_id, received>(); });
  check(caf::make_message(worker_id{3}, heartbeat{}),
        [](const auto& m) { return m.template match_elements<worker_id, heartbeat>(); });
}

TEST_CASE("wire: blocks and facts print as their size, not their content") {
  CHECK(to_string(block_of({1, 2})) == "2 float32");
  CHECK(to_string(parameter_block{}) == "0 float32");
  CHECK(to_string(news_of({{}, {}, {}})) == "3 facts");
  CHECK(to_string(membership_news{}) == "0 facts");
}

TEST_CASE("ec: each code has a sentence of its own") {
  std::set<std::string> sentences;
  for (const auto code : {ec::none, ec::oversized, ec::truncated, static_cast<ec>(200)}) {
    const auto sentence = to_string(code);
    CHECK(sentence.size() > 5);
    CHECK(sentence.find('\n') == std::string::npos);
    sentences.insert(sentence);
  }
  CHECK(sentences.size() == 4);
}

TEST_CASE("ec: an error keeps its code, its category and what it was about") {
  const auto error = make_error(ec::oversized, "parameters");
  CHECK(is(error, ec::oversized));
  CHECK(caf::to_string(error).find("parameters") != std::string::npos);
}

} // namespace dybw::test
