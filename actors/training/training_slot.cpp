#include "actors/training/training_slot.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace dybw {

namespace {

/// The trip to a trainer and back wakes two threads; a shell must not keep others waiting for longer.
constexpr nanoseconds small_job = std::chrono::microseconds{100};

/// Mini-batches that are fetched ahead.
constexpr std::size_t batches_ahead = 8;

} // namespace

std::size_t training_slot::ask_ahead() {
  if (!takes_batches_)
    return 0;
  const auto coming = batches_.size() + asked_;
  const auto enough = batches_ahead + planned() - 1;
  if (coming > enough - batches_ahead / 2)
    return 0;
  asked_ += enough - coming;
  return enough - coming;
}

void training_slot::take(const mini_batch& batch) {
  assert(asked_ > 0);
  --asked_;
  batches_.push_back(batch);
}

std::optional<nanoseconds> training_slot::begin_step(std::uint64_t ticket, nanoseconds now,
                                                     const parameter_block& from, round_number completed) {
  ticket_ = ticket;
  completed_ = completed;
  started_ = now;
  discarded_ += std::exchange(dropped_, nanoseconds{0});
  if (!job_) {
    made_ = planned();
    compute_ = clock_->delay_after(started_, nanoseconds{0}, made_);
    note_usual();
    return compute_;
  }
  step_pending_ = true;
  from_ = from;
  return std::nullopt;
}

/// Of a gradient step; 0: not known. A step of many says more of it than one of few.
nanoseconds training_slot::usual() const {
  return lately_made_ > 0 ? from_seconds(to_seconds(lately_) / lately_made_) : nanoseconds{0};
}

/// Of the next step. What was drawn for a dropped one stands. With a time, a few times as many as the newest
/// at most: what few steps took, as at first, may be far from usual.
std::uint32_t training_slot::planned() const {
  if (gradients_ && clock_->computes())
    return job_->steps;
  const auto& rule = clock_->rule();
  return rule.has_time() ? std::min(rule.planned(usual()), 4 * made_) : rule.gradients;
}

void training_slot::note_usual() {
  lately_ = lately_ / 2 + compute_;
  lately_made_ = lately_made_ / 2 + made_;
}

void training_slot::drop_step(nanoseconds now) {
  dropped_ = now - started_;
  // Its mini-batches were not used: the step that starts anew takes them again, so that every epoch covers
  // the shard.
  batches_unused_ =
      batches_unused_ || (takes_batches_ && !step_pending_ && job_->wants_step && job_->ticket == ticket_);
  if (!step_pending_ && job_ && dropped_ / job_->steps > usual()) {
    lately_ = dropped_; // whoever has become so slow that no step counts must plan fewer
    lately_made_ = job_->steps;
  }
  step_pending_ = false;
  ticket_ = 0;
  if (under_way_)
    job_->step_dropped = true; // it may not have begun
}

std::vector<weighted_block>& training_slot::begin_mix(std::uint64_t generation) {
  mix_pending_ = true;
  mix_generation_ = generation;
  mix_with_.clear();
  return mix_with_;
}

training_slot::submission training_slot::submit(nanoseconds now, bool state_wanted) {
  if (under_way_ || is_idle())
    return {};
  const auto steps = step_pending_ ? planned() : 0;
  const auto given_back = batches_unused_ ? job_->batches.size() : 0;
  if (takes_batches_ && step_pending_ && batches_.size() + given_back < steps)
    return {};
  job_->wants_mix = std::exchange(mix_pending_, false);
  job_->wants_state = std::exchange(state_pending_, false) || (job_->wants_mix && state_wanted);
  job_->neighbours.swap(mix_with_);
  job_->generation = mix_generation_;
  if (job_->wants_mix)
    mix_blocks_ = static_cast<std::int64_t>(job_->neighbours.size()) + 1;
  job_->wants_step = std::exchange(step_pending_, false);
  job_->step_dropped = false;
  if (job_->wants_step) {
    job_->ticket = ticket_;
    job_->completed = completed_;
    job_->from = from_;
    if (!gradients_ || !clock_->computes())
      gradients_ = clock_->computed(started_, steps, step_took_ == not_known_ ? nanoseconds{0} : step_took_);
    job_->gradients = *gradients_;
    job_->steps = steps;
    job_->bases = bases_;
    give_batches();
  }
  under_way_ = true;
  submitted_ = now;
  const auto takes = (job_->wants_mix ? mix_blocks_ * mix_took_ : nanoseconds{0}) +
                     (job_->wants_step ? std::ceil(job_->gradients) * step_took_ : nanoseconds{0});
  return {job_, takes <= small_job};
}

void training_slot::give_batches() {
  if (std::exchange(batches_unused_, false))
    batches_.insert(batches_.begin(), job_->batches.begin(), job_->batches.end());
  job_->batches.clear();
  job_->rows.clear();
  for (; takes_batches_ && job_->batches.size() < job_->steps; batches_.pop_front()) {
    job_->batches.push_back(std::move(batches_.front()));
    job_->rows.emplace_back(*job_->batches.back().rows);
  }
  job_->rows.resize(job_->steps); // learners that have their own data take none
}

void training_slot::note_step() {
  step_took_ = from_seconds(to_seconds(job_->cpu) / job_->gradients);
  if (!waits())
    return;
  patience_.observe(job_->took, job_->steps);
  maker_.swap(job_->maker);
}

training_slot::job_results training_slot::take_back(round_report& report, run_origin origin) {
  assert(under_way_);
  under_way_ = false;
  if (job_->wants_step && !job_->step_dropped && job_->failure.empty())
    note_step();
  job_results done;
  if (job_->wants_state && job_->failure.empty())
    done.state = learner_state{std::exchange(job_->velocity, {}), std::exchange(job_->outer, {}),
                               std::exchange(job_->saved, {}), std::exchange(job_->correction, {}),
                               job_->correction_generation};
  if (!job_->wants_mix)
    return done;
  mix_took_ = std::chrono::duration_cast<nanoseconds>(job_->mix_ended - job_->mix_began) / mix_blocks_;
  report.mixed.projection_before = job_->mixed.projection_before;
  report.mixed.projection_after = job_->mixed.projection_after;
  report.mixed.norm_before = job_->mixed.norm_before;
  report.mixed.correction = job_->mixed.correction.projection;
  report.mixed.correction_size = job_->mixed.correction.norm;
  report.mix_began = std::chrono::duration_cast<nanoseconds>(job_->mix_began - origin);
  report.mix_ended = std::chrono::duration_cast<nanoseconds>(job_->mix_ended - origin);
  done.mixed = std::move(job_->mixed.mixed);
  return done;
}

std::optional<nanoseconds> training_slot::take_step() {
  if (!job_->wants_step || job_->ticket != ticket_ || !job_->failure.empty())
    return std::nullopt;
  gradients_.reset();
  estimate_ = std::move(job_->stepped.estimate);
  coded_bases_.swap(job_->bases);
  coded_.swap(job_->coded);
  job_->bases.clear(); // of the step before: their memory may be used again
  job_->coded.clear();
  loss_ = job_->stepped.loss;
  samples_ = static_cast<std::uint32_t>(job_->stepped.samples);
  made_ = job_->steps;
  const auto delay = clock_->delay_after(started_, job_->took, made_);
  compute_ = job_->took + delay;
  cost_ = job_->cpu + delay;
  note_usual();
  return delay;
}

const block_coder::coded* training_slot::coded_from(const parameter_block& base) const {
  for (std::size_t i = 0; i < coded_.size(); ++i)
    if (coded_bases_[i].values().data() == base.values().data())
      return &coded_[i];
  return nullptr;
}

void training_slot::close() {
  if (job_)
    job_->client = nullptr;
}

void training_slot::describe_step(round_report& report) const {
  report.compute = compute_;
  report.loss = loss_;
  report.gradients = made_;
  report.samples = samples_;
}

} // namespace dybw
