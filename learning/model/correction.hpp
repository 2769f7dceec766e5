#pragma once

#include "learning/model/parameter_block.hpp"
#include "learning/model/vector_ops.hpp"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace dybw {

/// What unlike data pulls one worker aside by, as averaging shows it: whenever averaging moves the worker by
/// d, c += rho d, and each of its own steps adds c. Edges are mutual, so the workers' sum of c is 0 for ever.
/// Where it settles, averaging moves nobody on the whole, which takes everybody's data to count equally,
/// however rarely they take part. (docs/methods.md, "The correction"; with rho = 1 in rounds it is D2 of Tang
/// et al., ICML 2018, or exact diffusion.)
///
/// A worker that is gone took its c along. So c belongs to one generation of the membership: it is 0 at the
/// beginning of each, and an edge counts if both ends were in this one. Not thread-safe.
class correction {
public:
  /// `rate`: rho in [0,1]; 0: off. `projection`: the audit's witness, of `parameter_count`.
  correction(double rate, std::size_t parameter_count, std::shared_ptr<const sign_projection> projection)
      : rate_(rate), count_(parameter_count), projection_(std::move(projection)) {}

  bool is_on() const noexcept { return rate_ > 0; }
  bool is_zero() const noexcept { return !is_on() || !is_moved_; }

  /// The generation that is now.
  void enter(std::uint64_t generation) {
    if (generation == generation_)
      return;
    generation_ = generation;
    std::ranges::fill(c_, 0.0F);
    seen_ = {};
    is_moved_ = false;
  }
  /// The moves of an average over edges that count; `own`: w~, for neighbours that have it as it is.
  /// [parameter_count] each. REQUIRES: is_on()
  void add(std::span<const float> own, std::span<const mix_input> neighbours) {
    assert(is_on());
    if (neighbours.empty())
      return;
    c_.resize(count_);
    seen_ = add_moves(c_, own, neighbours, rate_, *projection_);
    is_moved_ = seen_.norm > 0;
  }
  /// w += share * c. [parameter_count]
  void add_to(std::span<float> w, double share) const {
    if (!is_zero())
      add_scaled(c_, share, w);
  }

  const vector_witness& seen() const noexcept { return seen_; } ///< of c
  std::uint64_t generation() const noexcept { return generation_; }
  /// c, a copy; none if it is off.
  parameter_block value() const {
    if (!is_on())
      return {};
    if (c_.empty())
      return copy_of(std::vector<float>(count_));
    return copy_of(c_);
  }
  void restore(const parameter_block& c, std::uint64_t generation) {
    enter(generation);
    if (!is_on() || !c)
      return;
    assert(c.values().size() == count_);
    c_.assign(c.values().begin(), c.values().end());
    seen_ = {(*projection_)(c_), norm(c_)};
    is_moved_ = seen_.norm > 0;
  }

private:
  double rate_;
  std::size_t count_;
  std::shared_ptr<const sign_projection> projection_;
  std::uint64_t generation_ = 0;
  std::vector<float> c_; ///< empty until it is first moved
  bool is_moved_ = false;
  vector_witness seen_;
};

} // namespace dybw
