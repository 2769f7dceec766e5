#pragma once

#include "learning/data/dataset.hpp"
#include "learning/model/local_learner.hpp"
#include "learning/model/model.hpp"
#include "learning/model/outer_step.hpp"
#include "learning/model/parameter_block.hpp"
#include "learning/model/sgd.hpp"
#include "learning/model/vector_ops.hpp"

#include <memory>
#include <vector>

namespace dybw {

/// What all workers of a run share.
struct training_setup {
  std::shared_ptr<const dybw::model> model;          ///< a classifier, unless there are `learners`
  std::shared_ptr<const dataset> data;               ///< null with `learners`, which have their own
  std::shared_ptr<const sign_projection> projection; ///< the audit's witness
  sgd_options sgd;
  std::size_t batch = 0;             ///< largest mini-batch
  std::uint64_t rounds_per_pass = 1; ///< see `step_size_at`
  bool mirrors = false;              ///< images at random, see `mini_batch_sampler`
  outer_options outer{};
  learner_factory learners{}; ///< null: gradient steps of `model` on `data`
  double correction = 0;      ///< rho, see `dybw::correction`
};

/// The share of its first size that a step has after so many rounds; 1 for learners that have their own
/// sizes.
double step_share(const training_setup& setup, round_number completed);

/// The scratch memory of one training thread; serves all workers of a run in turn.
class training_workspace {
public:
  explicit training_workspace(const training_setup& setup);

private:
  friend class local_training;
  friend class gradient_learner;
  float_buffer features_; ///< aligned: how Eigen adds up may depend on it
  std::vector<std::int32_t> labels_;
  float_buffer gradient_;
  std::unique_ptr<model_workspace> scratch_;
  std::vector<mix_input> inputs_;
};

/// The learner of a worker, as the setup says.
std::unique_ptr<local_learner> make_learner(const std::shared_ptr<const training_setup>& setup, worker_id id);

} // namespace dybw
