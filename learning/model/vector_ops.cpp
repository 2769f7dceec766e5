#include "learning/model/vector_ops.hpp"

#include "learning/base/random.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>

namespace dybw {

namespace {

constexpr std::size_t block_size = 1024; ///< elements: 4 KiB of float32, a fraction of the L1 cache

double total(const lane_sums& lanes) {
  auto sums = lanes;
  for (auto width = lane_count / 2; width > 0; width /= 2)
    for (std::size_t k = 0; k < width; ++k)
      sums[k] += sums[k + width];
  return sums[0];
}

/// Adds the products x(0) y(0) .. x(count-1) y(count-1).
template <class X, class Y>
void add_products(std::size_t count, const X& x, const Y& y, lane_sums& lanes) {
  std::size_t first = 0;
  for (; first + lane_count <= count; first += lane_count)
    for (std::size_t k = 0; k < lane_count; ++k)
      lanes[k] += x(first + k) * y(first + k);
  for (auto k = first; k < count; ++k)
    lanes[k - first] += x(k) * y(k);
}

template <class Value>
void add_squares(std::size_t count, const Value& value, lane_sums& lanes) {
  add_products(count, value, value, lanes);
}

void add_squared_differences(std::span<const float> x, std::span<const float> y, lane_sums& lanes) {
  add_squares(
      x.size(), [&](std::size_t k) { return static_cast<double>(x[k]) - static_cast<double>(y[k]); }, lanes);
}

/// `x` with its sign flipped where bit `k` of `signs` is set.
float flipped(float x, std::uint32_t signs, std::uint32_t k) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) ^ ((signs << (31U - k)) & 0x80000000U));
}

/// One block of a mix, `first` its place in the vectors. `own` is w~_j's, apart from `out`.
void mix_block(std::span<const float> own, std::span<const mix_input> neighbours, std::size_t first,
               float* out) {
  const auto* so_far = own.data();
  const auto part = [&](const mix_input& n) { return n.estimate.data() + first; };
  const auto weight = [](const mix_input& n) { return static_cast<float>(n.weight); };
  const auto mine = [&](const mix_input& n) { return n.own.empty() ? own.data() : n.own.data() + first; };
  auto left = neighbours;
  for (; left.size() >= 2; left = left.subspan(2)) { // two at a time: half the traffic to `out`
    const auto *const x = part(left[0]), *const y = part(left[1]);
    const auto p = weight(left[0]), q = weight(left[1]);
    if (!left[0].own.empty() || !left[1].own.empty()) {
      const auto *const a = mine(left[0]), *const b = mine(left[1]);
#pragma GCC ivdep
      for (std::size_t k = 0; k < own.size(); ++k)
        out[k] = so_far[k] + p * (x[k] - a[k]) + q * (y[k] - b[k]);
      so_far = out;
      continue;
    }
#pragma GCC ivdep
    for (std::size_t k = 0; k < own.size(); ++k)
      out[k] = so_far[k] + p * (x[k] - own[k]) + q * (y[k] - own[k]);
    so_far = out;
  }
  if (!left.empty()) {
    const auto *const x = part(left[0]), *const a = mine(left[0]);
    const auto p = weight(left[0]);
#pragma GCC ivdep
    for (std::size_t k = 0; k < own.size(); ++k)
      out[k] = so_far[k] + p * (x[k] - a[k]);
  } else if (neighbours.empty()) {
    std::copy_n(own.data(), own.size(), out);
  }
}

/// `mix(block of own, its place)` writes that block of `out`, whose witness is taken while it is in cache.
template <class Mix>
mix_witness witnessed(std::span<const float> own, std::span<const float> out, const sign_projection& project,
                      const Mix& mix) {
  assert(out.size() == own.size());
  lane_sums before{};
  lane_sums squares{};
  lane_sums after{};
  for (std::size_t first = 0; first < own.size(); first += block_size) {
    const auto count = std::min(block_size, own.size() - first);
    const auto block = own.subspan(first, count);
    project.add(block, first, before);
    add_squares(
        count, [&](std::size_t k) { return static_cast<double>(block[k]); }, squares);
    mix(block, first);
    project.add(out.subspan(first, count), first, after);
  }
  return {total(before), std::sqrt(total(squares)), total(after)};
}

} // namespace

void mix_estimates(std::span<const float> own, std::span<const mix_input> neighbours, std::span<float> out) {
  assert(out.size() == own.size());
  std::array<float, block_size> own_block; // every term uses w~_j, which `out` may overwrite
  for (std::size_t first = 0; first < own.size(); first += block_size) {
    const auto count = std::min(block_size, own.size() - first);
    std::copy_n(own.data() + first, count, own_block.data());
    mix_block(std::span{own_block}.first(count), neighbours, first, out.data() + first);
  }
}

void add_difference(std::span<const float> base, std::span<const float> x, std::span<const float> y,
                    double weight, std::span<float> out) {
  assert(x.size() == base.size() && y.size() == base.size() && out.size() == base.size());
  const auto p = static_cast<float>(weight);
#pragma GCC ivdep
  for (std::size_t k = 0; k < out.size(); ++k)
    out[k] = base[k] + p * (x[k] - y[k]);
}

double cosine_between(std::span<const float> x_origin, std::span<const float> x,
                      std::span<const float> y_origin, std::span<const float> y) {
  assert(x.size() == x_origin.size() && y.size() == x.size() && y_origin.size() == x.size());
  lane_sums products{};
  lane_sums x_squares{};
  lane_sums y_squares{};
  for (std::size_t first = 0; first < x.size(); first += block_size) {
    const auto count = std::min(block_size, x.size() - first);
    const auto way = [&](std::span<const float> from, std::span<const float> to) {
      return [to = to.data() + first, from = from.data() + first](std::size_t k) {
        return static_cast<double>(to[k]) - static_cast<double>(from[k]);
      };
    };
    add_products(count, way(x_origin, x), way(y_origin, y), products);
    add_squares(count, way(x_origin, x), x_squares);
    add_squares(count, way(y_origin, y), y_squares);
  }
  const auto sizes = std::sqrt(total(x_squares)) * std::sqrt(total(y_squares));
  return sizes > 0 ? std::clamp(total(products) / sizes, -1.0, 1.0) : 0;
}

sign_projection::sign_projection(std::uint64_t seed, std::size_t parameter_count)
    : signs_((parameter_count + 63) / 64) {
  const auto key = split_mix(split_mix(seed) + static_cast<std::uint64_t>(random_stream::projection));
  for (std::size_t k = 0; k < signs_.size(); ++k)
    signs_[k] = split_mix(key + k);
}

void sign_projection::add(std::span<const float> x, std::size_t at, lane_sums& lanes) const {
  assert(at % lane_count == 0);
  std::size_t first = 0;
  for (; first + lane_count <= x.size(); first += lane_count) {
    const auto* const values = x.data() + first;
    const auto signs = static_cast<std::uint32_t>(signs_[(at + first) / 64] >> ((at + first) % 64));
    for (std::uint32_t k = 0; k < lane_count; ++k)
      lanes[k] += static_cast<double>(flipped(values[k], signs, k));
  }
  for (auto i = first; i < x.size(); ++i) {
    const auto signs = static_cast<std::uint32_t>(signs_[(at + i) / 64] >> ((at + first) % 64));
    lanes[i - first] += static_cast<double>(flipped(x[i], signs, static_cast<std::uint32_t>(i - first)));
  }
}

double sign_projection::operator()(std::span<const float> x) const {
  assert((x.size() + 63) / 64 == signs_.size());
  lane_sums lanes{};
  add(x, 0, lanes);
  return total(lanes);
}

mix_witness mix_with_witness(std::span<const float> own, std::span<const mix_input> neighbours,
                             std::span<float> out, const sign_projection& project) {
  return witnessed(own, out, project, [&](std::span<const float> block, std::size_t first) {
    mix_block(block, neighbours, first, out.data() + first);
  });
}

difference_witness add_difference_with_witness(std::span<const float> base, std::span<const float> x,
                                               std::span<const float> y, double weight, std::span<float> out,
                                               const sign_projection& project) {
  lane_sums apart{};
  const auto seen = witnessed(base, out, project, [&](std::span<const float> block, std::size_t first) {
    const auto x_block = x.subspan(first, block.size());
    const auto y_block = y.subspan(first, block.size());
    add_difference(block, x_block, y_block, weight, out.subspan(first, block.size()));
    add_squared_differences(x_block, y_block, apart);
  });
  return {seen, std::sqrt(total(apart))};
}

vector_witness add_moves(std::span<float> c, std::span<const float> own,
                         std::span<const mix_input> neighbours, double rate, const sign_projection& project) {
  assert(c.size() == own.size());
  lane_sums projection{};
  lane_sums squares{};
  for (std::size_t first = 0; first < c.size(); first += block_size) {
    const auto block = c.subspan(first, std::min(block_size, c.size() - first));
    auto* const sum = block.data();
    for (const auto& n : neighbours) {
      const auto* const x = n.estimate.data() + first;
      const auto* const y = (n.own.empty() ? own : n.own).data() + first;
      const auto p = static_cast<float>(rate * n.weight);
#pragma GCC ivdep
      for (std::size_t k = 0; k < block.size(); ++k)
        sum[k] += p * (x[k] - y[k]);
    }
    project.add(block, first, projection);
    add_squares(
        block.size(), [&](std::size_t k) { return static_cast<double>(sum[k]); }, squares);
  }
  return {total(projection), std::sqrt(total(squares))};
}

void add_scaled(std::span<const float> x, double factor, std::span<float> out) {
  assert(x.size() == out.size());
  const auto p = static_cast<float>(factor);
#pragma GCC ivdep
  for (std::size_t k = 0; k < out.size(); ++k)
    out[k] += p * x[k];
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

double distance_between(std::span<const float> x, std::span<const float> y) {
  assert(x.size() == y.size());
  lane_sums squares{};
  add_squared_differences(x, y, squares);
  return std::sqrt(total(squares));
}

} // namespace dybw
