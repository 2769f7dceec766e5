#include "learning/model/evaluation_history.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

TEST_CASE("evaluation_history: all of a short run are kept") {
  evaluation_history history;
  for (std::size_t i = 0; i < evaluation_history::kept_max; ++i)
    history.add({.time_s = static_cast<double>(i)});
  REQUIRE(history.kept().size() == evaluation_history::kept_max);
  for (std::size_t i = 0; i < evaluation_history::kept_max; ++i)
    CHECK(history.kept()[i].time_s == i);
}

TEST_CASE("evaluation_history: of a long run there are the fewer the older they are, and the first") {
  evaluation_history history;
  constexpr std::size_t count = 50'000;
  for (std::size_t i = 0; i < count; ++i) {
    history.add({.time_s = static_cast<double>(i), .cpu_s = 0.25});
    REQUIRE(history.kept().size() <= evaluation_history::kept_max);
  }
  CHECK(history.count() == count);
  CHECK(history.cpu_s() == count / 4);
  const auto& kept = history.kept();
  CHECK(kept.front().time_s == 0);
  CHECK(kept.back().time_s == count - 1);
  for (std::size_t i = 1; i < kept.size(); ++i)
    REQUIRE(kept[i].time_s > kept[i - 1].time_s);
  // Nowhere is more missing than a hundredth of the time that has gone by since.
  for (std::size_t i = 1; i < kept.size(); ++i)
    REQUIRE(kept[i].time_s - kept[i - 1].time_s <= 4 + (count - kept[i - 1].time_s) / 100);
}

TEST_CASE("evaluation_history: what was added since is told, as far as it is kept") {
  evaluation_history history;
  for (std::size_t i = 0; i < 3 * evaluation_history::kept_max; ++i)
    history.add({.time_s = static_cast<double>(i)});
  CHECK(history.since(history.count()).empty());
  REQUIRE(history.since(history.count() - 2).size() == 2);
  CHECK(history.since(history.count() - 2).front().time_s == 3 * evaluation_history::kept_max - 2);
  CHECK(history.since(0).size() == history.kept().size());
}

} // namespace dybw::test
