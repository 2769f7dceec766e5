#pragma once

#include "actors/actors.hpp"
#include "learning/straggler/step_time.hpp"

#include <deque>

namespace dybw {

/// A worker's one training job: what is to be done next, whether the job is under way, and what its newest
/// step brought. A mix and the step after it travel together. Moments are since the run's start. Without a
/// model there is no job: a step takes its injected delay alone, and nothing is mixed.
class training_slot {
public:
  /// `job` is null without a model.
  training_slot(training_job_ptr job, std::shared_ptr<step_clock> clock)
      : job_(std::move(job)), clock_(std::move(clock)) {}
  ~training_slot() {
    if (job_ && under_way_)
      job_->step_dropped = true; // nobody waits for it
  }
  training_slot(const training_slot&) = delete;
  training_slot& operator=(const training_slot&) = delete;

  /// A step is wanted; `from` is none but in pairwise averaging, `completed` are the rounds before it.
  /// Without a model it ends after the delay returned.
  std::optional<nanoseconds> begin_step(std::uint64_t ticket, nanoseconds now, const parameter_block& from,
                                        round_number completed = 0);
  /// The newest step is not wanted any more, however far it has come.
  void drop_step(nanoseconds now);
  /// A mix is wanted, with what the caller puts into this empty list. REQUIRES: a model, a step done.
  std::vector<weighted_block>& begin_mix();
  /// How many mini-batches are to be fetched now. A few are fetched ahead, several at a time, so that the
  /// shard's thread wakes for every few steps only.
  std::size_t ask_ahead();
  /// One that was asked for.
  void take(const mini_batch& batch);

  struct submission {
    training_job_ptr job;  ///< null: nothing to be done now
    bool is_small = false; ///< by what jobs of its kind took before, it is done sooner than taken anywhere
  };
  /// The job, once there is anything to do, it is back and the batch is here. It then counts as under way.
  submission submit(bool velocity_wanted);

  struct mixed_estimate {
    parameter_block estimate;                ///< w_j
    std::optional<parameter_block> velocity; ///< if that was wanted
  };
  /// The job is back. What its mix made, if it had one; then `report` is told of it.
  std::optional<mixed_estimate> take_back(round_report& report, run_origin origin);
  /// After `take_back`: the delay that ends the job's step, if it had one that is still wanted.
  std::optional<nanoseconds> take_step();
  /// Lets go of the job's client, which would be kept alive for ever. No job may follow.
  void close();

  /// Times drawn for the steps done, see `step_clock::drawn`: not that of a step which is still to come.
  std::uint64_t delays_drawn() const { return clock_->drawn() - (gradients_ && clock_->computes() ? 1 : 0); }

  /// Of the newest step done.
  void describe_step(round_report& report) const;
  /// Of the newest step done, what it would take if the worker had a processor of its own.
  nanoseconds cost() const noexcept { return cost_; }
  bool mix_is_pending() const noexcept { return mix_pending_; }
  bool is_idle() const noexcept { return !under_way_ && !mix_pending_ && !step_pending_; }
  std::uint64_t ticket() const noexcept { return ticket_; }              ///< of the step wanted; 0: none
  const parameter_block& from() const noexcept { return from_; }         ///< where that step began
  const parameter_block& estimate() const noexcept { return estimate_; } ///< w~_j of the newest step done
  nanoseconds discarded() const noexcept {
    return discarded_;
  }                                                         ///< time in dropped steps that another followed
  std::uint64_t epoch() const { return job_->batch.epoch; } ///< of the newest step. REQUIRES: a model
  parameter_block velocity() const { return job_->local->velocity(); } ///< REQUIRES: a model, `is_idle()`

private:
  static constexpr nanoseconds not_known_ = std::chrono::hours{1};

  training_job_ptr job_; ///< used again and again
  std::shared_ptr<step_clock> clock_;
  bool under_way_ = false;
  bool mix_pending_ = false;
  bool step_pending_ = false;
  std::vector<weighted_block> mix_with_;
  std::deque<mini_batch> batches_; ///< to come
  std::size_t asked_ = 0;          ///< batches asked for that are not here
  bool batch_unused_ = false;      ///< the job's own batch is that of a dropped step
  std::uint64_t ticket_ = 0;
  parameter_block from_;
  round_number completed_ = 0;      ///< before the step wanted
  std::optional<double> gradients_; ///< that the next step done takes, once drawn; a dropped one leaves it
  parameter_block estimate_;
  nanoseconds started_{0};
  nanoseconds compute_{0};             ///< gradient and injected delay
  nanoseconds cost_{0};                ///< the gradient's processor time and injected delay
  std::int64_t mix_blocks_ = 1;        ///< in the newest mix, the own one among them
  nanoseconds mix_took_ = not_known_;  ///< .. for each of them
  nanoseconds step_took_ = not_known_; ///< the newest step's processor time for one gradient
  nanoseconds dropped_{0};             ///< how long the step lasted that was dropped last
  nanoseconds discarded_{0};
  double loss_ = 0;
  std::uint32_t samples_ = 0;
};

} // namespace dybw
