#include "learning/model/trainer_layout.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

namespace {

const trainer_array weight{"fc.weight", "float32", false, 0, {10, 4}};
const trainer_array bias{"fc.bias", "float32", false, 0, {10}};
const trainer_array table{"table", "uint8", true, 77, {3}};

} // namespace

TEST_CASE("first_difference: the first array that differs is named, and how") {
  const auto one = std::vector{weight, bias, table};
  CHECK(first_difference(one, one).empty());
  CHECK(first_difference(one, {bias, weight, table}) == "array 0 is fc.weight here and fc.bias there");
  auto wide = weight;
  wide.shape = {4, 10};
  CHECK(first_difference(one, {wide, bias, table}) ==
        "fc.weight is float32 [10] [4] here and float32 [4] [10] there");
  auto other = bias;
  other.type = "bfloat16";
  CHECK(first_difference(one, {weight, other, table}) ==
        "fc.bias is float32 [10] here and bfloat16 [10] there");
  auto filled = table;
  filled.checksum = 78;
  CHECK(first_difference(one, {weight, bias, filled}) == "table is frozen and has other values there");
  auto thawed = table;
  thawed.frozen = false;
  CHECK(first_difference(one, {weight, bias, thawed}) ==
        "table is frozen uint8 [3] here and uint8 [3] there");
  CHECK(first_difference(one, {weight, bias}) == "table is missing there");
  CHECK(first_difference({weight}, one) == "fc.bias is missing here");
}

} // namespace dybw::test
