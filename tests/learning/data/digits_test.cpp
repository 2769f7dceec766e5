#include "learning/data/digits.hpp"

#include "learning/data/mini_batch.hpp"
#include "tests/learning/data/files.hpp"

#include <Eigen/Core>
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <unordered_set>

using namespace dybw;
using namespace dybw::test;

namespace {

std::vector<std::uint32_t> all_rows(const dataset& data) {
  std::vector<std::uint32_t> rows(data.size());
  std::iota(rows.begin(), rows.end(), 0U);
  return rows;
}

struct samples {
  Eigen::MatrixXf features; // [features][rows]
  std::vector<std::int32_t> labels;
  samples(const dataset& data, std::span<const std::uint32_t> rows)
      : features(data.features, rows.size()), labels(rows.size()) {
    data.gather(rows, {features.data(), rows.size() * data.features}, labels);
  }
};

/// Test accuracy of softmax regression after plain gradient descent; written out here, so that the data's
/// difficulty is judged without the models that are themselves tested on it.
double softmax_accuracy(const data_split& split, std::size_t epochs) {
  const auto features = static_cast<Eigen::Index>(split.train->features);
  Eigen::MatrixXf weights = Eigen::MatrixXf::Zero(10, features);
  Eigen::VectorXf bias = Eigen::VectorXf::Zero(10);
  mini_batch_sampler sampler{all_rows(*split.train), 64, random_generator{1}};
  for (std::size_t i = 0; i < epochs * sampler.batches_per_epoch(); ++i) {
    const auto rows = sampler.next();
    const samples batch{*split.train, rows};
    Eigen::MatrixXf slope = (weights * batch.features).colwise() + bias;
    for (Eigen::Index j = 0; j < slope.cols(); ++j) {
      slope.col(j) = (slope.col(j).array() - slope.col(j).maxCoeff()).exp();
      slope.col(j) /= slope.col(j).sum();
      slope(batch.labels[static_cast<std::size_t>(j)], j) -= 1;
    }
    const auto step = 0.1F / static_cast<float>(rows.size());
    weights -= step * slope * batch.features.transpose();
    bias -= step * slope.rowwise().sum();
  }
  const samples test{*split.test, all_rows(*split.test)};
  const Eigen::MatrixXf scores = (weights * test.features).colwise() + bias;
  int right = 0;
  for (Eigen::Index i = 0; i < scores.cols(); ++i) {
    Eigen::Index best = 0;
    scores.col(i).maxCoeff(&best);
    right += best == test.labels[static_cast<std::size_t>(i)] ? 1 : 0;
  }
  return right / static_cast<double>(scores.cols());
}

} // namespace

TEST_CASE("digits: 10,000 training and 2,000 test images of 28 x 28 bytes, as many of each digit") {
  const auto split = generate_digits(1);
  CHECK(split.name == "digits");
  CHECK(split.train->size() == 10'000);
  CHECK(split.test->size() == 2'000);
  for (const auto& part : {split.train, split.test}) {
    CHECK(part->features == 784);
    CHECK(part->classes == 10);
    CHECK(bytes_of(*part).size() == part->size() * 784);
    std::array<std::size_t, 10> of_digit{};
    for (const auto label : part->labels)
      ++of_digit.at(static_cast<std::size_t>(label));
    for (const auto count : of_digit)
      CHECK(count == part->size() / 10);
  }
}

TEST_CASE("digits: the same seed draws the same images, another seed others") {
  const auto once = generate_digits(3);
  const auto again = generate_digits(3);
  const auto other = generate_digits(4);
  CHECK(bytes_of(*once.train) == bytes_of(*again.train));
  CHECK(bytes_of(*once.test) == bytes_of(*again.test));
  CHECK(bytes_of(*once.train) != bytes_of(*other.train));
}

TEST_CASE("digits: no image occurs twice, so no test image was trained on") {
  const auto split = generate_digits(1);
  std::unordered_set<std::string> images;
  for (const auto& part : {split.train, split.test})
    for (auto at = bytes_of(*part).begin(); at != bytes_of(*part).end(); at += 784)
      CHECK(images.emplace(at, at + 784).second);
}

TEST_CASE("digits: every image shows ink on paper") {
  const auto split = generate_digits(1);
  for (auto at = bytes_of(*split.train).begin(); at != bytes_of(*split.train).end(); at += 784) {
    const auto dark = std::count_if(at, at + 784, [](std::uint8_t pixel) { return pixel > 100; });
    REQUIRE(dark > 15);
    REQUIRE(dark < 400);
  }
}

TEST_CASE("digits: softmax learns them, but not beyond 95 %") {
  const auto accuracy = softmax_accuracy(generate_digits(1), 12);
  CHECK(accuracy > 0.85);
  CHECK(accuracy < 0.95);
}
