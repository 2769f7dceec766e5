#pragma once

#include "learning/data/dataset.hpp"
#include "learning/model/model.hpp"
#include "learning/model/parameter_block.hpp"
#include "learning/model/sgd.hpp"
#include "learning/model/vector_ops.hpp"

#include <memory>
#include <span>
#include <vector>

namespace dybw {

/// What all workers of a run share.
struct training_setup {
  std::shared_ptr<const model> learner;
  std::shared_ptr<const dataset> data;
  std::shared_ptr<const sign_projection> projection; ///< the audit's witness
  sgd_options sgd;
  std::size_t batch = 0;             ///< largest mini-batch
  std::uint64_t rounds_per_pass = 1; ///< see `step_size_at`
  bool mirrors = false;              ///< images at random, see `mini_batch_sampler`
};

/// The scratch memory of one training thread; serves all workers of a run in turn.
class training_workspace {
public:
  explicit training_workspace(const training_setup& setup);

private:
  friend class local_training;
  float_buffer features_; ///< aligned: how Eigen adds up may depend on it
  std::vector<std::int32_t> labels_;
  float_buffer gradient_;
  std::unique_ptr<model_workspace> scratch_;
  std::vector<mix_input> inputs_;
};

/// One neighbour's estimate with its weight in a mix.
struct weighted_block {
  parameter_block estimate;
  double weight = 0; ///< P_ij
};

/// What a `local_training` knows beyond its arguments.
struct training_state {
  parameter_block current;  ///< w; none if a step is not mixed yet, which makes up for it
  parameter_block stepped;  ///< w~ of that step
  parameter_block velocity; ///< v of the newest step; none without momentum
};

/// One worker's parameters and how they change: gradient step, then mix, then the next step. Used by one
/// thread at a time. Every result is an immutable block, so neighbours and evaluation share it without a
/// copy; buffers are used again.
///
///     w~ = w - eta * v,  v = momentum * v + gradient(w) + weight_decay * w          step()
///     w  = w~ + sum of P_ij (w~_i - w~)                                             mix()
class local_training {
public:
  /// `initial` is w(0), [parameter_count]. `velocity` is that of the step before it, of a run that goes on;
  /// none: at rest. Without momentum it is not used.
  local_training(std::shared_ptr<const training_setup> setup, parameter_block initial,
                 const parameter_block& velocity = {});

  struct step_outcome {
    parameter_block estimate; ///< w~
    double loss = 0;          ///< of the mini-batch at w, without the L2 term
  };
  /// Leaves w as it is; stepping again before a mix drops the step before without a trace. A step size of 0
  /// computes no gradient: w~ is w. `completed`: rounds before the step, which decide its size.
  step_outcome step(std::span<const std::uint32_t> rows, round_number completed,
                    training_workspace& workspace);

  struct mix_outcome {
    parameter_block mixed; ///< w
    double projection_before = 0;
    double projection_after = 0;
    double norm_before = 0;
  };
  /// Takes the last step's w~ (and its velocity) as used, mixes it with the neighbours' and makes the result
  /// w. REQUIRES: a `step` since the last mix.
  mix_outcome mix(std::span<const weighted_block> neighbours, training_workspace& workspace);

  /// Pairwise averaging, where w moves while a step is under way: w~ of a step from `at`, which counts at
  /// once.
  step_outcome step_from(const parameter_block& at, std::span<const std::uint32_t> rows,
                         round_number completed, training_workspace& workspace);

  /// Computes the gradient of these rows at w once more and drops it: what a slow machine's time goes into.
  void repeat_gradient(std::span<const std::uint32_t> rows, training_workspace& workspace);

  const parameter_block& current() const noexcept { return current_; } ///< w
  /// A copy of v as of the step that led to w: with w, where to go on. None without momentum.
  parameter_block velocity() const;

  /// All of it, for one that is to go on in just the same way.
  training_state state() const;
  void restore(const training_state& x);

private:
  double compute_gradient(std::span<const std::uint32_t> rows, training_workspace& workspace);

  std::shared_ptr<const training_setup> setup_;
  buffer_pool pool_;
  parameter_block current_;
  parameter_block stepped_;
  std::vector<float> velocity_;
  std::vector<float> velocity_next_;
};

} // namespace dybw
