#include "actors/training/trainer.hpp"
#include "tests/actors/support/small_training.hpp"
#include "tests/actors/support/test_system.hpp"
#include "tests/actors/support/throwing_model.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

namespace {

using finished_jobs = std::shared_ptr<std::vector<training_job_ptr>>;

training_client_actor::behavior_type fake_client(training_client_actor::pointer, finished_jobs done) {
  return {[done](const training_done& x) { done->push_back(x.job); }};
}

training_job_ptr step_job(const std::shared_ptr<const training_setup>& setup,
                          const training_client_actor& client) {
  auto job = std::make_shared<training_job>();
  job->local = std::make_shared<local_training>(setup, filled_block(*setup->model, 0));
  job->client = client;
  job->wants_step = true;
  job->batches = {{std::make_shared<const std::vector<std::uint32_t>>(rows_from(0, 8)), 0}};
  job->rows = {*job->batches.front().rows};
  return job;
}

/// Softmax that writes down how many samples each gradient is of.
class counting_model final : public wrapped_model {
public:
  counting_model() : wrapped_model(make_model("softmax", {4, 2})) {}
  double loss_and_gradient(std::span<const float> parameters, const batch_view& batch,
                           std::span<float> gradient, model_workspace& workspace) const override {
    samples.push_back(batch.labels.size());
    return wrapped_model::loss_and_gradient(parameters, batch, gradient, workspace);
  }

  mutable std::vector<std::size_t> samples;
};

} // namespace

TEST_CASE("trainer: a straggler that computes takes its gradient again, and steps as anybody") {
  auto learner = std::make_shared<counting_model>();
  auto setup = std::make_shared<training_setup>(*small_setup());
  setup->model = learner;
  training_workspace workspace{*setup};
  auto quick = step_job(setup, {});
  run_job(*quick, workspace);
  CHECK(learner->samples == std::vector<std::size_t>{8});
  auto slow = step_job(setup, {});
  slow->gradients = 3.5;
  run_job(*slow, workspace);
  CHECK(learner->samples == std::vector<std::size_t>{8, 8, 8, 8, 4});
  CHECK(std::ranges::equal(quick->stepped.estimate.values(), slow->stepped.estimate.values()));
}

TEST_CASE("trainer_pool: does what each job asks for and gives it back to who sent it") {
  test_system actors;
  const auto setup = small_setup();
  const auto done = std::make_shared<std::vector<training_job_ptr>>();
  const auto client = actors.spawn(fake_client, done);
  const auto pool = actors.spawn(trainer_pool, setup, std::size_t{1}, false);
  const auto job = step_job(setup, client);
  actors.tell(pool, job);
  REQUIRE(done->size() == 1);
  CHECK(done->front() == job);
  CHECK(job->stepped.loss == doctest::Approx(std::log(2)));
  CHECK(job->took > nanoseconds{0});
  CHECK_FALSE(job->mixed.mixed);

  job->wants_mix = true;
  job->wants_step = false;
  job->neighbours.push_back({filled_block(*setup->model, 1), 0.5});
  const auto stepped = job->stepped.estimate;
  actors.tell(pool, job);
  REQUIRE(done->size() == 2);
  CHECK(job->mixed.mixed.values()[0] == doctest::Approx(0.5F * stepped.values()[0] + 0.5F));
  CHECK(job->neighbours.empty()); // lets go of the neighbour's block
}

TEST_CASE(
    "trainer_pool: gives jobs to idle trainers, and the rest in order of arrival as trainers become idle") {
  test_system actors;
  const auto setup = small_setup();
  const auto done = std::make_shared<std::vector<training_job_ptr>>();
  const auto client = actors.spawn(fake_client, done);
  const auto pool = actors.spawn(trainer_pool, setup, std::size_t{2}, false);
  actors.run();
  std::vector<training_job_ptr> jobs;
  for (int i = 0; i < 6; ++i) {
    jobs.push_back(step_job(setup, client));
    caf::anon_send(pool, jobs.back());
  }
  CHECK(actors.actors_ready() == 1); // the pool
  actors.run_one();
  CHECK(actors.actors_ready() == 2); // both trainers have a job, nobody else anything to do
  CHECK(done->empty());
  actors.run();
  CHECK(*done == jobs);
}

TEST_CASE("trainer_pool: a trainer that fails takes the pool down") {
  test_system actors;
  const auto setup = throwing_setup();
  const auto done = std::make_shared<std::vector<training_job_ptr>>();
  const auto client = actors.spawn(fake_client, done);
  const auto pool = actors.spawn(trainer_pool, setup, std::size_t{2}, false);
  caf::scoped_actor self{actors.system()};
  self->monitor(pool);
  actors.tell(pool, step_job(setup, client));
  auto went_down = false;
  self->receive([&](const caf::down_msg& down) { went_down = down.source == pool.address(); });
  CHECK(went_down);
  CHECK(done->empty());
}

} // namespace dybw::test
