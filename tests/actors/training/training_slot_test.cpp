#include "actors/training/training_slot.hpp"
#include "tests/actors/support/small_training.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

namespace {

using std::chrono::seconds;

constexpr auto origin = run_origin{} + seconds{3};

/// A slot with a job of its own, and a trainer for it.
struct slot_with_job {
  explicit slot_with_job(const std::string& step_time = {})
      : slot(job, std::make_shared<step_clock>(step_time, "none", 3, worker_id{1}, 1)) {
    job->local = std::make_shared<local_training>(setup, filled_block(*setup->learner, 0.25F));
  }

  void fetch(std::uint32_t first, std::uint64_t epoch = 0) {
    slot.take({std::make_shared<const std::vector<std::uint32_t>>(rows_from(first, 8)), epoch});
  }
  /// What a trainer does.
  void train() {
    if (job->wants_mix) {
      job->mixed = job->local->mix(job->neighbours, workspace);
      job->mix_began = run_origin{} + seconds{7};
      job->mix_ended = run_origin{} + seconds{8};
      job->neighbours.clear();
      if (job->wants_velocity)
        job->velocity = job->local->velocity();
    }
    if (job->wants_step && !job->step_dropped) {
      job->stepped = job->local->step(*job->batch.rows, job->completed, workspace);
      job->took = seconds{2};
    }
  }
  /// A first step, done.
  void step_once() {
    fetch(0);
    slot.begin_step(1, seconds{1}, {});
    REQUIRE(slot.submit(false).job);
    train();
    CHECK_FALSE(slot.take_back(report, origin));
    REQUIRE(slot.take_step());
  }

  std::shared_ptr<const training_setup> setup = small_setup();
  training_workspace workspace{*setup};
  training_job_ptr job = std::make_shared<training_job>();
  training_slot slot;
  round_report report;
};

} // namespace

TEST_CASE("training_slot: a step waits for its mini-batch and says when the next is to be fetched") {
  slot_with_job x;
  CHECK(x.slot.is_idle());
  CHECK_FALSE(x.slot.begin_step(1, seconds{1}, {}, 7)); // it ends when the job is back
  CHECK_FALSE(x.slot.is_idle());
  CHECK_FALSE(x.slot.submit(false).job);
  x.fetch(16, 3);
  const auto next = x.slot.submit(false);
  REQUIRE(next.job == x.job);
  CHECK(next.takes_batch);
  CHECK(x.job->wants_step);
  CHECK_FALSE(x.job->wants_mix);
  CHECK(x.job->ticket == 1);
  CHECK(x.job->completed == 7);
  CHECK(x.job->batch.rows->front() == 16);
  CHECK(x.slot.epoch() == 3);
  CHECK_FALSE(x.slot.is_idle());
}

TEST_CASE("training_slot: one job is under way at a time") {
  slot_with_job x;
  x.step_once();
  x.slot.begin_mix();
  REQUIRE(x.slot.submit(false).job);
  x.fetch(8);
  x.slot.begin_step(2, seconds{4}, {});
  CHECK_FALSE(x.slot.submit(false).job);
  x.train();
  CHECK(x.slot.take_back(x.report, origin));
  CHECK_FALSE(x.slot.take_step()); // that job had none
  CHECK(x.slot.submit(false).job);
  CHECK_FALSE(x.job->wants_mix);
  CHECK(x.job->wants_step);
}

TEST_CASE("training_slot: a mix and the step after it wait for the mini-batch together") {
  slot_with_job x;
  x.step_once();
  const auto stepped = x.slot.estimate().values()[0];
  x.slot.begin_mix().push_back({filled_block(*x.setup->learner, 1), 0.5});
  CHECK(x.slot.mix_is_pending());
  x.slot.begin_step(2, seconds{4}, {});
  CHECK_FALSE(x.slot.submit(false).job);
  x.fetch(8);
  REQUIRE(x.slot.submit(false).job);
  CHECK_FALSE(x.slot.mix_is_pending());
  CHECK(x.job->wants_mix);
  CHECK(x.job->wants_step);
  x.train();
  const auto mixed = x.slot.take_back(x.report, origin);
  REQUIRE(mixed);
  CHECK(mixed->estimate.values()[0] == doctest::Approx((stepped + 1) / 2));
  CHECK_FALSE(mixed->velocity);
  CHECK(x.slot.take_step());
  CHECK(x.slot.is_idle());
  x.slot.begin_mix(); // begins with an empty list
  REQUIRE(x.slot.submit(false).job);
  CHECK(x.job->neighbours.empty());
}

TEST_CASE("training_slot: the velocity comes with a mix, when it is wanted") {
  slot_with_job x;
  x.fetch(0);
  x.slot.begin_step(1, seconds{1}, {});
  REQUIRE(x.slot.submit(true).job);
  CHECK_FALSE(x.job->wants_velocity); // no mix, no state to go on from
  x.train();
  CHECK_FALSE(x.slot.take_back(x.report, origin));
  REQUIRE(x.slot.take_step());
  x.slot.begin_mix();
  REQUIRE(x.slot.submit(true).job);
  CHECK(x.job->wants_velocity);
  x.train();
  const auto mixed = x.slot.take_back(x.report, origin);
  REQUIRE(mixed);
  CHECK(mixed->velocity);
  CHECK_FALSE(x.job->velocity); // the job holds it no longer
}

TEST_CASE("training_slot: a step ends after its computing time and the delay injected, and is told of so") {
  slot_with_job x{"const:5"};
  x.fetch(0);
  x.slot.begin_step(1, seconds{1}, {});
  REQUIRE(x.slot.submit(false).job);
  x.train();
  CHECK_FALSE(x.slot.take_back(x.report, origin));
  CHECK(x.slot.take_step() == seconds{5});
  CHECK(x.slot.ticket() == 1);
  CHECK(x.slot.estimate());
  round_report report;
  x.slot.describe_step(report);
  CHECK(report.compute == seconds{7});
  CHECK(report.loss > 0);
  CHECK(report.samples == 8);
}

TEST_CASE("training_slot: a report tells of the mix by the run's clock") {
  slot_with_job x;
  x.step_once();
  x.slot.begin_mix();
  REQUIRE(x.slot.submit(false).job);
  x.train();
  REQUIRE(x.slot.take_back(x.report, origin));
  CHECK(x.report.mix_began == seconds{4});
  CHECK(x.report.mix_ended == seconds{5});
  CHECK(x.report.mixed.norm_before > 0);
  CHECK(x.report.mixed.projection_after == doctest::Approx(x.report.mixed.projection_before));
}

TEST_CASE("training_slot: of a step dropped under way nothing counts, and the next takes its mini-batch") {
  slot_with_job x;
  x.fetch(16);
  x.slot.begin_step(1, seconds{1}, {});
  REQUIRE(x.slot.submit(false).job);
  x.slot.drop_step(seconds{4});
  CHECK(x.job->step_dropped);
  CHECK(x.slot.ticket() == 0);
  CHECK(x.slot.discarded() == seconds{0}); // only once another follows
  x.slot.begin_step(2, seconds{4}, {});
  CHECK(x.slot.discarded() == seconds{3});
  x.fetch(24);
  CHECK_FALSE(x.slot.submit(false).job); // it is not back
  x.train();
  CHECK_FALSE(x.slot.take_back(x.report, origin));
  CHECK_FALSE(x.slot.take_step());
  CHECK_FALSE(x.slot.estimate());
  const auto next = x.slot.submit(false);
  REQUIRE(next.job);
  CHECK_FALSE(next.takes_batch);
  CHECK_FALSE(x.job->step_dropped);
  CHECK(x.job->ticket == 2);
  CHECK(x.job->batch.rows->front() == 16);
}

TEST_CASE("training_slot: a step dropped while it waits leaves its mini-batch for the next") {
  slot_with_job x;
  x.fetch(16);
  x.slot.begin_step(1, seconds{1}, {});
  x.slot.drop_step(seconds{2});
  CHECK(x.slot.is_idle());
  CHECK_FALSE(x.slot.submit(false).job);
  x.slot.begin_step(2, seconds{2}, {});
  const auto next = x.slot.submit(false);
  REQUIRE(next.job);
  CHECK(next.takes_batch);
  CHECK(x.job->batch.rows->front() == 16);
}

TEST_CASE("training_slot: a step in pairwise averaging begins where the worker stands when it is wanted") {
  slot_with_job x;
  x.fetch(0);
  const auto here = filled_block(*x.setup->learner, 0.5F);
  x.slot.begin_step(1, seconds{1}, here);
  REQUIRE(x.slot.submit(false).job);
  CHECK(x.job->from.values().data() == here.values().data());
  CHECK(x.slot.from().values().data() == here.values().data());
}

TEST_CASE("training_slot: without a model a step takes its injected delay alone") {
  training_slot slot{nullptr, std::make_shared<step_clock>("const:5", "none", 3, worker_id{1}, 1)};
  CHECK(slot.begin_step(4, seconds{1}, {}) == seconds{5});
  CHECK(slot.ticket() == 4);
  CHECK(slot.is_idle());
  CHECK_FALSE(slot.submit(true).job);
  round_report report;
  slot.describe_step(report);
  CHECK(report.compute == seconds{5});
  CHECK(report.samples == 0);
  slot.drop_step(seconds{3});
  slot.begin_step(5, seconds{3}, {});
  CHECK(slot.discarded() == seconds{2});
  slot.close();
}

} // namespace dybw::test
