#include "learning/data/dataset.hpp"

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
