#include "actors/training/training_slot.hpp"

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
  const auto coming = batches_.size() + asked_;
  if (!takes_batches_ || coming > batches_ahead / 2)
    return 0;
  asked_ += batches_ahead - coming;
  return batches_ahead - coming;
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
  if (!job_)
    return compute_ = clock_->delay_after(started_, nanoseconds{0});
  step_pending_ = true;
  from_ = from;
  return std::nullopt;
}

void training_slot::drop_step(nanoseconds now) {
  dropped_ = now - started_;
  // Its mini-batch was not used: the step that starts anew takes it again, so that every epoch covers the
  // shard.
  batch_unused_ =
      batch_unused_ || (takes_batches_ && !step_pending_ && job_->wants_step && job_->ticket == ticket_);
  step_pending_ = false;
  ticket_ = 0;
  if (under_way_)
    job_->step_dropped = true; // it may not have begun
}

std::vector<weighted_block>& training_slot::begin_mix() {
  mix_pending_ = true;
  mix_with_.clear();
  return mix_with_;
}

training_slot::submission training_slot::submit(nanoseconds now, bool state_wanted) {
  const auto takes_batch = takes_batches_ && step_pending_ && !batch_unused_;
  if (under_way_ || is_idle() || (takes_batch && batches_.empty()))
    return {};
  job_->wants_mix = std::exchange(mix_pending_, false);
  job_->wants_state = std::exchange(state_pending_, false) || (job_->wants_mix && state_wanted);
  job_->neighbours.swap(mix_with_);
  if (job_->wants_mix)
    mix_blocks_ = static_cast<std::int64_t>(job_->neighbours.size()) + 1;
  job_->wants_step = std::exchange(step_pending_, false);
  job_->step_dropped = false;
  if (job_->wants_step) {
    job_->ticket = ticket_;
    job_->completed = completed_;
    job_->from = from_;
    if (!gradients_)
      gradients_ = clock_->gradients(started_);
    job_->gradients = *gradients_;
    if (takes_batch) {
      job_->batch = std::move(batches_.front());
      batches_.pop_front();
    }
    batch_unused_ = false;
  }
  under_way_ = true;
  submitted_ = now;
  const auto takes = (job_->wants_mix ? mix_blocks_ * mix_took_ : nanoseconds{0}) +
                     (job_->wants_step ? std::ceil(job_->gradients) * step_took_ : nanoseconds{0});
  return {job_, takes <= small_job};
}

void training_slot::note_step() {
  step_took_ = from_seconds(to_seconds(job_->cpu) / job_->gradients);
  if (!waits())
    return;
  patience_.observe(job_->took);
  maker_.swap(job_->maker);
}

training_slot::job_results training_slot::take_back(round_report& report, run_origin origin) {
  assert(under_way_);
  under_way_ = false;
  if (job_->wants_step && !job_->step_dropped && job_->failure.empty())
    note_step();
  job_results done;
  if (job_->wants_state && job_->failure.empty())
    done.state = learner_state{std::exchange(job_->velocity, {}), std::exchange(job_->saved, {})};
  if (!job_->wants_mix)
    return done;
  mix_took_ = std::chrono::duration_cast<nanoseconds>(job_->mix_ended - job_->mix_began) / mix_blocks_;
  report.mixed.projection_before = job_->mixed.projection_before;
  report.mixed.projection_after = job_->mixed.projection_after;
  report.mixed.norm_before = job_->mixed.norm_before;
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
  loss_ = job_->stepped.loss;
  samples_ = static_cast<std::uint32_t>(job_->stepped.samples);
  const auto delay = clock_->delay_after(started_, job_->took);
  compute_ = job_->took + delay;
  cost_ = job_->cpu + delay;
  return delay;
}

void training_slot::close() {
  if (job_)
    job_->client = nullptr;
}

void training_slot::describe_step(round_report& report) const {
  report.compute = compute_;
  report.loss = loss_;
  report.samples = samples_;
}

} // namespace dybw
