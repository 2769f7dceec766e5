#pragma once

#include "learning/base/types.hpp"
#include "learning/model/parameter_layout.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace dybw {

/// A gathered mini-batch.
struct batch_view {
  std::span<const float> features;      ///< [samples][features], a sample's features contiguous, in [0,1]
  std::span<const std::int32_t> labels; ///< [samples], each in 0 .. classes-1
};

/// Sums over the samples of a batch, so that batches add up.
struct batch_score {
  double loss_sum = 0;       ///< cross-entropy in nats, without the L2 term
  std::uint64_t correct = 0; ///< arg max equals the label
};

/// Scratch memory of one thread for one model; allocated once, reused for every step.
class model_workspace {
public:
  virtual ~model_workspace() = default;
};

/// What the workers of a run learn: one flat float32 parameter vector. Immutable and shared by threads.
class model {
public:
  virtual ~model() = default;

  virtual std::string name() const = 0; ///< as on the command line, for example "mlp:256,256"
  virtual std::size_t parameter_count() const noexcept = 0;
  /// About how many multiplications a sample's score takes; by it work is cut into pieces.
  virtual std::size_t multiplications() const noexcept { return parameter_count(); }
  /// What the parameter vector consists of. Here: one array, "parameters".
  virtual parameter_layout layout() const { return {{"parameters", {parameter_count()}, 0}}; }

  /// Starting parameters ([parameter_count]), by the seed; the same for every worker of a run.
  virtual void initialise(std::uint64_t seed, std::span<float> parameters) const = 0;
};

/// A model that tells classes apart, with its gradient. Every mutable byte is in the caller's buffers or in
/// the workspace, so any number of threads may use one with a workspace each.
class classifier : public model {
public:
  /// Scratch memory for batches of up to `samples_max` samples.
  virtual std::unique_ptr<model_workspace> make_workspace(std::size_t samples_max) const = 0;

  /// Mean cross-entropy of the batch (nats); writes its gradient to `gradient` ([parameter_count],
  /// overwritten). No allocation. REQUIRES: a workspace of this model, large enough.
  virtual double loss_and_gradient(std::span<const float> parameters, const batch_view& batch,
                                   std::span<float> gradient, model_workspace& workspace) const = 0;

  /// Loss and hits of the batch under `parameters`. No allocation.
  virtual batch_score score(std::span<const float> parameters, const batch_view& batch,
                            model_workspace& workspace) const = 0;
};

} // namespace dybw
