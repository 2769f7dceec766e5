#pragma once

#include "learning/data/dataset.hpp"
#include "learning/model/evaluation.hpp"
#include "learning/model/model.hpp"
#include "learning/model/parameter_block.hpp"

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

namespace dybw {

struct test_score {
  double accuracy = 0; ///< share of the samples classified rightly
  double loss = 0;     ///< mean cross-entropy, nats
};

/// Measures estimates on a test set in fixed-size batches; its memory is allocated once. Not thread-safe.
class test_bench {
public:
  test_bench(std::shared_ptr<const model> learner, std::shared_ptr<const dataset> test);

  std::size_t samples() const noexcept { return test_->size(); }

  /// On the samples [first, first + count) of the test set. REQUIRES: they exist.
  test_score score(std::span<const float> parameters, std::size_t first, std::size_t count);
  /// On the first `samples` of the test set, at most all of them.
  test_score score(std::span<const float> parameters, std::size_t samples) {
    return score(parameters, 0, std::min(samples, test_->size()));
  }

  /// The average of the estimates ([parameter_count] each, at least one) and their mean squared distance from
  /// it, the consensus distance. The average stays valid until the next call.
  struct average {
    std::span<const float> parameters;
    double consensus_distance = 0;
  };
  average average_of(std::span<const parameter_block> estimates);

  /// An interim evaluation of all that can be told from the estimates (at least one): the average on the
  /// whole test set, each of them on as many samples as cost no more in all, as far as that leaves enough to
  /// tell. Times and steps are the caller's to fill in.
  evaluation evaluate(std::span<const parameter_block> estimates);

private:
  std::shared_ptr<const model> learner_;
  std::shared_ptr<const dataset> test_;
  std::unique_ptr<model_workspace> workspace_;
  std::vector<std::uint32_t> rows_;
  std::vector<float> features_;
  std::vector<std::int32_t> labels_;
  std::vector<float> average_;
};

} // namespace dybw
