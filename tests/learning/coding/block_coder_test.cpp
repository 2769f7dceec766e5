#include "learning/base/random.hpp"
#include "learning/coding/block_coder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace dybw {

namespace {

constexpr auto infinity = std::numeric_limits<float>::infinity();

std::vector<float> drawn(std::size_t count, std::uint64_t seed, float size = 1) {
  std::vector<float> x(count);
  for (std::size_t i = 0; i < count; ++i) // uniform in [-size, size)
    x[i] = size * (static_cast<float>(split_mix(seed + i) >> 40U) / static_cast<float>(1U << 23U) - 1);
  return x;
}

bool same_bits(const parameter_block& x, const parameter_block& y) {
  return x.values().size() == y.values().size() &&
         std::memcmp(x.values().data(), y.values().data(), x.values().size_bytes()) == 0;
}

double farthest(std::span<const float> x, std::span<const float> y) {
  double farthest = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    farthest = std::max(farthest, std::abs(static_cast<double>(x[i]) - static_cast<double>(y[i])));
  return farthest;
}

/// As it comes out at an end that is another object in another process.
parameter_block other_end(block_format format, std::size_t count, const parameter_block& words,
                          const parameter_block& base = {}) {
  block_coder coder{format, count};
  return coder.decode(copy_of(words.values()), base);
}

} // namespace

TEST_CASE("block_coder: both ends have the same values, bit for bit, at every size") {
  for (const auto format :
       {block_format::float32, block_format::float16, block_format::bfloat16, block_format::int8})
    for (const std::size_t count : {1U, 2U, 3U, 5U, 1023U, 1024U, 1025U, 7850U}) {
      CAPTURE(to_string(format));
      CAPTURE(count);
      block_coder coder{format, count};
      const auto first = copy_of(drawn(count, 1));
      const auto whole = coder.encode(first, {});
      CHECK(whole.words.values().size() == coded_words(format, count, false));
      CHECK(same_bits(other_end(format, count, whole.words), whole.values));
      if (!coder.codes_changes())
        continue;
      auto next = drawn(count, 2, 1e-3F);
      for (std::size_t i = 0; i < count; ++i)
        next[i] += first.values()[i];
      const auto change = coder.encode(copy_of(next), whole.values);
      CHECK(change.words.values().size() == coded_words(format, count, true));
      CHECK(same_bits(other_end(format, count, change.words, whole.values), change.values));
    }
}

TEST_CASE("block_coder: half of the bytes, and a quarter") {
  constexpr std::size_t count = 1'000'000;
  const auto share = [](block_format format) {
    return static_cast<double>(coded_words(format, count, true)) / count;
  };
  CHECK(share(block_format::float32) == 1);
  CHECK(share(block_format::float16) == 0.5);
  CHECK(share(block_format::bfloat16) == 0.5);
  CHECK(share(block_format::int8) < 0.252);
}

TEST_CASE("block_coder: how near it comes") {
  constexpr std::size_t count = 5000;
  const auto in = copy_of(drawn(count, 3));
  CHECK(farthest(block_coder(block_format::float16, count).encode(in, {}).values.values(), in.values()) <=
        std::ldexp(1.0, -12));
  CHECK(farthest(block_coder(block_format::bfloat16, count).encode(in, {}).values.values(), in.values()) <=
        std::ldexp(1.0, -9));
  CHECK(same_bits(block_coder(block_format::int8, count).encode(in, {}).values, in));
}

TEST_CASE("block_coder: changes of what is left come as near as float32 does") {
  constexpr std::size_t count = 3000;
  block_coder coder{block_format::int8, count};
  const auto in = copy_of(drawn(count, 4));
  auto known = copy_of(drawn(count, 5));
  auto apart = farthest(known.values(), in.values());
  for (int i = 0; i < 5; ++i) {
    known = coder.encode(in, known).values;
    const auto now = farthest(known.values(), in.values());
    CHECK(now <= std::max(apart / 100, 1e-7));
    apart = now;
  }
}

TEST_CASE("block_coder: one large change leaves those of other pieces as fine as they are") {
  constexpr std::size_t count = 3 * 1024;
  block_coder coder{block_format::int8, count};
  const auto base = copy_of(std::vector<float>(count, 0));
  auto in = drawn(count, 6, 1e-3F);
  in[1500] = 1e6F;
  const auto made = coder.encode(copy_of(in), base).values;
  const std::span all{in};
  CHECK(farthest(made.values().first(1024), all.first(1024)) < 1e-5);
  CHECK(farthest(made.values().last(1024), all.last(1024)) < 1e-5);
  CHECK(std::abs(made.values()[1500] / 1e6F - 1) < 1e-2);
}

TEST_CASE("block_coder: values out of range become the largest there are, and what is no number stays none") {
  const std::vector<float> in{1e30F, -1e30F, infinity, -infinity, std::nanf(""), 1e-30F, 0, -0.0F};
  for (const auto format : {block_format::float16, block_format::bfloat16}) {
    block_coder coder{format, in.size()};
    const auto out = coder.encode(copy_of(in), {}).values;
    for (std::size_t i = 0; i < 4; ++i) {
      CAPTURE(i);
      CHECK(std::isfinite(out.values()[i]));
      CHECK(std::signbit(out.values()[i]) == (i % 2 == 1));
    }
    CHECK(std::isnan(out.values()[4]));
    CHECK(std::abs(out.values()[5]) < 1e-29F);
    CHECK(out.values()[6] == 0);
    CHECK(std::signbit(out.values()[7]));
  }
  block_coder coder{block_format::int8, in.size()};
  const auto base = copy_of(std::vector<float>(in.size(), 1));
  const auto out = coder.encode(copy_of(in), base);
  for (const auto x : out.values.values())
    CHECK(std::isnan(x)); // they would be in no estimate that goes on
  CHECK(same_bits(other_end(block_format::int8, in.size(), out.words, base), out.values));
}

TEST_CASE("block_coder: the smallest and the largest changes there are") {
  for (const auto size : {1e-45F, 1e-38F, 1e-30F, 1.0F, 1e30F, 3e38F}) {
    CAPTURE(size);
    const std::vector<float> in{size, -size, size / 2, 0};
    block_coder coder{block_format::int8, in.size()};
    const auto base = copy_of(std::vector<float>(in.size(), 0));
    const auto out = coder.encode(copy_of(in), base);
    CHECK(same_bits(other_end(block_format::int8, in.size(), out.words, base), out.values));
    CHECK(farthest(out.values.values(), in) <= std::max(static_cast<double>(size) / 120, 1e-36));
  }
}

TEST_CASE("block_coder: a block of another size is none") {
  block_coder coder{block_format::float16, 10};
  CHECK_FALSE(coder.decode(copy_of(std::vector<float>(10)), {}));
  CHECK_FALSE(coder.decode({}, {}));
  block_coder changes{block_format::int8, 4096};
  const auto base = copy_of(std::vector<float>(4096));
  CHECK_FALSE(changes.decode(base, base)); // whole, but said to be a change
  CHECK_FALSE(changes.decode(copy_of(std::vector<float>(coded_words(block_format::int8, 4096, true))), {}));
}

TEST_CASE("block_coder: memory is used again") {
  block_coder coder{block_format::int8, 2048};
  const auto base = copy_of(std::vector<float>(2048));
  const auto* first = coder.encode(base, base).words.values().data();
  for (int i = 0; i < 3; ++i)
    CHECK(coder.encode(base, base).words.values().data() == first);
}

} // namespace dybw
