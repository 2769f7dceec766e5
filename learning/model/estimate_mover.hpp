#pragma once

#include "learning/model/correction.hpp"
#include "learning/model/parameter_block.hpp"
#include "learning/model/step_agreement.hpp"
#include "learning/model/vector_ops.hpp"

#include <cstdint>
#include <memory>

namespace dybw {

/// Pairwise averaging: the sums that move one worker's estimate while a gradient step is under way. One pass
/// over memory each, `add_step` two where a step does not count for 1 and one more every eighth time, and one
/// more each with a correction; buffers are used again. Used by one thread at a time.
class estimate_mover {
public:
  /// `projection` is the audit's witness, `correction_rate` rho.
  estimate_mover(std::size_t parameter_count, std::shared_ptr<const sign_projection> projection,
                 double correction_rate = 0)
      : pool_(parameter_count), correction_(correction_rate, parameter_count, projection),
        projection_(std::move(projection)) {}

  /// A step of a worker.
  struct step_ends {
    parameter_block began;   ///< its estimate when the step began
    parameter_block at;      ///< where it was computed: that, or what `without_step` made of it
    parameter_block stepped; ///< w~, where it led
  };
  /// `now` with the step added. It counts for `scale`, tempered by how far it agrees with the ways on which
  /// averaging led from `began` to `now`, in this step and those before; nearly 1 counts for 1. Where `now`
  /// is `at`, a step that counts for 1 costs nothing. `share` of the correction (`step_share`) goes with it,
  /// and counts for as much.
  parameter_block add_step(const parameter_block& now, const step_ends& step, double scale, double share = 1);

  /// `now` without `share` of the step that led from `before` to `after`: what it will be when the neighbours
  /// have taken over that much of it. Its noise is the largest part of what is between neighbours, and an
  /// average takes most of it away; a gradient that is computed before their answers are there has no need to
  /// suffer from it (docs/adaptive.md, "What links cost").
  parameter_block without_step(const parameter_block& now, const parameter_block& before,
                               const parameter_block& after, double share);

  /// What is remembered of earlier steps.
  struct memory {
    step_agreement agreement;
    std::uint64_t steps = 0; ///< so far
    double step_length = 0;  ///< |w~ - w| of the newest that was measured
  };
  const memory& remembered() const noexcept { return memory_; }
  void restore(const memory& x) noexcept { memory_ = x; }

  struct absorbed {
    parameter_block estimate;
    double projection = 0; ///< the witness of what was added
    double size = 0;       ///< the norm of what it was added to
    double strides = 0;    ///< how far apart the ends were, in steps of this worker; 0 before its second step
    vector_witness correction{}; ///< of c after it
  };
  /// own + weight * (theirs - mine): one end's half of an exchange. `corrects`: it counts into the
  /// correction.
  absorbed absorb(const parameter_block& own, const parameter_block& theirs, const parameter_block& mine,
                  double weight, bool corrects = false);

  /// In rounds it is `local_training` that has one.
  dybw::correction& correction() noexcept { return correction_; }

private:
  static constexpr std::uint64_t measured_every = 8; ///< steps; a step's length changes slowly

  buffer_pool pool_;
  memory memory_;
  dybw::correction correction_;
  std::shared_ptr<const sign_projection> projection_;
};

} // namespace dybw
