#include "learning/model/parameter_layout.hpp"

#include <doctest/doctest.h>

namespace dybw {

TEST_CASE("parameter_layout: arrays lie within a vector or not, also if their numbers overflow") {
  constexpr std::uint64_t huge = std::uint64_t{1} << 63U;
  CHECK(lies_within({}, 0));
  CHECK(lies_within({{"a", {2, 3}, 0}, {"b", {2}, 6}}, 8));
  CHECK_FALSE(lies_within({{"a", {2, 3}, 0}, {"b", {2}, 6}}, 7));
  CHECK_FALSE(lies_within({{"a", {2}, 7}}, 8));
  CHECK_FALSE(lies_within({{"a", {huge, 2}, 0}}, 8));           // 0, were it not checked
  CHECK_FALSE(lies_within({{"a", {huge + 1, 2, 1}, 0}}, 8));    // .. 2
  CHECK_FALSE(lies_within({{"a", {4}, ~std::uint64_t{3}}}, 8)); // .. ends at 0
  CHECK(lies_within({{"a", {0, huge, huge}, 8}}, 8));
}

} // namespace dybw
