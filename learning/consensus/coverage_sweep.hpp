#pragma once

#include "learning/consensus/messages.hpp"
#include "learning/graph/worker_sets.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace dybw {

/// When a sweep is over.
enum class sweep_end {
  all_covered, ///< all connecting edges are covered (arXiv 2102.06280)
  all_joined,  ///< those that are covered join all workers (arXiv 2306.06559): whichever come first
};

/// DTUR's coverage (arXiv 2102.06280, the distributed threshold-based update rule): which of the connecting
/// edges this worker knows to be covered in the present sweep. When it is over, the next sweep starts with
/// none covered. (The paper calls a sweep an epoch; here an epoch is a pass over the shard.)
///
/// With `all_joined` an edge within what others have joined is of no use and never covered. What two workers
/// know of a sweep then differs no more once they know the same parts, by whichever edges these were joined.
class coverage_sweep {
public:
  using edge_set = std::shared_ptr<const std::vector<edge>>; ///< ascending

  /// New facts: another set of connecting edges, nothing covered, first sweep.
  void reset(std::uint64_t generation, edge_set connecting, sweep_end ends = sweep_end::all_covered);

  std::uint64_t generation() const noexcept { return generation_; }
  std::uint64_t sweep() const noexcept { return sweep_; }
  std::uint64_t sweeps_completed() const noexcept { return sweeps_completed_; }
  const std::vector<edge>& connecting() const noexcept { return *connecting_; }
  const edge_set& connecting_set() const noexcept { return connecting_; }

  /// Whether the edge, committed in `round`, advances the present sweep: a connecting edge, not covered yet
  /// (`all_joined`: between workers that are not joined yet), and the sweep began before that round closed.
  bool advances(edge e, round_number round);

  /// Covers the edge in `round`. REQUIRES: advances(e, round).
  void cover(edge e, round_number round);

  /// Takes in what another worker flooded. Returns whether it told anything about this generation's coverage
  /// that was not known: a later sweep or an edge that advances this one. Other generations tell nothing.
  bool learn(const threshold& t);

  /// Adds what a threshold of this generation says is covered to `covered`, by its places in `connecting()`.
  void add_to(std::vector<std::uint64_t>& covered, const threshold& t) const;

private:
  using bits = std::vector<std::uint64_t>;

  std::size_t find(edge e) const; ///< index into connecting_, or its size
  bool is_covered(std::size_t index) const { return (covered_[index / 64] >> (index % 64) & 1) != 0; }
  static void set(bits& x, std::size_t index) { x[index / 64] |= std::uint64_t{1} << (index % 64); }
  void add(bits& to, const covered_edges& more) const;
  bool learn(const covered_edges& more, round_number round);
  bool is_of_use(std::size_t index);
  void mark(std::size_t index, round_number round);
  void complete(round_number round);
  void begin_sweep(std::uint64_t number, round_number round);

  edge_set connecting_ = std::make_shared<const std::vector<edge>>();
  sweep_end ends_ = sweep_end::all_covered;
  bits covered_;              ///< places in connecting_
  worker_sets joined_{0};     ///< with `all_joined`: by the edges covered
  std::size_t to_cover_ = 0;  ///< edges, in a sweep
  std::size_t uncovered_ = 0; ///< of these
  std::uint64_t generation_ = 0;
  std::uint64_t sweep_ = 0;
  round_number begun_in_ = 0; ///< commits up to this round belong to the sweep before
  std::uint64_t sweeps_completed_ = 0;
};

} // namespace dybw
