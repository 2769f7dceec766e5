#include "learning/model/vector_ops.hpp"

#include "learning/random.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>

namespace dybw {

namespace {

constexpr std::size_t block_size = 1024; ///< elements: 4 KiB of float32, a fraction of the L1 cache

/// Double precision sums, one per lane, so that the compiler can add packets without changing the order of
/// the additions. 32 lanes fill eight AVX2 registers.
constexpr std::size_t lane_count = 32;
using lane_sums = std::array<double, lane_count>;

double total(const lane_sums& lanes) {
  auto sums = lanes;
  for (auto width = lane_count / 2; width > 0; width /= 2)
    for (std::size_t k = 0; k < width; ++k)
      sums[k] += sums[k + width];
  return sums[0];
}

/// Adds the squares of value(0) .. value(count-1).
template <class Value>
void add_squares(std::size_t count, const Value& value, lane_sums& lanes) {
  std::size_t first = 0;
  for (; first + lane_count <= count; first += lane_count)
    for (std::size_t k = 0; k < lane_count; ++k)
      lanes[k] += value(first + k) * value(first + k);
  for (auto k = first; k < count; ++k)
    lanes[k - first] += value(k) * value(k);
}

/// `x` with its sign flipped where bit `k` of `signs` is set.
float flipped(float x, std::uint32_t signs, std::uint32_t k) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) ^ ((signs << (31U - k)) & 0x80000000U));
}

} // namespace

void mix_estimates(std::span<const float> own, std::span<const mix_input> neighbours, std::span<float> out) {
  assert(out.size() == own.size());
  std::array<float, block_size> own_block; // every term uses w~_j, which `out` may overwrite
  for (std::size_t first = 0; first < own.size(); first += block_size) {
    const auto count = std::min(block_size, own.size() - first);
    auto* const result = out.data() + first;
    std::copy_n(own.data() + first, count, own_block.data());
    std::copy_n(own_block.data(), count, result);
    for (const auto& neighbour : neighbours) {
      assert(neighbour.estimate.size() == own.size());
      const auto* const estimate = neighbour.estimate.data() + first;
      const auto weight = static_cast<float>(neighbour.weight);
#pragma GCC ivdep
      for (std::size_t k = 0; k < count; ++k)
        result[k] += weight * (estimate[k] - own_block[k]);
    }
  }
}

sign_projection::sign_projection(std::uint64_t seed, std::size_t parameter_count)
    : signs_((parameter_count + 63) / 64) {
  const auto key = split_mix(split_mix(seed) + static_cast<std::uint64_t>(random_stream::projection));
  for (std::size_t k = 0; k < signs_.size(); ++k)
    signs_[k] = split_mix(key + k);
}

double sign_projection::operator()(std::span<const float> x) const {
  assert((x.size() + 63) / 64 == signs_.size());
  lane_sums lanes{};
  std::size_t first = 0;
  for (; first + lane_count <= x.size(); first += lane_count) {
    const auto* const values = x.data() + first;
    const auto signs = static_cast<std::uint32_t>(signs_[first / 64] >> (first % 64));
    for (std::uint32_t k = 0; k < lane_count; ++k)
      lanes[k] += static_cast<double>(flipped(values[k], signs, k));
  }
  for (auto i = first; i < x.size(); ++i) {
    const auto signs = static_cast<std::uint32_t>(signs_[i / 64] >> (first % 64));
    lanes[i - first] += static_cast<double>(flipped(x[i], signs, static_cast<std::uint32_t>(i - first)));
  }
  return total(lanes);
}

double average_and_consensus_distance(std::span<const std::span<const float>> vectors,
                                      std::span<float> mean) {
  assert(!vectors.empty());
  const auto share = 1.0 / static_cast<double>(vectors.size());
  std::array<double, block_size> block_mean;
  lane_sums squares{};
  for (std::size_t first = 0; first < mean.size(); first += block_size) {
    const auto count = std::min(block_size, mean.size() - first);
    std::fill_n(block_mean.begin(), count, 0.0);
    for (const auto& x : vectors) {
      assert(x.size() == mean.size());
      const auto* const values = x.data() + first;
#pragma GCC ivdep
      for (std::size_t k = 0; k < count; ++k)
        block_mean[k] += static_cast<double>(values[k]);
    }
    for (std::size_t k = 0; k < count; ++k) {
      block_mean[k] *= share;
      mean[first + k] = static_cast<float>(block_mean[k]);
    }
    for (const auto& x : vectors)
      add_squares(
          count, [&](std::size_t k) { return static_cast<double>(x[first + k]) - block_mean[k]; }, squares);
  }
  return total(squares) * share;
}

double norm(std::span<const float> x) {
  lane_sums squares{};
  add_squares(
      x.size(), [&](std::size_t k) { return static_cast<double>(x[k]); }, squares);
  return std::sqrt(total(squares));
}

} // namespace dybw
