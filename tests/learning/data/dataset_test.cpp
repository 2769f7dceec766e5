#include "learning/data/dataset.hpp"
#include "learning/data/standardise.hpp"

#include <doctest/doctest.h>

#include <numeric>

using namespace dybw;

TEST_CASE("dataset: gather scales every byte to byte / 255, with 0 and 1 exact") {
  dataset data;
  data.features = 256;
  data.classes = 1;
  std::vector<std::uint8_t> all(256);
  std::iota(all.begin(), all.end(), std::uint8_t{0});
  data.values = all;
  data.labels = {0};
  std::vector<float> out(256);
  std::vector<std::int32_t> labels(1);
  data.gather(std::vector<std::uint32_t>{0}, out, labels);
  for (std::size_t i = 0; i < 256; ++i)
    CHECK(out[i] == doctest::Approx(static_cast<double>(i) / 255).epsilon(1e-6));
  CHECK(out[0] == 0.0F);
  CHECK(out[255] == 1.0F);
}

TEST_CASE("dataset: gather writes samples in the order asked for, features contiguous, labels beside them") {
  dataset data;
  data.features = 3;
  data.classes = 10;
  data.labels = {7, 8, 9};
  const std::vector<std::uint32_t> rows{2, 0, 2, 1};
  std::vector<float> out(rows.size() * 3, -1);
  std::vector<std::int32_t> labels(rows.size(), -1);
  SUBCASE("bytes") {
    data.values = std::vector<std::uint8_t>{0, 51, 102, 153, 204, 255, 51, 51, 0};
  }
  SUBCASE("floats are handed on as they are") {
    data.values = std::vector<float>{0, 0.2F, 0.4F, 0.6F, 0.8F, 1, 0.2F, 0.2F, 0};
  }
  data.gather(rows, out, labels);
  const std::vector<float> expected{0.2F, 0.2F, 0, 0, 0.2F, 0.4F, 0.2F, 0.2F, 0, 0.6F, 0.8F, 1};
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(out[i] == doctest::Approx(expected[i]));
  CHECK(labels == std::vector<std::int32_t>{9, 7, 9, 8});
}

TEST_CASE("dataset: gathering no rows writes nothing") {
  dataset data;
  data.features = 3;
  data.values = std::vector<std::uint8_t>{1, 2, 3};
  data.labels = {0};
  std::vector<float> out;
  std::vector<std::int32_t> labels;
  data.gather({}, out, labels);
  CHECK(out.empty());
  CHECK(labels.empty());
}

namespace {

/// Two images of two channels, 2 x 3 pixels each.
dataset two_images() {
  dataset data;
  data.image = {2, 2, 3};
  data.features = data.image.size();
  data.classes = 2;
  std::vector<std::uint8_t> pixels(24);
  std::iota(pixels.begin(), pixels.end(), std::uint8_t{0});
  data.values = pixels;
  data.labels = {0, 1};
  return data;
}

} // namespace

TEST_CASE("dataset: a mirrored row has left and right exchanged, row by row, and its own label") {
  const auto data = two_images();
  std::vector<float> out(24);
  std::vector<std::int32_t> labels(2);
  data.gather(std::vector<std::uint32_t>{1 | dataset::mirrored, 1}, out, labels);
  CHECK(labels == std::vector<std::int32_t>{1, 1});
  for (std::size_t row = 0; row < 4; ++row)
    for (std::size_t x = 0; x < 3; ++x)
      CHECK(out[3 * row + x] == out[12 + 3 * row + (2 - x)]);
  CHECK(out[0] == doctest::Approx(14.0 / 255));
}

TEST_CASE("dataset: standardised training samples have mean 0 and deviation 1 in every channel") {
  auto data = two_images();
  data.standardised = standardisation_of(data);
  REQUIRE(data.standardised.size() == 2);
  std::vector<float> out(24);
  std::vector<std::int32_t> labels(2);
  data.gather(std::vector<std::uint32_t>{0, 1}, out, labels);
  for (std::size_t channel = 0; channel < 2; ++channel) {
    double sum = 0;
    double squares = 0;
    for (std::size_t sample = 0; sample < 2; ++sample)
      for (std::size_t i = 0; i < 6; ++i) {
        const auto x = static_cast<double>(out[12 * sample + 6 * channel + i]);
        sum += x;
        squares += x * x;
      }
    CHECK(sum / 12 == doctest::Approx(0).epsilon(1e-6));
    CHECK(squares / 12 == doctest::Approx(1).epsilon(1e-6));
  }
  auto mirrored = std::vector<float>(24);
  data.gather(std::vector<std::uint32_t>{0 | dataset::mirrored, 1}, mirrored, labels);
  CHECK(mirrored[0] == out[2]);
  CHECK(mirrored[12] == out[12]);
}

TEST_CASE("dataset: tables are standardised by feature, and one that never changes becomes 0") {
  dataset data;
  data.features = 2;
  data.classes = 2;
  data.values = std::vector<float>{0.25F, 0.7F, 0.75F, 0.7F};
  data.labels = {0, 1};
  data.standardised = standardisation_of(data);
  std::vector<float> out(4);
  std::vector<std::int32_t> labels(2);
  data.gather(std::vector<std::uint32_t>{0, 1}, out, labels);
  CHECK(out[0] == doctest::Approx(-1));
  CHECK(out[2] == doctest::Approx(1));
  CHECK(out[1] == doctest::Approx(0).epsilon(1e-6));
}
