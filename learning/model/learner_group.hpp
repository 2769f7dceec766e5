#pragma once

#include "learning/model/evaluation.hpp"
#include "learning/model/given_model.hpp"
#include "learning/model/local_learner.hpp"

#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace dybw {

/// The learners of all workers of a run here that are not built in, with what they learn. Any thread may use
/// it. Held by a `shared_ptr`, as its learners need it.
class learner_group {
public:
  virtual ~learner_group() = default;

  /// What they learn.
  virtual const std::shared_ptr<const given_model>& model() const noexcept = 0;
  /// Whether their steps are other processes' work.
  virtual bool waits() const noexcept = 0;
  /// The learner of a worker. Once for each and run. Throws `learner_failed`.
  virtual std::unique_ptr<local_learner> learner_of(worker_id id) = 0;
  /// See `estimate_scorer`.
  virtual std::vector<named_score> scores_of(std::span<const float> parameters,
                                             std::optional<std::size_t> worker) = 0;
  /// Whether one does what takes as long as it likes and is no step: a score, a new start.
  virtual bool is_occupied() const noexcept = 0;
  /// What the learner of this worker needs to go on as of its newest step; empty: nothing, or it is busy for
  /// longer than it usually is. Any time. Throws `learner_failed`.
  virtual std::vector<char> save(worker_id id) = 0;
  /// The learner of this worker goes on where an earlier one was that gave these bytes (`save`); empty: it
  /// begins afresh. Before a run begins. Throws `learner_failed`.
  virtual void load(worker_id id, std::span<const char> saved) = 0;
  /// A run begins: of the second on with learners that know nothing of the one before. Whether it can: false
  /// if it was interrupted meanwhile. Throws `input_error` and `learner_failed`.
  virtual bool begin_run() = 0;
  /// The run is over. Who waits for a learner fails. A second time does nothing.
  virtual void end() = 0;
};

} // namespace dybw
