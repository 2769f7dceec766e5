#include "learning/coding/block_coder.hpp"

#include <Eigen/Core>

#include <bit>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace dybw {

namespace {

/// Parameters that share a scale, and are coded at once: they stay in the L1 cache.
constexpr std::size_t piece_size = 1024;

constexpr std::size_t pieces_of(std::size_t count) {
  return (count + piece_size - 1) / piece_size;
}

template <class Half>
using halves = Eigen::Map<Eigen::Array<Half, Eigen::Dynamic, 1>>;
using floats = Eigen::Map<Eigen::Array<float, Eigen::Dynamic, 1>>;
using const_floats = Eigen::Map<const Eigen::Array<float, Eigen::Dynamic, 1>>;

/// Calls `code(first, size)` for each piece.
template <class Code>
void for_each_piece(std::size_t count, const Code& code) {
  for (std::size_t first = 0; first < count; first += piece_size)
    code(first, std::min(piece_size, count - first));
}

template <class Half>
void decode_halves(const Half* words, std::size_t count, float* values) {
  floats(values, static_cast<Eigen::Index>(count)) =
      Eigen::Map<const Eigen::Array<Half, Eigen::Dynamic, 1>>(words, static_cast<Eigen::Index>(count))
          .template cast<float>();
}

template <class Half>
void encode_halves(std::span<const float> in, Half* words, float* values) {
  static const auto most = static_cast<float>(std::numeric_limits<Half>::max());
  std::array<float, piece_size> piece;
  for_each_piece(in.size(), [&](std::size_t first, std::size_t size) {
    for (std::size_t k = 0; k < size; ++k) { // in this form what is no number stays none
      const auto x = in[first + k];
      piece[k] = x > most ? most : x < -most ? -most : x;
    }
    const auto n = static_cast<Eigen::Index>(size);
    halves<Half>(words + first, n) = const_floats(piece.data(), n).template cast<Half>();
    decode_halves(words + first, size, values + first);
  });
}

/// The change of a piece in scales. A power of two times a whole number is exact, so that both ends add the
/// same, with or without a fused multiplication.
void decode_change(const float* base, float scale, const std::int8_t* codes, std::size_t size,
                   float* values) {
  for (std::size_t k = 0; k < size; ++k)
    values[k] = base[k] + static_cast<float>(codes[k]) * scale;
}

/// The smallest power of two of which 127 reach as far as `largest`, whose bits these are; 0 for 0.
float scale_for(std::uint32_t largest) {
  constexpr std::uint32_t infinite = 0x7f800000;
  if (largest == 0)
    return 0;
  if (largest >= infinite)
    return std::numeric_limits<float>::quiet_NaN();
  int exponent = 0;
  const auto fraction = std::frexp(std::bit_cast<float>(largest) / 127, &exponent);
  constexpr auto least = std::numeric_limits<float>::min_exponent - 1; // its inverse must be a number
  return std::ldexp(1.0F, std::max(fraction == 0.5F ? exponent - 1 : exponent, least));
}

float encode_change(const float* in, const float* base, std::size_t size, std::int8_t* codes) {
  std::array<float, piece_size> change;
  std::uint32_t largest = 0; // bits of floats without a sign are in the order of what they stand for
  for (std::size_t k = 0; k < size; ++k) {
    change[k] = in[k] - base[k];
    largest = std::max(largest, std::bit_cast<std::uint32_t>(change[k]) & 0x7fffffffU);
  }
  const auto scale = scale_for(largest);
  if (!(scale > 0)) {
    std::fill_n(codes, size, std::int8_t{0});
    return scale;
  }
  const auto inverse = 1 / scale;
  constexpr auto to_whole = 12582912.0F; // 1.5 * 2^23: added, and taken away again, it rounds
  for (std::size_t k = 0; k < size; ++k)
    codes[k] = static_cast<std::int8_t>((change[k] * inverse + to_whole) - to_whole);
  return scale;
}

/// Of a change: the scales come first.
template <class Word>
auto codes_in(std::span<Word> words, std::size_t count) {
  using code = std::conditional_t<std::is_const_v<Word>, const std::int8_t, std::int8_t>;
  return reinterpret_cast<code*>(words.data() + pieces_of(count));
}

} // namespace

std::size_t coded_words(block_format format, std::size_t count, bool is_change) noexcept {
  switch (format) {
  case block_format::float16:
  case block_format::bfloat16:
    return (count + 1) / 2;
  case block_format::int8:
    return is_change ? pieces_of(count) + (count + 3) / 4 : count;
  case block_format::float32:
    break;
  }
  return count;
}

block_coder::coded block_coder::encode(const parameter_block& values, const parameter_block& base) {
  const auto in = values.values();
  assert(in.size() == count_);
  if (format_ == block_format::float32 || (codes_changes() && !base))
    return {values, values};
  auto words = words_.acquire();
  auto made = values_.acquire();
  const auto out = made->values();
  const auto to = words->values();
  std::memset(&to.back(), 0, sizeof(float)); // it may be longer than what it ends with
  if (format_ == block_format::float16) {
    encode_halves(in, reinterpret_cast<Eigen::half*>(to.data()), out.data());
  } else if (format_ == block_format::bfloat16) {
    encode_halves(in, reinterpret_cast<Eigen::bfloat16*>(to.data()), out.data());
  } else {
    const auto from = base.values();
    auto* const codes = codes_in(to, count_);
    for_each_piece(count_, [&](std::size_t first, std::size_t size) {
      const auto scale = encode_change(in.data() + first, from.data() + first, size, codes + first);
      to[first / piece_size] = scale;
      decode_change(from.data() + first, scale, codes + first, size, out.data() + first);
    });
  }
  return {parameter_block{std::move(words)}, parameter_block{std::move(made)}};
}

parameter_block block_coder::decode(const parameter_block& words, const parameter_block& base) {
  const auto in = words.values();
  if (in.size() != coded_words(format_, count_, bool{base}))
    return {};
  if (format_ == block_format::float32 || (codes_changes() && !base))
    return words;
  auto made = values_.acquire();
  const auto out = made->values();
  if (format_ == block_format::float16) {
    decode_halves(reinterpret_cast<const Eigen::half*>(in.data()), count_, out.data());
  } else if (format_ == block_format::bfloat16) {
    decode_halves(reinterpret_cast<const Eigen::bfloat16*>(in.data()), count_, out.data());
  } else {
    const auto from = base.values();
    const auto* const codes = codes_in(in, count_);
    for_each_piece(count_, [&](std::size_t first, std::size_t size) {
      decode_change(from.data() + first, in[first / piece_size], codes + first, size, out.data() + first);
    });
  }
  return parameter_block{std::move(made)};
}

} // namespace dybw
