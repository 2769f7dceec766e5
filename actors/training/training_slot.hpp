#pragma once

#include "actors/actors.hpp"
#include "learning/model/step_patience.hpp"
#include "learning/straggler/step_time.hpp"

#include <deque>

namespace dybw {

/// A worker's one training job: what is to be done next, whether the job is under way, and what its newest
/// step brought. A mix and the step after it travel together. Moments are since the run's start. Without a
/// model there is no job: a step takes its injected delay alone, and nothing is mixed.
class training_slot {
public:
  /// `job` is null without a model. `takes_batches`: its steps need mini-batches from a shard.
  training_slot(training_job_ptr job, std::shared_ptr<step_clock> clock, bool takes_batches = true)
      : job_(std::move(job)), clock_(std::move(clock)), takes_batches_(job_ && takes_batches) {
    if (waits())
      maker_ = job_->local->maker();
  }
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
  /// From which blocks what the next step comes to is to be coded, each once; to be changed before it begins.
  std::vector<parameter_block>& bases() noexcept { return bases_; }
  /// The newest step is not wanted any more, however far it has come.
  void drop_step(nanoseconds now);
  /// A mix is wanted, with what the caller puts into this empty list. REQUIRES: a model, a step done.
  /// `generation`: see `mix`.
  std::vector<weighted_block>& begin_mix(std::uint64_t generation = 0);
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
  submission submit(nanoseconds now, bool state_wanted);
  /// Whether another process makes the steps, and takes so long for one that it may hang or be gone.
  bool is_stalled(nanoseconds now) const {
    return under_way_ && waits() && job_->wants_step && now - submitted_ > patience_.limit(job_->steps);
  }
  /// What a gradient step usually takes that process. REQUIRES: is_stalled()
  nanoseconds usual_step() const { return *patience_.usual(); }
  /// .. and which it is, by the newest step done.
  const std::string& maker() const noexcept { return maker_; }
  /// The learner's state is wanted, mix or not. REQUIRES: a model.
  void ask_for_state() { state_pending_ = true; }

  struct learner_state {
    parameter_block velocity;
    parameter_block outer;
    std::vector<char> saved;
    parameter_block correction;
    std::uint64_t correction_generation = 0;
  };
  struct job_results {
    parameter_block mixed;              ///< w_j, if it had a mix; then `report` was told of it
    std::optional<learner_state> state; ///< if that was wanted, and the learner has not failed
  };
  /// The job is back.
  job_results take_back(round_report& report, run_origin origin);
  /// After `take_back`: what the job's learner failed with; empty: it did not. No step may follow.
  const std::string& failure() const { return job_->failure; }
  /// After `take_back`: the delay that ends the job's step, if it had one that is still wanted.
  std::optional<nanoseconds> take_step();
  /// Lets go of the job's client, which would be kept alive for ever. No job may follow.
  void close();

  /// Times drawn for the steps done, see `step_clock::drawn`: not that of a step which is still to come.
  std::uint64_t delays_drawn() const {
    return clock_->drawn() - (gradients_ && clock_->computes() ? job_->steps : 0);
  }

  /// Of the newest step done.
  void describe_step(round_report& report) const;
  /// Of the newest step done, what it would take if the worker had a processor of its own.
  nanoseconds cost() const noexcept { return cost_; }
  std::uint32_t steps() const noexcept {
    return made_;
  } ///< gradient steps that the newest step done was made of
  bool mix_is_pending() const noexcept { return mix_pending_; }
  bool is_idle() const noexcept { return !under_way_ && !mix_pending_ && !step_pending_ && !state_pending_; }
  bool waits() const noexcept { return job_ && job_->local->waits(); } ///< see `local_training`
  bool is_opaque() const noexcept { return job_ && job_->local->is_opaque(); }
  std::uint64_t ticket() const noexcept { return ticket_; }              ///< of the step wanted; 0: none
  const parameter_block& from() const noexcept { return from_; }         ///< where that step began
  const parameter_block& estimate() const noexcept { return estimate_; } ///< w~_j of the newest step done
  /// .. coded from `base`, or from nothing; null: not asked for.
  const block_coder::coded* coded_from(const parameter_block& base) const;
  const std::vector<block_coder::coded>& coded() const noexcept { return coded_; }
  nanoseconds discarded() const noexcept {
    return discarded_;
  } ///< time in dropped steps that another followed
  /// Of the newest step's last mini-batch. REQUIRES: a model
  std::uint64_t epoch() const { return job_->batches.empty() ? 0 : job_->batches.back().epoch; }
  /// What the learner needs, unless it is opaque. REQUIRES: a model, `is_idle()`
  learner_state state() const {
    const auto& x = *job_->local;
    return {x.velocity(), x.outer(), {}, x.correction(), x.correction_generation()};
  }

private:
  void note_step();
  nanoseconds usual() const;
  std::uint32_t planned() const;
  void note_usual();
  void give_batches();

  static constexpr nanoseconds not_known_ = std::chrono::hours{1};

  training_job_ptr job_; ///< used again and again
  std::shared_ptr<step_clock> clock_;
  bool takes_batches_;
  bool under_way_ = false;
  bool mix_pending_ = false;
  bool step_pending_ = false;
  bool state_pending_ = false;
  std::vector<weighted_block> mix_with_;
  std::uint64_t mix_generation_ = 0;
  nanoseconds submitted_{0}; ///< the job under way
  step_patience patience_;   ///< with all gradients of a step
  std::string maker_;
  std::deque<mini_batch> batches_; ///< to come
  std::size_t asked_ = 0;          ///< batches asked for that are not here
  bool batches_unused_ = false;    ///< the job's own batches are those of a dropped step
  std::uint64_t ticket_ = 0;
  parameter_block from_;
  round_number completed_ = 0; ///< before the step wanted
  std::uint32_t made_ = 1;     ///< gradient steps of the newest step done
  /// That the next step done computes with its gradient steps, once drawn; a dropped one leaves both.
  std::optional<double> gradients_;
  parameter_block estimate_;
  std::vector<parameter_block> bases_;       ///< of the next step
  std::vector<parameter_block> coded_bases_; ///< of the newest one done ..
  std::vector<block_coder::coded> coded_;    ///< .. and what it was coded to
  nanoseconds started_{0};
  nanoseconds compute_{0};             ///< gradient and injected delay
  nanoseconds cost_{0};                ///< the gradient's processor time and injected delay
  std::int64_t mix_blocks_ = 1;        ///< in the newest mix, the own one among them
  nanoseconds mix_took_ = not_known_;  ///< .. for each of them
  nanoseconds step_took_ = not_known_; ///< the newest step's processor time for one gradient
  nanoseconds lately_{0};              ///< that steps took, with their delays; what is long ago fades ..
  double lately_made_ = 0;             ///< .. and gradient steps in it
  nanoseconds dropped_{0};             ///< how long the step lasted that was dropped last
  nanoseconds discarded_{0};
  double loss_ = 0;
  std::uint32_t samples_ = 0;
};

} // namespace dybw
