#include "learning/model/parameter_layout.hpp"

#include <doctest/doctest.h>

namespace dybw {

TEST_CASE("parameter_layout: arrays lie within a vector or not, also if their numbers overflow") {
  constexpr std::uint64_t huge = std::uint64_t{1} << 63U;
  CHECK(is_sound({}, 0));
  CHECK(is_sound({{"a", {2, 3}, 0}, {"b", {2}, 6}}, 8));
  CHECK_FALSE(is_sound({{"a", {2, 3}, 0}, {"b", {2}, 6}}, 7));
  CHECK_FALSE(is_sound({{"a", {2}, 7}}, 8));
  CHECK_FALSE(is_sound({{"a", {huge, 2}, 0}}, 8));           // 0, were it not checked
  CHECK_FALSE(is_sound({{"a", {huge + 1, 2, 1}, 0}}, 8));    // .. 2
  CHECK_FALSE(is_sound({{"a", {4}, ~std::uint64_t{3}}}, 8)); // .. ends at 0
  CHECK(is_sound({{"a", {0, huge, huge}, 8}}, 8));
  CHECK(is_sound({{"layers.0.weight", {1}, 0}}, 8));
  for (const auto* name : {"", "..", ".profile", "../../a", "/a", "a/b", "a\\b", "C:a"})
    CHECK_FALSE(is_sound({{name, {1}, 0}}, 8));
}

} // namespace dybw
