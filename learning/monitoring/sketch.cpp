#include "learning/monitoring/sketch.hpp"

#include "learning/base/random.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace dybw {

namespace {

constexpr std::size_t word_bits = 64;

/// Adds x, one sign each from the bits of `words`, to as many sums.
void add_signed(std::span<const float> x, std::uint64_t word, std::span<double> sums) {
  for (std::size_t i = 0; i < x.size(); ++i)
    sums[i] += (word >> i & 1U) != 0 ? x[i] : -x[i];
}

double squared_norm(std::span<const double> x) {
  double sum = 0;
  for (auto v : x)
    sum += v * v;
  return sum;
}

} // namespace

void sketch_projection::operator()(std::span<const float> x, std::span<double> sketch) const {
  assert(x.size() == dimension_ && sketch.size() == buckets);
  std::fill(sketch.begin(), sketch.end(), 0);
  const auto key = split_mix(seed_ + static_cast<std::uint64_t>(random_stream::sketch));
  for (std::size_t at = 0; at < x.size(); at += word_bits) {
    const auto block = at / buckets;
    const auto turn = split_mix(key ^ split_mix(block)) % buckets;
    const auto to = (at + turn) % buckets;
    const auto part = x.subspan(at, std::min(word_bits, x.size() - at));
    const auto first = std::min(part.size(), buckets - to);
    const auto word = split_mix(key + at);
    add_signed(part.first(first), word, sketch.subspan(to, first));
    if (first < part.size()) // around the end
      add_signed(part.subspan(first), word >> first, sketch.first(part.size() - first));
  }
}

void sketch_sums::add(std::span<const double> sketch) {
  add(sketch, squared_norm(sketch), 1);
}

void sketch_sums::add(const sketch_sums& other) {
  if (other.estimates > 0)
    add(other.sum, other.squared_norms, other.estimates);
}

void sketch_sums::add(std::span<const double> x, double squared, std::uint32_t count) {
  if (sum.empty())
    sum.resize(x.size());
  if (sum.size() != x.size())
    return;
  for (std::size_t i = 0; i < x.size(); ++i)
    sum[i] += x[i];
  squared_norms += squared;
  estimates += count;
}

std::optional<double> sketch_sums::consensus_distance() const {
  if (estimates == 0)
    return std::nullopt;
  const auto n = static_cast<double>(estimates);
  // Rounding may leave a little less than nothing.
  return std::max(squared_norms / n - squared_norm(sum) / (n * n), 0.0);
}

std::optional<double> sketch_sums::mean_norm() const {
  if (estimates == 0)
    return std::nullopt;
  return std::sqrt(squared_norm(sum)) / static_cast<double>(estimates);
}

} // namespace dybw
