#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace dybw {

/// One neighbour's share in a mix.
struct mix_input {
  std::span<const float> estimate; ///< [parameter_count]
  double weight = 0;               ///< P_ij in (0,1)
};

/// w_j = w~_j + sum_i P_ij (w~_i - w~_j), blockwise so that each block of the result stays in cache. The form
/// matters: the two ends of an edge add exactly opposite products, so rounding does not move the mean of all
/// estimates systematically. `out` may be `own`; otherwise the spans do not overlap. [parameter_count] each.
void mix_estimates(std::span<const float> own, std::span<const mix_input> neighbours, std::span<float> out);

/// A seeded random projection to one number: the audit's independent witness. Entries are +1 or -1
/// (Rademacher; they keep norms in expectation, Achlioptas, JCSS 2003). Immutable, shared by all threads of a
/// process.
class sign_projection {
public:
  sign_projection(std::uint64_t seed, std::size_t parameter_count);
  /// sum_k s_k x_k, accumulated in double. REQUIRES: x.size() == parameter_count.
  double operator()(std::span<const float> x) const;

private:
  std::vector<std::uint64_t> signs_; ///< one bit per parameter
};

/// Mean over the vectors of |x_i - mean|^2 (the consensus distance) and the mean itself, in double precision
/// sums. All spans are [parameter_count]; REQUIRES at least one vector.
double average_and_consensus_distance(std::span<const std::span<const float>> vectors, std::span<float> mean);

/// Euclidean norm, accumulated in double.
double norm(std::span<const float> x);

} // namespace dybw
