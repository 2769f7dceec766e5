#include "learning/model/test_bench.hpp"

#include "learning/model/vector_ops.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>

namespace dybw {

namespace {

constexpr std::size_t batch_max = 256;

} // namespace

test_bench::test_bench(std::shared_ptr<const model> learner, std::shared_ptr<const dataset> test)
    : learner_(std::move(learner)), test_(std::move(test)), workspace_(learner_->make_workspace(batch_max)),
      rows_(test_->size()), features_(batch_max * test_->features), labels_(batch_max),
      average_(learner_->parameter_count()) {
  std::iota(rows_.begin(), rows_.end(), std::uint32_t{0});
}

test_score test_bench::score(std::span<const float> parameters, std::size_t first, std::size_t count) {
  assert(first + count <= test_->size());
  batch_score sum;
  for (std::size_t done = 0; done < count; done += batch_max) {
    const auto batch = std::min(batch_max, count - done);
    const auto features = std::span{features_}.first(batch * test_->features);
    const auto labels = std::span{labels_}.first(batch);
    test_->gather(std::span{rows_}.subspan(first + done, batch), features, labels);
    const auto part = learner_->score(parameters, batch_view{features, labels}, *workspace_);
    sum.loss_sum += part.loss_sum;
    sum.correct += part.correct;
  }
  const auto n = static_cast<double>(std::max<std::size_t>(count, 1));
  return {static_cast<double>(sum.correct) / n, sum.loss_sum / n};
}

test_bench::average test_bench::average_of(std::span<const parameter_block> estimates) {
  std::vector<std::span<const float>> vectors;
  vectors.reserve(estimates.size());
  for (const auto& e : estimates)
    vectors.push_back(e.values());
  const auto distance = average_and_consensus_distance(vectors, average_);
  return {average_, distance};
}

evaluation test_bench::evaluate(std::span<const parameter_block> estimates) {
  assert(!estimates.empty());
  const auto mean = average_of(estimates);
  const auto whole = score(mean.parameters, samples());
  evaluation e;
  e.consensus_distance = mean.consensus_distance;
  e.test_accuracy = whole.accuracy;
  e.test_loss = whole.loss;
  e.worst_worker_accuracy = 1;
  const auto each = std::clamp<std::size_t>(samples() / estimates.size(), 500, 2000);
  for (const auto& x : estimates)
    e.worst_worker_accuracy = std::min(e.worst_worker_accuracy, score(x.values(), each).accuracy);
  return e;
}

} // namespace dybw
