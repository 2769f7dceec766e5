#include "learning/model/local_training.hpp"

#include "learning/model/make_model.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

namespace dybw {

namespace {

using vector = std::vector<float>;

/// 40 samples of 3 features and 2 classes.
std::shared_ptr<const dataset> small_data() {
  std::mt19937_64 generator{1};
  std::uniform_real_distribution<float> feature{0, 1};
  auto data = std::make_shared<dataset>();
  data->features = 3;
  data->classes = 2;
  vector values(40 * 3);
  for (auto& x : values)
    x = feature(generator);
  for (std::size_t i = 0; i < 40; ++i)
    data->labels.push_back(values[3 * i] > values[3 * i + 1] ? 1 : 0);
  data->values = std::move(values);
  return data;
}

std::shared_ptr<const training_setup> small_setup(const sgd_options& sgd, const outer_options& outer = {},
                                                  double correction = 0) {
  auto learner = make_model("softmax", {3, 2});
  const auto count = learner->parameter_count();
  return std::make_shared<const training_setup>(
      training_setup{std::move(learner),
                     small_data(),
                     std::make_shared<const sign_projection>(1, count),
                     sgd,
                     8,
                     1,
                     false,
                     outer,
                     {},
                     correction});
}

parameter_block filled_block(std::size_t count, float first) {
  auto buffer = std::make_shared<float_buffer>(count);
  for (auto& x : buffer->values())
    x = first++;
  return parameter_block{std::move(buffer)};
}

vector values_of(const parameter_block& block) {
  return {block.values().begin(), block.values().end()};
}

/// The gradient of the batch `rows` at `w`, by the model itself.
vector gradient_at(const training_setup& setup, const vector& w, const std::vector<std::uint32_t>& rows) {
  vector features(rows.size() * 3);
  std::vector<std::int32_t> labels(rows.size());
  setup.data->gather(rows, features, labels);
  vector gradient(w.size());
  const auto& classifies = dynamic_cast<const classifier&>(*setup.model);
  const auto workspace = classifies.make_workspace(8);
  classifies.loss_and_gradient(w, batch_view{features, labels}, gradient, *workspace);
  return gradient;
}

struct small_worker {
  explicit small_worker(sgd_options sgd = {}, outer_options outer = {}, double correction = 0)
      : setup(small_setup(sgd, outer, correction)), workspace(*setup),
        initial(filled_block(setup->model->parameter_count(), 1)), local(setup, initial) {}

  local_training::step_outcome step(round_number completed = 0) {
    return local.step(rows, completed, workspace);
  }
  local_training::mix_outcome mix(const std::vector<weighted_block>& neighbours = {}) {
    return local.mix(neighbours, workspace);
  }

  const std::vector<std::uint32_t> rows{0, 5, 9, 30};
  const std::vector<std::span<const std::uint32_t>> spans{rows};
  std::shared_ptr<const training_setup> setup;
  training_workspace workspace;
  parameter_block initial;
  local_training local;
};

} // namespace

TEST_CASE("local_training: a step leaves w as it is, its w~ is w minus the step size times the gradient") {
  small_worker worker{{.step_size = 0.5}};
  const auto before = values_of(worker.initial);
  const auto stepped = worker.step();
  const auto gradient = gradient_at(*worker.setup, before, worker.rows);
  CHECK(worker.local.current().values().data() == worker.initial.values().data());
  CHECK(values_of(worker.initial) == before);
  CHECK(stepped.loss > 0);
  for (std::size_t k = 0; k < before.size(); ++k)
    CHECK(stepped.estimate.values()[k] == doctest::Approx(before[k] - 0.5F * gradient[k]).epsilon(1e-6));
}

TEST_CASE("local_training: the step size decays with the rounds before the step") {
  small_worker worker{{.step_size = 0.5, .step_decay = 0.1}};
  const auto before = values_of(worker.initial);
  const auto first = values_of(worker.step(0).estimate);
  const auto third = values_of(worker.step(2).estimate);
  for (std::size_t k = 0; k < before.size(); ++k)
    CHECK(third[k] - before[k] == doctest::Approx(0.01 * (first[k] - before[k])).epsilon(1e-3));
}

TEST_CASE("local_training: mixing without neighbours makes the step's result w, the same block") {
  small_worker worker;
  const auto stepped = worker.step().estimate;
  const auto mixed = worker.mix();
  CHECK(mixed.mixed.values().data() == stepped.values().data());
  CHECK(worker.local.current().values().data() == stepped.values().data());
  CHECK(mixed.projection_after == mixed.projection_before);
}

TEST_CASE("local_training: mixing takes the weighted sum and tells the witness before and after") {
  small_worker worker;
  const auto own = worker.step().estimate;
  const auto other = filled_block(own.values().size(), -4);
  const auto outcome = worker.mix({{other, 0.25}});
  for (std::size_t k = 0; k < own.values().size(); ++k)
    CHECK(outcome.mixed.values()[k] == doctest::Approx(0.75 * own.values()[k] + 0.25 * other.values()[k]));
  const auto& projection = *worker.setup->projection;
  CHECK(outcome.projection_before == doctest::Approx(projection(own.values())));
  CHECK(outcome.projection_after == doctest::Approx(projection(outcome.mixed.values())));
  CHECK(outcome.norm_before == doctest::Approx(norm(own.values())));
}

TEST_CASE("local_training: two workers that mix with each other keep the sum of their projections") {
  small_worker a;
  small_worker b{{.step_size = 3}};
  const auto x = a.step().estimate;
  const auto y = b.step().estimate;
  const auto mixed_a = a.mix({{y, 0.5}});
  const auto mixed_b = b.mix({{x, 0.5}});
  CHECK(mixed_a.projection_before + mixed_b.projection_before ==
        doctest::Approx(mixed_a.projection_after + mixed_b.projection_after).epsilon(1e-6));
  CHECK(values_of(mixed_a.mixed) == values_of(mixed_b.mixed));
}

TEST_CASE("local_training: a step of several mini-batches is as many gradient steps, momentum and all") {
  const sgd_options sgd{.step_size = 0.3, .momentum = 0.9};
  const std::vector<std::vector<std::uint32_t>> rows{{0, 5, 9}, {1, 2}, {30, 31, 32, 33}, {7}};
  const std::vector<std::span<const std::uint32_t>> batches{rows.begin(), rows.end()};
  small_worker one_by_one{sgd};
  small_worker at_once{sgd};
  for (int round = 0; round < 3; ++round) {
    double loss = 0;
    for (const auto& batch : rows) {
      loss += one_by_one.local.step(batch, 0, one_by_one.workspace).loss / 4;
      one_by_one.mix();
    }
    at_once.local.step(row_batches{batches}.first(2), 0, at_once.workspace); // dropped
    const auto before = values_of(at_once.local.current());
    const auto made = at_once.local.step(batches, 0, at_once.workspace);
    CHECK(values_of(at_once.local.current()) == before);
    CHECK(made.samples == 10);
    CHECK(made.loss == doctest::Approx(loss));
    at_once.mix();
    CHECK(values_of(at_once.local.current()) == values_of(one_by_one.local.current()));
    CHECK(values_of(at_once.local.velocity()) == values_of(one_by_one.local.velocity()));
  }
}

TEST_CASE("local_training: a step that is not wanted any more ends with the gradient under way") {
  small_worker worker;
  const std::vector<std::span<const std::uint32_t>> batches(1000, worker.rows);
  const std::atomic<bool> dropped{true};
  CHECK(worker.local.step(batches, 0, worker.workspace, &dropped).samples == 4);
}

TEST_CASE("local_training: the outer step follows the way to the mix, with its momentum") {
  const outer_options outer{.momentum = 0.5, .step = 0.75};
  small_worker worker{{.step_size = 0.5}, outer};
  vector m(worker.initial.values().size());
  for (int round = 0; round < 4; ++round) {
    const auto phi = values_of(worker.local.current());
    const auto own = values_of(worker.step().estimate);
    const auto alone = round % 2 == 0;
    const auto other = filled_block(own.size(), static_cast<float>(-round));
    const auto mixed = alone ? worker.mix() : worker.mix({{other, 0.25}});
    double projection = 0;
    vector bar(own.size());
    for (std::size_t k = 0; k < own.size(); ++k) {
      bar[k] = alone ? own[k] : own[k] + 0.25F * (other.values()[k] - own[k]);
      m[k] = 0.5F * m[k] + (bar[k] - phi[k]);
      CHECK(mixed.mixed.values()[k] == doctest::Approx(phi[k] + 0.75F * m[k]).epsilon(1e-5));
    }
    projection = (*worker.setup->projection)(bar);
    CHECK(mixed.projection_after == doctest::Approx(projection).epsilon(1e-5));
    CHECK(values_of(worker.local.current()) == values_of(mixed.mixed));
    for (std::size_t k = 0; k < m.size(); ++k)
      CHECK(worker.local.outer().values()[k] == doctest::Approx(m[k]).epsilon(1e-5));
  }
}

TEST_CASE("local_training: in pairs the outer step leads on from where the step began") {
  const outer_options outer{.momentum = 0.5, .step = 0.75};
  small_worker plain{{.step_size = 0.5}};
  small_worker worker{{.step_size = 0.5}, outer};
  const auto at = filled_block(worker.initial.values().size(), 2);
  const std::span<const std::uint32_t> rows{worker.rows};
  const auto step = values_of(plain.local.step_from(at, {&rows, 1}, 0, plain.workspace).estimate);
  const auto first = values_of(worker.local.step_from(at, {&rows, 1}, 0, worker.workspace).estimate);
  const auto second = values_of(worker.local.step_from(at, {&rows, 1}, 0, worker.workspace).estimate);
  for (std::size_t k = 0; k < step.size(); ++k) {
    const auto way = step[k] - at.values()[k];
    CHECK(first[k] == doctest::Approx(at.values()[k] + 0.75F * way).epsilon(1e-5));
    CHECK(second[k] == doctest::Approx(at.values()[k] + 0.75F * 1.5F * way).epsilon(1e-5));
  }
}

TEST_CASE("local_training: a step adds what averaging over edges that count has moved the worker by before, "
          "shared out among its gradient steps") {
  const sgd_options sgd{.step_size = 0.5, .step_decay = 0.5};
  small_worker plain{sgd};
  small_worker worker{sgd, {}, 0.25};
  const auto size = worker.initial.values().size();
  const auto count = filled_block(size, -3), other = filled_block(size, 40);
  vector c(size);
  for (round_number round = 0; round < 3; ++round) {
    const auto at = worker.local.current();
    const auto own = worker.step(round).estimate;
    const auto stepped =
        values_of(plain.local.step_from(at, {&plain.spans[0], 1}, round, plain.workspace).estimate);
    const auto share = std::pow(0.5, static_cast<double>(round)); // a round is a pass here
    for (std::size_t k = 0; k < size; ++k)
      CHECK(own.values()[k] == doctest::Approx(stepped[k] + static_cast<float>(share) * c[k]).epsilon(1e-5));
    const auto mixed = worker.local.mix({{{count, 0.5, {}, true}, {other, 0.25}}}, worker.workspace, 0);
    for (std::size_t k = 0; k < size; ++k)
      c[k] += 0.25F * 0.5F * (count.values()[k] - own.values()[k]);
    CHECK(mixed.correction.projection == doctest::Approx((*worker.setup->projection)(c)).epsilon(1e-5));
    CHECK(mixed.correction.norm == doctest::Approx(norm(c)).epsilon(1e-5));
  }
  CHECK(values_of(worker.local.correction()).size() == size);
  worker.step(3);
  const auto anew =
      worker.local.mix({{{count, 0.5, {}, false}}}, worker.workspace, 9); // of another generation
  CHECK(anew.correction.norm == 0);

  // Without gradients, two gradient steps add half of it each.
  small_worker twice{{.step_size = 0.5}, {}, 1};
  small_worker once{{.step_size = 0.5}, {}, 1};
  for (auto* w : {&twice, &once}) {
    w->step();
    w->local.mix({{{count, 0.5, {}, true}}}, w->workspace, 0);
  }
  const std::vector<std::span<const std::uint32_t>> two{twice.rows, twice.rows};
  const auto at = values_of(once.local.current());
  const auto half = values_of(twice.local.correction());
  const auto end = values_of(twice.local.step(two, 0, twice.workspace).estimate);
  auto expected = at;
  for (int i = 0; i < 2; ++i) {
    const auto gradient = gradient_at(*once.setup, expected, once.rows);
    for (std::size_t k = 0; k < size; ++k)
      expected[k] += half[k] / 2 - 0.5F * gradient[k];
  }
  for (std::size_t k = 0; k < size; ++k)
    CHECK(end[k] == doctest::Approx(expected[k]).epsilon(1e-4));
}

TEST_CASE(
    "local_training: what was remembered goes on in just the same way, outer step, correction and all") {
  const sgd_options sgd{.step_size = 0.3, .momentum = 0.9};
  const outer_options outer{.momentum = 0.5, .step = 0.75};
  for (const bool stepped : {false, true}) {
    small_worker first{sgd, outer, 0.5};
    first.step();
    const auto other = filled_block(first.initial.values().size(), 9);
    first.local.mix({{{other, 0.5, {}, true}}}, first.workspace, 0);
    if (stepped)
      first.step();
    small_worker second{sgd, outer, 0.5};
    second.local.restore(first.local.state());
    for (auto* w : {&first, &second}) {
      if (!stepped)
        w->step();
      w->mix();
      w->step();
      w->mix();
    }
    CHECK(values_of(first.local.current()) == values_of(second.local.current()));
    CHECK(values_of(first.local.outer()) == values_of(second.local.outer()));
    CHECK(values_of(first.local.correction()) == values_of(second.local.correction()));
  }
}

TEST_CASE("local_training: a step that is dropped leaves no trace, not in the momentum either") {
  const sgd_options sgd{.step_size = 0.3, .momentum = 0.9};
  small_worker straight{sgd};
  small_worker dropping{sgd};
  for (int round = 0; round < 3; ++round) {
    straight.step();
    const auto expected = values_of(straight.mix().mixed);
    dropping.local.step(std::vector<std::uint32_t>{1, 2}, 0, dropping.workspace); // dropped
    dropping.step();
    CHECK(values_of(dropping.mix().mixed) == expected);
  }
}

TEST_CASE("local_training: momentum carries steps on, and is not mixed") {
  const sgd_options sgd{.step_size = 0.3, .momentum = 0.5};
  small_worker worker{sgd};
  const auto w0 = values_of(worker.initial);
  const auto w1 = values_of(worker.step().estimate);
  const auto far = filled_block(w0.size(), 100);
  const auto w = values_of(worker.mix({{far, 0.5}}).mixed);
  const auto gradient = gradient_at(*worker.setup, w, worker.rows);
  const auto w2 = values_of(worker.step().estimate);
  for (std::size_t k = 0; k < w.size(); ++k) // v2 = 0.5 v1 + g, and v1 is what moved w0 to w1
    CHECK(w2[k] == doctest::Approx(w[k] + 0.5F * (w1[k] - w0[k]) - 0.3F * gradient[k]).epsilon(1e-4));
}

TEST_CASE("local_training: from its parameters and velocity it goes on as if it had never stopped") {
  for (const float momentum : {0.0F, 0.9F}) {
    const sgd_options sgd{.step_size = 0.3F, .momentum = momentum};
    small_worker straight{sgd};
    for (int round = 0; round < 3; ++round) {
      straight.step();
      straight.mix();
    }
    const auto w = straight.local.current();
    const auto v = straight.local.velocity();
    CHECK(static_cast<bool>(v) == (momentum > 0));
    local_training resumed{straight.setup, w, v};
    training_workspace workspace{*straight.setup};
    straight.step(); // leaves both as they were
    CHECK(values_of(straight.local.velocity()) == values_of(v));
    for (int round = 0; round < 3; ++round) {
      const auto expected = values_of(straight.step().estimate);
      straight.mix();
      CHECK(values_of(resumed.step(straight.rows, 0, workspace).estimate) == expected);
      resumed.mix({}, workspace);
    }
  }
}

TEST_CASE("local_training: a step size of 0 computes no gradient, and its w~ is w, the same block") {
  small_worker worker{{.step_size = 0}};
  const auto stepped = worker.local.step(std::span<const std::uint32_t>{}, 0, worker.workspace);
  CHECK(stepped.loss == 0);
  CHECK(stepped.estimate.values().data() == worker.initial.values().data());
}

TEST_CASE("local_training: blocks that others still hold keep their values, and buffers are used again") {
  small_worker worker;
  const auto held = worker.step().estimate;
  const auto values = values_of(held);
  std::vector<const float*> addresses;
  for (int round = 0; round < 50; ++round) {
    worker.mix({{worker.initial, 0.5}});
    addresses.push_back(worker.step().estimate.values().data());
  }
  CHECK(values_of(held) == values);
  std::ranges::sort(addresses);
  addresses.erase(std::ranges::unique(addresses).begin(), addresses.end());
  CHECK(addresses.size() <= 4);
}

TEST_CASE(
    "local_training: one workspace serves workers in turn, and batches of every size up to the largest") {
  small_worker a;
  small_worker b;
  const auto rows = std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6, 7};
  b.local.step(rows, 0, a.workspace); // leaves its batch behind in a's workspace
  const auto expected = values_of(b.step().estimate);
  CHECK(values_of(a.step().estimate) == expected);
}

} // namespace dybw
