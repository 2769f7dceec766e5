#include "actors/system/thread_crew.hpp"
#include "tests/support/few_threads.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace dybw::test {

namespace {

/// Has it do a hundred pieces; each must be done once, on a lane that there is.
void check_works(thread_crew& crew) {
  std::vector<std::atomic<int>> done(100);
  std::atomic<bool> lanes_are_right{true};
  crew.run(done.size(), [&](std::size_t i, std::size_t lane) {
    ++done[i];
    if (lane >= crew.lanes())
      lanes_are_right = false;
  });
  for (const auto& times : done)
    CHECK(times.load() == 1);
  CHECK(lanes_are_right.load());
}

} // namespace

TEST_CASE("thread_crew: every piece is done once, call after call, and what one throws comes to the caller") {
  thread_crew crew{4};
  CHECK(crew.lanes() == 4);
  check_works(crew);
  CHECK_THROWS_AS(
      crew.run(10, [](std::size_t, std::size_t) { throw std::runtime_error{"the piece is broken"}; }),
      std::runtime_error);
  check_works(crew);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("thread_crew: it works with the threads that the system gives, be it none") {
  for (const int given : {0, 1, 3}) {
    CAPTURE(given);
    const few_threads limit{given};
    thread_crew crew{5};
    CHECK(crew.lanes() == static_cast<std::size_t>(given) + 1);
    check_works(crew);
  }
}
#endif

} // namespace dybw::test
