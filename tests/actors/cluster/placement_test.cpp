#include "actors/cluster/placement.hpp"

#include "learning/base/error.hpp"

#include <doctest/doctest.h>

#include <string>

namespace dybw {

namespace {

using numbers = std::vector<std::uint32_t>;

std::string refusal(std::size_t workers, const numbers& slots) {
  try {
    place_workers(workers, slots);
  } catch (const input_error& error) {
    CHECK(error.exit_code() == 2);
    return error.what();
  }
  return "";
}

} // namespace

TEST_CASE("place_workers: workers are dealt round robin") {
  CHECK(place_workers(6, numbers{0, 0, 0}) == numbers{0, 1, 2, 0, 1, 2});
  CHECK(place_workers(2, numbers{0, 0, 0}) == numbers{0, 1});
  CHECK(place_workers(3, numbers{0}) == numbers{0, 0, 0});
}

TEST_CASE("place_workers: a node takes as many as it has slots, and the others take the rest") {
  CHECK(place_workers(6, numbers{1, 0, 2}) == numbers{0, 1, 2, 1, 2, 1});
  CHECK(place_workers(6, numbers{1, 2, 3}) == numbers{0, 1, 2, 1, 2, 2});
}

TEST_CASE("place_workers: fewer slots than workers are refused with the numbers") {
  CHECK(refusal(6, {2, 3}) ==
        "--workers=6 is more than the nodes have slots for, 5 = 2 + 3; give fewer workers, "
        "more nodes, or the nodes more --slots");
  CHECK(refusal(2, {1}).find("slots for, 1; ") != std::string::npos);
  CHECK(refusal(5, {2, 3}).empty());
  CHECK(refusal(100, {2, 0}).empty());
  CHECK_FALSE(refusal(1, {}).empty());
}

} // namespace dybw
