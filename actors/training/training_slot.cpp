#include "actors/training/training_slot.hpp"

#include <cassert>

namespace dybw {

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
  batch_unused_ = batch_unused_ || (job_ && !step_pending_ && job_->wants_step && job_->ticket == ticket_);
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

training_slot::submission training_slot::submit(bool velocity_wanted) {
  const auto takes_batch = step_pending_ && !batch_unused_;
  if (under_way_ || is_idle() || (takes_batch && !batch_))
    return {};
  job_->wants_mix = std::exchange(mix_pending_, false);
  job_->wants_velocity = job_->wants_mix && velocity_wanted;
  job_->neighbours.swap(mix_with_);
  job_->wants_step = std::exchange(step_pending_, false);
  job_->step_dropped = false;
  if (job_->wants_step) {
    job_->ticket = ticket_;
    job_->completed = completed_;
    job_->from = from_;
    if (takes_batch)
      job_->batch = *std::exchange(batch_, std::nullopt);
    batch_unused_ = false;
    samples_ = static_cast<std::uint32_t>(job_->batch.rows->size());
  }
  under_way_ = true;
  return {job_, takes_batch};
}

std::optional<training_slot::mixed_estimate> training_slot::take_back(round_report& report,
                                                                      run_origin origin) {
  assert(under_way_);
  under_way_ = false;
  if (!job_->wants_mix)
    return std::nullopt;
  report.mixed.projection_before = job_->mixed.projection_before;
  report.mixed.projection_after = job_->mixed.projection_after;
  report.mixed.norm_before = job_->mixed.norm_before;
  report.mix_began = std::chrono::duration_cast<nanoseconds>(job_->mix_began - origin);
  report.mix_ended = std::chrono::duration_cast<nanoseconds>(job_->mix_ended - origin);
  mixed_estimate done{std::move(job_->mixed.mixed), std::nullopt};
  if (job_->wants_velocity)
    done.velocity = std::exchange(job_->velocity, {});
  return done;
}

std::optional<nanoseconds> training_slot::take_step() {
  if (!job_->wants_step || job_->ticket != ticket_)
    return std::nullopt;
  estimate_ = std::move(job_->stepped.estimate);
  loss_ = job_->stepped.loss;
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
