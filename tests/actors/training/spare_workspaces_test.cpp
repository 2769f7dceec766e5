#include "actors/training/spare_workspaces.hpp"
#include "tests/actors/support/small_training.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

namespace dybw::test {

TEST_CASE("spare_workspaces: lends as many as it has, and each again once it is back") {
  spare_workspaces shelf{small_setup(), 2};
  const training_workspace* first = nullptr;
  {
    const auto a = shelf.borrow();
    const auto b = shelf.borrow();
    REQUIRE(a);
    REQUIRE(b);
    CHECK(&*a != &*b);
    first = &*a;
    CHECK_FALSE(shelf.borrow());
  }
  const auto again = shelf.borrow();
  REQUIRE(again);
  CHECK(&*again == first); // its memory is used again
}

TEST_CASE("spare_workspaces: no two threads have the same one") {
  spare_workspaces shelf{small_setup(), 2};
  const training_workspace* first = &*shelf.borrow();
  std::array<std::atomic<bool>, 2> used{};
  std::atomic<int> clashes = 0;
  std::atomic<int> loans = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 20'000; ++k)
        if (const auto x = shelf.borrow()) {
          auto& mine = used[&*x == first ? 0 : 1];
          clashes += mine.exchange(true) ? 1 : 0;
          ++loans;
          mine = false;
        }
    });
  for (auto& t : threads)
    t.join();
  CHECK(clashes == 0);
  CHECK(loans > 0);
}

} // namespace dybw::test
