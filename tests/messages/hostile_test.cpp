#include "tests/messages/allocations.hpp"
#include "tests/messages/wire_bytes.hpp"

#include <doctest/doctest.h>

#include <random>

namespace dybw::test {

namespace {

/// More than any of these loads needs; far below what a believed count would ask for.
constexpr std::size_t little_bytes = 4096;

/// Loads a `T` and returns the error; nothing large may have been allocated on the way.
template <class T>
caf::error load_cheaply(const bytes& in) {
  T value{};
  const allocation_watch watch;
  auto error = load(in, value);
  CHECK(watch.largest_bytes() <= little_bytes);
  return error;
}

bytes operator+(bytes x, const bytes& y) {
  x.insert(x.end(), y.begin(), y.end());
  return x;
}

/// Every way to cut the value's bytes short must be an error.
template <class T>
void check_cuts(const T& value) {
  const auto whole = bytes_of(value);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    CHECK(load_cheaply<T>(bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length))));
  }
}

void mutate(bytes& wire, std::mt19937_64& generator) {
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(generator() % n); };
  for (auto changes = 1 + below(4); changes > 0; --changes) {
    const auto kind = below(5);
    if (kind == 0 && !wire.empty())
      wire.resize(below(wire.size()));
    else if (kind == 1)
      wire.insert(wire.begin() + static_cast<std::ptrdiff_t>(below(wire.size() + 1)),
                  static_cast<char>(generator()));
    else if (kind == 2 && !wire.empty())
      wire[below(wire.size())] ^= static_cast<char>(1 << below(8));
    else if (kind == 3 && !wire.empty())
      wire[below(wire.size())] = static_cast<char>(below(2) == 0 ? 0x00 : 0xff);
    else if (!wire.empty())
      wire[below(wire.size())] = static_cast<char>(generator());
  }
}

/// Whatever loads is a value as good as any other: it can be saved, and read again.
template <class T>
void check_mutations(const T& value, std::uint64_t seed) {
  std::mt19937_64 generator{seed};
  const auto whole = bytes_of(value);
  std::size_t loaded = 0;
  std::size_t refused = 0;
  std::size_t broken = 0;
  std::size_t largest = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto wire = whole;
    mutate(wire, generator);
    T copy{};
    {
      const allocation_watch watch;
      const auto error = load(wire, copy);
      largest = std::max(largest, watch.largest_bytes());
      if (error) {
        ++refused;
        continue;
      }
    }
    ++loaded;
    const auto again = bytes_of(copy);
    T twin{};
    if (load(again, twin) || bytes_of(twin) != again)
      ++broken;
  }
  CAPTURE(seed);
  CHECK(broken == 0);
  CHECK(loaded > 0);
  CHECK((whole.empty() ? refused == 0 : refused > 100));
  CHECK(largest <= little_bytes);
}

const estimate_message sample_estimate{{5, true}, block_of({1, 2, 3, 4, 5, 6, 7})};
const threshold_message sample_threshold{{1, 2, 3, make_edge(worker_id{0}, worker_id{1})}, nanoseconds{99}};
const membership_news sample_news =
    news_of({{worker_id{0}, worker_id{1}, 3, false}, {worker_id{2}, worker_id{2}, 1, true}});

} // namespace

TEST_CASE("allocation_watch: sees what operator new is asked for") {
  const allocation_watch watch;
  CHECK(watch.count() == 0);
  const auto block = parameter_block{std::make_shared<float_buffer>(100'000)};
  CHECK(watch.count() >= 2);
  CHECK(watch.largest_bytes() == 400'000);
}

TEST_CASE("parameter_block: a count beyond the limit is refused before anything is allocated") {
  for (const auto count : {parameters_max + 1, std::uint64_t{1} << 32, std::uint64_t{1} << 62,
                           std::uint64_t{1} << 63, ~std::uint64_t{0}, ~std::uint64_t{0} / 4 + 2}) {
    CAPTURE(count);
    CHECK(is(load_cheaply<parameter_block>(numbers(count) + bytes(64)), ec::oversized));
  }
}

TEST_CASE(
    "parameter_block: a count beyond the bytes that are there is refused before anything is allocated") {
  CHECK(is(load_cheaply<parameter_block>(numbers(parameters_max) + bytes(64)), ec::truncated));
  CHECK(is(load_cheaply<parameter_block>(numbers(std::uint64_t{17}) + bytes(64)), ec::truncated));
  CHECK(is(load_cheaply<parameter_block>(numbers(std::uint64_t{1}) + bytes(3)), ec::truncated));
  CHECK(is(load_cheaply<parameter_block>(numbers(std::uint64_t{1})), ec::truncated));
  CHECK_FALSE(load_cheaply<parameter_block>(numbers(std::uint64_t{16}) + bytes(64)));
}

TEST_CASE("parameter_block: a refused load leaves the receiver's block as it was") {
  auto held = block_of({4, 5});
  REQUIRE(load(numbers(std::uint64_t{1} << 40), held));
  CHECK(held.values().size() == 2);
}

TEST_CASE("estimate_message: a hostile count within a message is refused") {
  const auto head = numbers(std::uint64_t{1}, true, std::uint64_t{0}, std::uint64_t{0});
  CHECK(is(load_cheaply<estimate_message>(head + numbers(~std::uint64_t{0}) + bytes(32)), ec::oversized));
  CHECK(is(load_cheaply<estimate_message>(head + numbers(std::uint64_t{9}) + bytes(35)), ec::truncated));
}

TEST_CASE(
    "membership_news: a count beyond the bytes that are there is refused before anything is allocated") {
  CHECK(is(load_cheaply<membership_news>(numbers(~std::uint32_t{0})), ec::truncated));
  CHECK(is(load_cheaply<membership_news>(numbers(~std::uint32_t{0}) + bytes(1000)), ec::truncated));
  CHECK(is(load_cheaply<membership_news>(numbers(std::uint32_t{2}) + bytes(2 * 18 - 1)), ec::truncated));
  CHECK_FALSE(load_cheaply<membership_news>(numbers(std::uint32_t{2}) + bytes(2 * 18)));
}

TEST_CASE("wire: every message cut short at any byte is an error") {
  check_cuts(worker_id{1});
  check_cuts(sample_estimate);
  check_cuts(estimate_message{{5, false}, {}});
  check_cuts(accept{1});
  check_cuts(closed{1, 2});
  check_cuts(sample_threshold);
  check_cuts(threshold_message{});
  check_cuts(sample_news);
  check_cuts(membership_news{});
  check_cuts(received{1});
}

TEST_CASE("wire: 20,000 random mutations of every message neither crash nor allocate much, and what loads is "
          "sound") {
  check_mutations(worker_id{7}, 1);
  check_mutations(sample_estimate, 2);
  check_mutations(estimate_message{{5, false}, {}}, 3);
  check_mutations(accept{1}, 4);
  check_mutations(closed{1, 2}, 5);
  check_mutations(sample_threshold, 6);
  check_mutations(sample_news, 7);
  check_mutations(received{1}, 8);
  check_mutations(leaving{}, 9);
  check_mutations(heartbeat{}, 10);
}

} // namespace dybw::test
