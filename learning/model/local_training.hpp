#pragma once

#include "learning/model/correction.hpp"
#include "learning/model/training_setup.hpp"

#include <atomic>
#include <memory>
#include <span>
#include <vector>

namespace dybw {

/// One neighbour's estimate with its weight in a mix, see `mix_input`.
struct weighted_block {
  parameter_block estimate;
  double weight = 0;     ///< P_ij
  parameter_block own{}; ///< w~ as that neighbour has it; none: as it is
  bool corrects = false; ///< it counts into the correction
};

/// Rows of the mini-batches of a step's gradients, in order; empty ones for learners that have their own
/// data.
using row_batches = std::span<const std::span<const std::uint32_t>>;

/// What a `local_training` knows beyond its arguments.
struct training_state {
  parameter_block
      current; ///< w; none if a step is not mixed yet, which makes up for it without an outer step
  parameter_block stepped;      ///< w~ of that step
  parameter_block velocity;     ///< v of the newest step; none without momentum
  std::vector<char> learner{};  ///< what an opaque learner saved; empty: it begins afresh
  parameter_block outer{};      ///< m of the outer step; none without
  parameter_block correction{}; ///< c; none without
  std::uint64_t correction_generation = 0;
};

/// One worker's parameters and how they change: step, then mix, then the next step. Used by one thread at a
/// time. Every result is an immutable block, so neighbours and evaluation share it without a copy; buffers
/// are used again.
///
///     w~ = what its learner makes of w, in one gradient step or several     step()
///     w  = w~ + sum of P_ij (q_i - q)                                       mix()
///
/// where q_i and q are the estimates as the ends of the edge have them: w~_i and w~, unless they are coded.
///
/// With an outer step, that is what it makes of the way from w to the mix (`outer_step`). With a correction
/// (`dybw::correction`) each step adds it, shared out among its gradient steps.
class local_training {
public:
  /// `initial` is w(0), [parameter_count]. `velocity` is that of the step before it, of a run that goes on;
  /// none: at rest. Without momentum it is not used; likewise `outer`, the outer step's. Throws what the
  /// setup's `learners` do.
  local_training(std::shared_ptr<const training_setup> setup, parameter_block initial,
                 const parameter_block& velocity = {}, worker_id id = {}, const parameter_block& outer = {},
                 const parameter_block& correction = {});

  struct step_outcome {
    parameter_block estimate;  ///< w~
    double loss = 0;           ///< mean over the mini-batches, each at its own w, without the L2 term
    std::uint64_t samples = 0; ///< in all of them
  };
  /// One gradient step for each mini-batch, at least one. Leaves w as it is; stepping again before a mix
  /// drops all these without a trace. A step size of 0 computes no gradient: w~ is w. `completed`: rounds
  /// before the step, which decide its size. `dropped` may become true meanwhile: then what comes of it is of
  /// no use. Throws what the learner does.
  step_outcome step(row_batches batches, round_number completed, training_workspace& workspace,
                    const std::atomic<bool>* dropped = nullptr);
  /// With one mini-batch.
  step_outcome step(std::span<const std::uint32_t> rows, round_number completed,
                    training_workspace& workspace) {
    return step(row_batches{&rows, 1}, completed, workspace);
  }

  struct mix_outcome {
    parameter_block mixed; ///< w
    double projection_before = 0;
    double projection_after = 0;
    double norm_before = 0;
    vector_witness correction; ///< of c after it
  };
  /// Takes the last step's w~ (and its velocity) as used, mixes it with the neighbours' and makes the result
  /// w, after the outer step, of which the witness sees nothing. `generation`: of the membership, which the
  /// correction belongs to. REQUIRES: a `step` since the last mix.
  mix_outcome mix(std::span<const weighted_block> neighbours, training_workspace& workspace,
                  std::uint64_t generation = 0);

  /// Pairwise averaging, where w moves while a step is under way: w~ of a step from `at`, which counts at
  /// once. With an outer step, w~ is where that leads from `at`: exchanges meanwhile move both ends of the
  /// way. The correction is added where the step is taken (`estimate_mover`).
  step_outcome step_from(const parameter_block& at, row_batches batches, round_number completed,
                         training_workspace& workspace, const std::atomic<bool>* dropped = nullptr);

  /// Computes the gradient of these rows at w once more and drops it: what a slow machine's time goes into.
  void repeat_gradient(std::span<const std::uint32_t> rows, training_workspace& workspace);

  const parameter_block& current() const noexcept { return current_; } ///< w
  /// What the learner needs to go on from w, a copy: v as of the step that led to it; none without momentum.
  parameter_block velocity() const { return learner_->state(false); }
  /// m of the outer step, likewise; none without.
  parameter_block outer() const { return outer_.momentum(); }
  /// c as of the newest mix, likewise.
  parameter_block correction() const { return correction_.value(); }
  std::uint64_t correction_generation() const { return correction_.generation(); }
  /// The same where it `is_opaque`; throws `learner_failed`.
  bool is_opaque() const noexcept { return learner_->is_opaque(); }
  std::vector<char> save() { return learner_->save(); }
  /// A step is another process's work: the thread waits for it.
  bool waits() const noexcept { return learner_->waits(); }
  std::string_view maker() const noexcept { return learner_->maker(); } ///< that process, see `local_learner`

  /// All of it, for one that is to go on in just the same way.
  /// Throws `learner_failed`.
  training_state state();
  /// All but an opaque learner's own, which `learner_group::load` gives it.
  void restore(const training_state& x);

private:
  step_outcome advance(row_batches batches, round_number completed, training_workspace& workspace,
                       const std::atomic<bool>* dropped, double correction_share);

  std::shared_ptr<const training_setup> setup_;
  std::unique_ptr<local_learner> learner_;
  outer_step outer_;
  dybw::correction correction_; ///< in rounds
  buffer_pool pool_;
  parameter_block current_;
  parameter_block stepped_;
};

} // namespace dybw
