#include "actors/training/training_slot.hpp"
#include "tests/actors/support/small_training.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

namespace {

using std::chrono::seconds;
using namespace std::chrono_literals;

constexpr auto begin_of_run = run_origin{} + seconds{3};

/// A slot with a job of its own, and a trainer for it.
struct slot_with_job {
  explicit slot_with_job(const std::string& step_time = {})
      : slot(job, std::make_shared<step_clock>(step_time, "none", 3, worker_id{1}, 1)) {}
  explicit slot_with_job(const stride_rule& rule, const std::string& straggler = "none")
      : slot(job, std::make_shared<step_clock>("", straggler, 3, worker_id{1}, 1, rule)) {}

  void fetch(std::uint32_t first, std::uint64_t epoch = 0) {
    slot.ask_ahead();
    slot.take({std::make_shared<const std::vector<std::uint32_t>>(rows_from(first, 8)), epoch});
  }
  /// What a trainer does.
  void train() {
    if (job->wants_mix) {
      job->mixed = job->local->mix(job->neighbours, workspace);
      job->mix_began = run_origin{} + seconds{7};
      job->mix_ended = run_origin{} + seconds{8};
      job->neighbours.clear();
      if (job->wants_state)
        job->velocity = job->local->velocity();
    }
    if (job->wants_step && !job->step_dropped) {
      job->stepped = job->local->step(job->rows, job->completed, workspace);
      job->took = seconds{2};
      job->maker = job->local->maker();
    }
  }
  /// A first step, done.
  void step_once() {
    fetch(0);
    slot.begin_step(1, seconds{1}, {});
    REQUIRE(slot.submit(0ns, false).job);
    train();
    CHECK_FALSE(slot.take_back(report, begin_of_run).mixed);
    REQUIRE(slot.take_step());
  }

  static training_job_ptr job_of(const std::shared_ptr<const training_setup>& setup) {
    auto job = std::make_shared<training_job>();
    job->local = std::make_shared<local_training>(setup, filled_block(*setup->model, 0.25F));
    return job;
  }

  std::shared_ptr<const training_setup> setup = small_setup();
  training_workspace workspace{*setup};
  training_job_ptr job = job_of(setup);
  training_slot slot;
  round_report report;
};

} // namespace

TEST_CASE("training_slot: a step waits for its mini-batch") {
  slot_with_job x;
  CHECK(x.slot.is_idle());
  CHECK_FALSE(x.slot.begin_step(1, seconds{1}, {}, 7)); // it ends when the job is back
  CHECK_FALSE(x.slot.is_idle());
  CHECK_FALSE(x.slot.submit(0ns, false).job);
  x.fetch(16, 3);
  const auto next = x.slot.submit(0ns, false);
  REQUIRE(next.job == x.job);
  CHECK(x.job->wants_step);
  CHECK_FALSE(x.job->wants_mix);
  CHECK(x.job->ticket == 1);
  CHECK(x.job->completed == 7);
  CHECK(x.job->batches.front().rows->front() == 16);
  CHECK(x.slot.epoch() == 3);
  CHECK_FALSE(x.slot.is_idle());
}

TEST_CASE("training_slot: mini-batches are fetched ahead, several at a time, and used in order") {
  slot_with_job x;
  const auto first = x.slot.ask_ahead();
  CHECK(first > 1);
  CHECK(x.slot.ask_ahead() == 0); // they are on their way
  std::uint32_t next = 0;
  const auto arrive = [&](std::size_t count) {
    for (; count > 0; --count)
      x.slot.take({std::make_shared<const std::vector<std::uint32_t>>(rows_from(next++, 8)), 0});
  };
  arrive(first);
  std::size_t requests = 0;
  for (std::uint32_t step = 0; step < 32; ++step) {
    x.slot.begin_step(step + 1, seconds{1}, {});
    REQUIRE(x.slot.submit(0ns, false).job);
    CHECK(x.job->batches.front().rows->front() == step);
    x.train();
    x.slot.take_back(x.report, begin_of_run);
    const auto more = x.slot.ask_ahead();
    requests += more > 0 ? 1 : 0;
    arrive(more);
  }
  CHECK(requests <= 32 / 2);
  CHECK(training_slot{nullptr, nullptr}.ask_ahead() == 0); // without a model
}

TEST_CASE(
    "training_slot: a step of several gradients has as many mini-batches, and keeps them if it is dropped") {
  slot_with_job x{{.gradients = 3}};
  x.fetch(0, 0);
  x.slot.begin_step(1, seconds{1}, {}, 7);
  CHECK_FALSE(x.slot.submit(0ns, false).job);
  x.fetch(8, 0);
  CHECK_FALSE(x.slot.submit(0ns, false).job);
  x.fetch(16, 1);
  REQUIRE(x.slot.submit(0ns, false).job);
  REQUIRE(x.job->rows.size() == 3);
  for (std::uint32_t i = 0; i < 3; ++i)
    CHECK(x.job->rows[i].front() == 8 * i);
  CHECK(x.slot.epoch() == 1);
  x.slot.drop_step(seconds{2});
  x.train();
  x.slot.take_back(x.report, begin_of_run);
  CHECK_FALSE(x.slot.take_step());
  x.slot.begin_step(2, seconds{2}, {});
  REQUIRE(x.slot.submit(0ns, false).job);
  CHECK(x.job->rows.size() == 3);
  CHECK(x.job->rows.front().front() == 0);
  x.train();
  x.slot.take_back(x.report, begin_of_run);
  REQUIRE(x.slot.take_step());
  CHECK(x.slot.steps() == 3);
  x.slot.describe_step(x.report);
  CHECK(x.report.gradients == 3);
  CHECK(x.report.samples == 24);
}

TEST_CASE("training_slot: gradients that a straggler computes are drawn once for a step, dropped or not") {
  slot_with_job x{{.gradients = 3}, "computed:slow:3:2.5"};
  for (std::uint32_t i = 0; i < 3; ++i)
    x.fetch(8 * i);
  for (std::uint64_t ticket = 1; ticket <= 2; ++ticket) {
    x.slot.begin_step(ticket, seconds{1}, {});
    REQUIRE(x.slot.submit(0ns, false).job);
    CHECK(x.job->steps == 3);
    CHECK(x.job->gradients == 7.5);
    CHECK(x.slot.delays_drawn() == 0); // they would be drawn again by who goes on from here
    if (ticket == 1)
      x.slot.drop_step(seconds{2});
    x.train();
    x.slot.take_back(x.report, begin_of_run);
    CHECK(x.slot.take_step().has_value() == (ticket == 2));
  }
  CHECK(x.slot.delays_drawn() == 3);
}

TEST_CASE(
    "training_slot: a worker that has become slow plans fewer local steps, though none of its steps counts") {
  slot_with_job x{{.time = seconds{10}}};
  std::uint32_t next = 0;
  const auto begin = [&](std::uint64_t ticket, nanoseconds now) {
    x.slot.begin_step(ticket, now, {});
    for (auto missing = x.slot.ask_ahead(); missing > 0; --missing)
      x.slot.take({std::make_shared<const std::vector<std::uint32_t>>(rows_from(next++, 8)), 0});
    REQUIRE(x.slot.submit(0ns, false).job);
    return x.job->steps;
  };
  CHECK(begin(1, seconds{1}) == 1);
  x.train(); // two seconds
  x.slot.take_back(x.report, begin_of_run);
  REQUIRE(x.slot.take_step());
  CHECK(begin(2, seconds{3}) == 4);
  x.slot.drop_step(seconds{23}); // five seconds each by then, and not done
  x.train();
  x.slot.take_back(x.report, begin_of_run);
  CHECK_FALSE(x.slot.take_step());
  CHECK(begin(3, seconds{23}) == 2);
  CHECK(x.job->rows[0].front() == 1); // the mini-batches of the dropped step come first
  CHECK(x.job->rows[1].front() == 2);
}

TEST_CASE("training_slot: with a time for local steps there are as many as lately fitted into it") {
  slot_with_job x{{.time = seconds{10}}};
  std::uint32_t next = 0;
  const auto step = [&](std::uint64_t ticket) {
    for (auto missing = x.slot.ask_ahead(); missing > 0; --missing)
      x.slot.take({std::make_shared<const std::vector<std::uint32_t>>(rows_from(next++, 8)), 0});
    x.slot.begin_step(ticket, seconds{1}, {});
    for (auto missing = x.slot.ask_ahead(); missing > 0; --missing)
      x.slot.take({std::make_shared<const std::vector<std::uint32_t>>(rows_from(next++, 8)), 0});
    REQUIRE(x.slot.submit(0ns, false).job);
    x.train();
    x.job->took = seconds{2} * x.job->steps;
    x.slot.take_back(x.report, begin_of_run);
    REQUIRE(x.slot.take_step());
    return x.slot.steps();
  };
  CHECK(step(1) == 1); // nothing is known yet
  CHECK(step(2) == 4); // a single step says little
  CHECK(step(3) == 5);
  CHECK(step(4) == 5);
}

TEST_CASE("training_slot: a job is small if what it asks for took little time before") {
  slot_with_job x;
  x.fetch(0);
  x.slot.begin_step(1, seconds{1}, {});
  CHECK_FALSE(x.slot.submit(0ns, false).is_small); // not known yet
  x.train();
  x.job->cpu = std::chrono::microseconds{60};
  x.slot.take_back(x.report, begin_of_run);
  REQUIRE(x.slot.take_step());
  x.slot.begin_mix();
  CHECK_FALSE(x.slot.submit(0ns, false).is_small); // no mix was before
  x.train();
  x.job->mix_ended = x.job->mix_began + std::chrono::microseconds{30};
  x.slot.take_back(x.report, begin_of_run);
  x.fetch(8);
  x.slot.begin_step(2, seconds{2}, {});
  CHECK(x.slot.submit(0ns, false).is_small);
  x.train();
  x.job->cpu = std::chrono::microseconds{80};
  x.slot.take_back(x.report, begin_of_run);
  REQUIRE(x.slot.take_step());
  x.slot.begin_mix();
  x.fetch(16);
  x.slot.begin_step(3, seconds{3}, {});
  CHECK_FALSE(x.slot.submit(0ns, false).is_small); // both together
}

TEST_CASE("training_slot: a mix of more blocks than the one before is taken to last as much longer") {
  for (const std::size_t neighbours : {2, 3}) {
    slot_with_job x;
    x.slot.begin_mix().resize(1);
    CHECK_FALSE(x.slot.submit(0ns, false).is_small); // not known yet
    x.job->neighbours.clear();
    x.job->mix_began = run_origin{};
    x.job->mix_ended = x.job->mix_began + std::chrono::microseconds{60};
    x.slot.take_back(x.report, begin_of_run);
    x.slot.begin_mix().resize(neighbours);
    CHECK(x.slot.submit(0ns, false).is_small == (neighbours == 2)); // 90 us, 120 us
  }
}

TEST_CASE("training_slot: a step that computes more is no small job because the one before was") {
  const auto job = slot_with_job::job_of(small_setup());
  const auto clock = std::make_shared<step_clock>("", "computed:random:0.5:8", 3, worker_id{1}, 1);
  training_slot slot{job, clock};
  round_report report;
  bool was_slow = false;
  for (std::uint64_t step = 1; step <= 40; ++step) {
    for (auto missing = slot.ask_ahead(); missing > 0; --missing)
      slot.take({std::make_shared<const std::vector<std::uint32_t>>(rows_from(0, 8)), 0});
    slot.begin_step(step, seconds{1}, {});
    const auto next = slot.submit(0ns, false);
    REQUIRE(next.job);
    const auto gradients = job->gradients;
    CHECK(slot.delays_drawn() == step - 1); // of the steps done
    CHECK(next.is_small == (step > 1 && gradients == 1));
    was_slow = was_slow || gradients == 8;
    if (step == 7) { // dropped: the next is as slow, and draws nothing
      slot.drop_step(seconds{1});
      slot.take_back(report, begin_of_run);
      slot.begin_step(++step, seconds{1}, {});
      REQUIRE(slot.submit(0ns, false).job);
      CHECK(job->gradients == gradients);
      CHECK(clock->drawn() == 7);
      break;
    }
    job->cpu = std::chrono::microseconds{30} * static_cast<int>(gradients);
    slot.take_back(report, begin_of_run);
    REQUIRE(slot.take_step());
  }
  CHECK(was_slow);
}

TEST_CASE("training_slot: one job is under way at a time") {
  slot_with_job x;
  x.step_once();
  x.slot.begin_mix();
  REQUIRE(x.slot.submit(0ns, false).job);
  x.fetch(8);
  x.slot.begin_step(2, seconds{4}, {});
  CHECK_FALSE(x.slot.submit(0ns, false).job);
  x.train();
  CHECK(x.slot.take_back(x.report, begin_of_run).mixed);
  CHECK_FALSE(x.slot.take_step()); // that job had none
  CHECK(x.slot.submit(0ns, false).job);
  CHECK_FALSE(x.job->wants_mix);
  CHECK(x.job->wants_step);
}

TEST_CASE("training_slot: a mix and the step after it wait for the mini-batch together") {
  slot_with_job x;
  x.step_once();
  const auto stepped = x.slot.estimate().values()[0];
  x.slot.begin_mix().push_back({filled_block(*x.setup->model, 1), 0.5});
  CHECK(x.slot.mix_is_pending());
  x.slot.begin_step(2, seconds{4}, {});
  CHECK_FALSE(x.slot.submit(0ns, false).job);
  x.fetch(8);
  REQUIRE(x.slot.submit(0ns, false).job);
  CHECK_FALSE(x.slot.mix_is_pending());
  CHECK(x.job->wants_mix);
  CHECK(x.job->wants_step);
  x.train();
  const auto mixed = x.slot.take_back(x.report, begin_of_run);
  REQUIRE(mixed.mixed);
  CHECK(mixed.mixed.values()[0] == doctest::Approx((stepped + 1) / 2));
  CHECK_FALSE(mixed.state);
  CHECK(x.slot.take_step());
  CHECK(x.slot.is_idle());
  x.slot.begin_mix(); // begins with an empty list
  REQUIRE(x.slot.submit(0ns, false).job);
  CHECK(x.job->neighbours.empty());
}

TEST_CASE("training_slot: the velocity comes with a mix, when it is wanted") {
  slot_with_job x;
  x.fetch(0);
  x.slot.begin_step(1, seconds{1}, {});
  REQUIRE(x.slot.submit(0ns, true).job);
  CHECK_FALSE(x.job->wants_state); // no mix, no state to go on from
  x.train();
  CHECK_FALSE(x.slot.take_back(x.report, begin_of_run).mixed);
  REQUIRE(x.slot.take_step());
  x.slot.begin_mix();
  REQUIRE(x.slot.submit(0ns, true).job);
  CHECK(x.job->wants_state);
  x.train();
  const auto mixed = x.slot.take_back(x.report, begin_of_run);
  REQUIRE(mixed.mixed);
  CHECK(mixed.state);
  CHECK_FALSE(x.job->velocity); // the job holds it no longer
}

TEST_CASE("training_slot: a step ends after its computing time and the delay injected, and is told of so") {
  slot_with_job x{"const:5"};
  x.fetch(0);
  x.slot.begin_step(1, seconds{1}, {});
  REQUIRE(x.slot.submit(0ns, false).job);
  x.train();
  CHECK_FALSE(x.slot.take_back(x.report, begin_of_run).mixed);
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
  REQUIRE(x.slot.submit(0ns, false).job);
  x.train();
  REQUIRE(x.slot.take_back(x.report, begin_of_run).mixed);
  CHECK(x.report.mix_began == seconds{4});
  CHECK(x.report.mix_ended == seconds{5});
  CHECK(x.report.mixed.norm_before > 0);
  CHECK(x.report.mixed.projection_after == doctest::Approx(x.report.mixed.projection_before));
}

TEST_CASE("training_slot: of a step dropped under way nothing counts, and the next takes its mini-batch") {
  slot_with_job x;
  x.fetch(16);
  x.slot.begin_step(1, seconds{1}, {});
  REQUIRE(x.slot.submit(0ns, false).job);
  x.slot.drop_step(seconds{4});
  CHECK(x.job->step_dropped);
  CHECK(x.slot.ticket() == 0);
  CHECK(x.slot.discarded() == seconds{0}); // only once another follows
  x.slot.begin_step(2, seconds{4}, {});
  CHECK(x.slot.discarded() == seconds{3});
  x.fetch(24);
  CHECK_FALSE(x.slot.submit(0ns, false).job); // it is not back
  x.train();
  CHECK_FALSE(x.slot.take_back(x.report, begin_of_run).mixed);
  CHECK_FALSE(x.slot.take_step());
  CHECK_FALSE(x.slot.estimate());
  const auto next = x.slot.submit(0ns, false);
  REQUIRE(next.job);
  CHECK_FALSE(x.job->step_dropped);
  CHECK(x.job->ticket == 2);
  CHECK(x.job->batches.front().rows->front() == 16);
}

TEST_CASE("training_slot: a step dropped while it waits leaves its mini-batch for the next") {
  slot_with_job x;
  x.fetch(16);
  x.slot.begin_step(1, seconds{1}, {});
  x.slot.drop_step(seconds{2});
  CHECK(x.slot.is_idle());
  CHECK_FALSE(x.slot.submit(0ns, false).job);
  x.slot.begin_step(2, seconds{2}, {});
  const auto next = x.slot.submit(0ns, false);
  REQUIRE(next.job);
  CHECK(x.job->batches.front().rows->front() == 16);
}

TEST_CASE("training_slot: a step of another process that takes ten times as long as usual is stalled") {
  struct elsewhere final : local_learner {
    learner_output step(const learner_input&, std::span<const float> w, std::span<float> next) override {
      std::ranges::copy(w, next.begin());
      return {};
    }
    bool waits() const noexcept override { return true; }
    std::string_view maker() const noexcept override { return "trainer 7"; }
  };
  for (const auto waits : {true, false}) {
    CAPTURE(waits);
    auto setup = std::make_shared<training_setup>(*small_setup());
    if (waits)
      setup->learners = [](worker_id) { return std::make_unique<elsewhere>(); };
    slot_with_job x;
    x.job->local = std::make_shared<local_training>(setup, filled_block(*setup->model, 0.25F));
    x.step_once(); // takes two seconds
    CHECK(x.slot.maker() == (waits ? "trainer 7" : ""));
    x.fetch(8);
    x.slot.begin_step(2, 30s, {});
    REQUIRE(x.slot.submit(30s, false).job);
    CHECK_FALSE(x.slot.is_stalled(50s));
    CHECK(x.slot.is_stalled(51s) == waits);
    x.slot.drop_step(52s);
    x.slot.begin_step(3, 52s, {});
    CHECK(x.slot.is_stalled(53s) == waits); // nobody has begun the next
    x.slot.take_back(x.report, begin_of_run);
    CHECK_FALSE(x.slot.is_stalled(53s));
  }
}

TEST_CASE("training_slot: a step in pairwise averaging begins where the worker stands when it is wanted") {
  slot_with_job x;
  x.fetch(0);
  const auto here = filled_block(*x.setup->model, 0.5F);
  x.slot.begin_step(1, seconds{1}, here);
  REQUIRE(x.slot.submit(0ns, false).job);
  CHECK(x.job->from.values().data() == here.values().data());
  CHECK(x.slot.from().values().data() == here.values().data());
}

TEST_CASE("training_slot: without a model a step takes its injected delay alone") {
  training_slot slot{nullptr, std::make_shared<step_clock>("const:5", "none", 3, worker_id{1}, 1)};
  CHECK(slot.begin_step(4, seconds{1}, {}) == seconds{5});
  CHECK(slot.ticket() == 4);
  CHECK(slot.is_idle());
  CHECK_FALSE(slot.submit(0ns, true).job);
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
