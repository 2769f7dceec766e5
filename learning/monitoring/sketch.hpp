#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace dybw {

/// A count sketch (Charikar, Chen, Farach-Colton: Finding frequent items in data streams, ICALP 2002) of
/// parameter vectors: every coordinate is added, with a random sign, to one of `buckets` sums. It is linear,
/// so sketches of estimates add up to that of their sum, and |sketch(v)|^2 is |v|^2 in expectation. The
/// relative standard deviation is at most about sqrt(2 / buckets), 4.4 %, for vectors whose squares are
/// spread over the buckets, and 0 for vectors of at most `buckets` coordinates, which each get a bucket of
/// their own. Every block of `buckets` coordinates is rotated by a random amount, so that no pattern of the
/// model's layers falls into few buckets. Immutable; any number of threads may use one.
class sketch_projection {
public:
  static constexpr std::size_t buckets = 1024;

  /// Two of the same seed and dimension are the same, on any machine.
  sketch_projection(std::uint64_t seed, std::size_t dimension) : seed_(seed), dimension_(dimension) {}

  std::size_t dimension() const noexcept { return dimension_; }

  /// The sketch of x, [buckets]. REQUIRES: x.size() == dimension(), sketch.size() == buckets.
  void operator()(std::span<const float> x, std::span<double> sketch) const;

private:
  std::uint64_t seed_;
  std::size_t dimension_;
};

/// What the sketches of several estimates add up to: enough for their consensus distance and the norm of
/// their mean, whatever processes they come from. Doubles, because the distance is a small difference of
/// large sums.
struct sketch_sums {
  std::uint32_t estimates = 0;
  std::vector<double> sum;  ///< [buckets], or empty
  double squared_norms = 0; ///< sum of |sketch|^2

  void add(std::span<const double> sketch);
  /// Sums of different lengths, which come from other programs only, are not added.
  void add(const sketch_sums& other);

  /// Mean over the estimates of |x_i - mean|^2; nothing without estimates.
  std::optional<double> consensus_distance() const;
  /// |mean of the estimates|.
  std::optional<double> mean_norm() const;

private:
  void add(std::span<const double> x, double squared, std::uint32_t count);
};

} // namespace dybw
