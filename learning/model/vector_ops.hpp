#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dybw {

/// One neighbour's share in a mix.
struct mix_input {
  std::span<const float> estimate; ///< [parameter_count], q_i: w~_i as it has come here
  double weight = 0;               ///< P_ij in (0,1)
  std::span<const float> own{};    ///< [parameter_count], q_j: w~_j as it came there; empty: as it is
};

/// w_j = w~_j + sum_i P_ij (q_i - q_j), blockwise so that each block of the result stays in cache. The form
/// matters: the two ends of an edge add exactly opposite products of numbers that both know, so neither what
/// coding has made of the estimates nor rounding moves the mean of all systematically. `out` may be `own`;
/// otherwise the spans do not overlap. [parameter_count] each.
void mix_estimates(std::span<const float> own, std::span<const mix_input> neighbours, std::span<float> out);

/// out = base + weight * (x - y), [parameter_count] each; `out` overlaps none of the others. The ends of an
/// exchange, with x and y swapped, add exactly opposite values.
void add_difference(std::span<const float> base, std::span<const float> x, std::span<const float> y,
                    double weight, std::span<float> out);

/// Cosine of the angle between x - x_origin and y - y_origin, in double precision sums, in [-1,1]; 0 if one
/// of them is 0. [parameter_count] each.
double cosine_between(std::span<const float> x_origin, std::span<const float> x,
                      std::span<const float> y_origin, std::span<const float> y);

/// Double precision sums, one per lane, so that the compiler can add packets without changing the order of
/// the additions. 32 lanes fill eight AVX2 registers.
constexpr std::size_t lane_count = 32;
using lane_sums = std::array<double, lane_count>;

/// A seeded random projection to one number: the audit's independent witness. Entries are +1 or -1
/// (Rademacher; they keep norms in expectation, Achlioptas, JCSS 2003). Immutable, shared by all threads of a
/// process.
class sign_projection {
public:
  sign_projection(std::uint64_t seed, std::size_t parameter_count);
  /// sum_k s_k x_k, accumulated in double. REQUIRES: x.size() == parameter_count.
  double operator()(std::span<const float> x) const;
  /// Adds those of a part of a vector, the first being its entry `at`. REQUIRES: `at` and all parts' sizes
  /// but the last one's are multiples of `lane_count`.
  void add(std::span<const float> x, std::size_t at, lane_sums& lanes) const;

private:
  std::vector<std::uint64_t> signs_; ///< one bit per parameter
};

/// What the audit wants to know of a mix.
struct mix_witness {
  double projection_before = 0;
  double norm_before = 0;
  double projection_after = 0;
};

/// `mix_estimates` and its witness, each block looked at while it is in cache. `out` is not `own`.
mix_witness mix_with_witness(std::span<const float> own, std::span<const mix_input> neighbours,
                             std::span<float> out, const sign_projection& project);

struct difference_witness : mix_witness {
  double distance = 0; ///< |x - y|
};

/// `add_difference` and its witness, in the same way.
difference_witness add_difference_with_witness(std::span<const float> base, std::span<const float> x,
                                               std::span<const float> y, double weight, std::span<float> out,
                                               const sign_projection& project);

/// What the audit wants to know of a vector that averaging adds to.
struct vector_witness {
  double projection = 0;
  double norm = 0;
};

/// c += rate * sum_i P_ij (q_i - q_j), what a mix adds to `own`, in the same way: the two ends of an edge add
/// exactly opposite products. [parameter_count] each; `c` overlaps none of the others.
vector_witness add_moves(std::span<float> c, std::span<const float> own,
                         std::span<const mix_input> neighbours, double rate, const sign_projection& project);

/// out += factor * x, [parameter_count] each.
void add_scaled(std::span<const float> x, double factor, std::span<float> out);

/// Mean over the vectors of |x_i - mean|^2 (the consensus distance) and the mean itself, in double precision
/// sums. All spans are [parameter_count]; REQUIRES at least one vector.
double average_and_consensus_distance(std::span<const std::span<const float>> vectors, std::span<float> mean);

/// Euclidean norm, accumulated in double.
double norm(std::span<const float> x);

/// |x - y|, accumulated in double. [parameter_count] each.
double distance_between(std::span<const float> x, std::span<const float> y);

} // namespace dybw
