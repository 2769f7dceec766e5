#include "learning/consensus/audit/exchange_audit.hpp"

#include "tests/learning/consensus/worker_probe.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace dybw;
using namespace dybw::test;

namespace {

exchange_half half(int worker, int neighbour, int first, std::uint64_t number, double projection = 0) {
  const auto id = [](int i) { return worker_at(static_cast<std::size_t>(i)); };
  return {id(worker), id(neighbour), id(first), number, 1, 0.5, projection, 1};
}

} // namespace

TEST_CASE("exchange_audit: halves in pairs are clean, in whatever order they come") {
  exchange_audit audit{triangle()};
  audit.add(half(1, 0, 0, 1, 0.25));
  audit.add(half(1, 2, 1, 1, 0.5));
  audit.add(half(0, 1, 0, 1, -0.25));
  CHECK(audit.summary().rounds_unaudited == 1);
  audit.add(half(2, 1, 1, 1, -0.5));
  const auto s = audit.summary();
  CHECK(s.clean());
  CHECK(s.rounds_audited == 2);
  CHECK(s.rounds_unaudited == 0);
  CHECK(s.connect_rounds_max == 1);
}

TEST_CASE("exchange_audit: both ends of an exchange correct by opposite amounts") {
  exchange_audit audit{pair()};
  const auto add = [&](int worker, std::uint64_t number, double correction, std::uint64_t generation = 0,
                       bool corrects = true) {
    auto h = half(worker, 1 - worker, 0, number);
    h.corrects = corrects;
    h.generation = generation;
    h.correction = correction;
    h.correction_size = std::abs(correction);
    audit.add(h);
  };
  add(0, 1, 0.5);
  add(0, 2, 0.75);
  add(1, 1, -0.5);
  add(1, 2, -0.75);
  CHECK(audit.summary().clean());
  SUBCASE("in a new generation from nothing on") {
    add(0, 3, 0.25, 7);
    add(1, 3, -0.25, 7);
    CHECK(audit.summary().clean());
    add(0, 4, 0.5, 8);
    add(1, 4, -0.75, 8); // has kept its own
    CHECK_FALSE(audit.summary().clean());
  }
  SUBCASE("or one of them is in a new generation") {
    add(0, 3, 1);
    add(1, 3, 0, 7, false);
    CHECK(audit.summary().clean());
  }
  SUBCASE("an exchange that counts at one end only is a violation") {
    add(0, 3, 1);
    add(1, 3, -0.75, 0, false);
    CHECK(audit.summary().one_sided_edges == 1);
    CHECK(audit.violations().size() == 1);
  }
  SUBCASE("other amounts are") {
    add(0, 3, 1);
    add(1, 3, -1.001);
    CHECK_FALSE(audit.summary().clean());
    REQUIRE(audit.violations().size() == 1);
    CHECK(audit.violations()[0].ends_with("it and its neighbour did not correct by opposite amounts"));
  }
  SUBCASE("one that does not count moves nothing") {
    add(0, 3, 1, 0, false);
    add(1, 3, -1, 0, false);
    CHECK_FALSE(audit.summary().clean());
  }
}

TEST_CASE("exchange_audit: a half whose other end is done without it is a violation") {
  exchange_audit audit{pair()};
  audit.add(half(0, 1, 0, 1));
  audit.left(worker_at(1));
  CHECK(audit.summary().one_sided_edges == 1);
  CHECK_FALSE(audit.summary().clean());
}

TEST_CASE("exchange_audit: a half that a later pair has overtaken stays alone, long before the end") {
  exchange_audit audit{pair()};
  audit.add(half(0, 1, 0, 1));
  audit.add(half(0, 1, 0, 2));
  audit.add(half(1, 0, 1, 1)); // of the other's offers: another order
  CHECK(audit.summary().rounds_unaudited == 3);
  audit.add(half(1, 0, 0, 2));
  CHECK(audit.summary().rounds_audited == 1);
  CHECK(audit.summary().rounds_unaudited == 1);
  CHECK(audit.summary().one_sided_edges == 1);
  REQUIRE(audit.violations().size() == 1);
  CHECK(audit.violations()[0] == "worker 0, exchange 1 of worker 0 with worker 1: the other half is missing");
  CHECK(audit.certain_violations() == 1);
}

TEST_CASE("exchange_audit: giving a neighbour up excuses one half, of that session") {
  exchange_audit audit{pair()};
  const auto exchange = [&](std::uint64_t number, round_number round, bool both) {
    for (auto h : {half(0, 1, 0, number), half(1, 0, 0, number)})
      if (both || h.worker == worker_at(0)) {
        h.round = round;
        audit.add(h);
      }
  };
  audit.edge_lost(worker_at(1), worker_at(0), 1);
  SUBCASE("the one that it forgot") {
    exchange(1, 1, false);
    exchange(2, 2, true);
    CHECK(audit.summary().clean());
    CHECK(audit.summary().edges_lost == 1);
    SUBCASE("and none after it") {
      exchange(3, 3, false);
      exchange(4, 4, true);
      CHECK(audit.summary().one_sided_edges == 1);
      CHECK(audit.summary().edges_lost == 1);
    }
    SUBCASE("unless it gives up again") {
      audit.edge_lost(worker_at(1), worker_at(0), 3);
      exchange(3, 3, false);
      exchange(4, 4, true);
      CHECK(audit.summary().clean());
      CHECK(audit.summary().edges_lost == 2);
    }
  }
  SUBCASE("not two") {
    exchange(1, 1, false);
    exchange(2, 1, false);
    exchange(3, 2, true);
    CHECK(audit.summary().edges_lost == 1);
    CHECK(audit.summary().one_sided_edges == 1);
  }
  SUBCASE("not later ones, if it had forgotten nothing") {
    exchange(1, 2, true);
    exchange(2, 3, false);
    audit.left(worker_at(1));
    CHECK(audit.summary().one_sided_edges == 1);
    CHECK(audit.violations().size() == 1);
    CHECK(audit.certain_violations() == 0);
  }
  SUBCASE("not one that it has and the other lacks") {
    audit.add(half(1, 0, 1, 1));
    audit.left(worker_at(0));
    CHECK(audit.summary().one_sided_edges == 1);
  }
}

TEST_CASE("exchange_audit: an end that reports nothing costs bounded memory, and is not held against its "
          "neighbour") {
  exchange_audit audit{pair()};
  for (std::uint64_t i = 1; i <= exchange_audit::pending_max; ++i)
    audit.add(half(0, 1, 0, i));
  CHECK(audit.summary().rounds_unaudited == exchange_audit::pending_max);
  audit.add(half(0, 1, 0, exchange_audit::pending_max + 1));
  CHECK(audit.summary().clean());
  CHECK(audit.summary().rounds_unaudited == exchange_audit::pending_max + 1);
  for (std::uint64_t i = 1; i <= exchange_audit::pending_max + 1; ++i) // late, but here they are
    audit.add(half(1, 0, 0, i));
  CHECK(audit.summary().clean());
  CHECK(audit.summary().rounds_audited == exchange_audit::pending_max);
  CHECK(audit.summary().rounds_unaudited == 1);
}

TEST_CASE("exchange_audit: of a lost worker nothing is known until it is back and has its first pair") {
  exchange_audit audit{pair()};
  audit.add(half(0, 1, 0, 1));
  audit.add(half(0, 1, 0, 2));
  audit.lost(worker_at(1));
  CHECK(audit.summary().edges_lost == 2);
  audit.back(worker_at(1));
  audit.add(half(0, 1, 0, 3));
  audit.add(half(1, 0, 0, 3));
  CHECK(audit.summary().clean());
  CHECK(audit.summary().edges_lost == 2);
  audit.add(half(0, 1, 0, 4));
  audit.left(worker_at(1));
  CHECK(audit.summary().one_sided_edges == 1);
  audit.back(worker_at(1)); // it had left in good order, and is there again
  CHECK(audit.summary().clean());
}

TEST_CASE("exchange_audit: a pair with a half from before the return ends no excuse") {
  exchange_audit audit{pair()};
  audit.add(half(1, 0, 0, 1)); // its last report
  audit.lost(worker_at(1));
  audit.back(worker_at(1));
  audit.add(half(0, 1, 0, 1)); // comes late
  audit.add(half(0, 1, 0, 2)); // the other half died with its process
  audit.add(half(0, 1, 0, 3));
  audit.add(half(1, 0, 0, 3));
  CHECK(audit.summary().clean());
  CHECK(audit.summary().edges_lost == 1);
}

TEST_CASE("exchange_audit: from the middle of a run on it fails as well as from the beginning") {
  exchange_audit audit{triangle()};
  for (std::size_t i = 0; i < 3; ++i) { // as a lead does that takes over
    audit.lost(worker_at(i));
    audit.back(worker_at(i));
  }
  audit.add(half(0, 1, 0, 7)); // the other half was told to another
  audit.add(half(0, 1, 0, 8));
  audit.add(half(1, 0, 0, 8));
  CHECK(audit.summary().clean());
  CHECK(audit.summary().edges_lost == 1);
  audit.add(half(0, 1, 0, 9));
  audit.add(half(0, 1, 0, 10));
  audit.add(half(1, 0, 0, 10));
  CHECK(audit.summary().one_sided_edges == 1);
  CHECK_FALSE(audit.violations().empty());
}

TEST_CASE("exchange_audit: whatever is not clean has a sentence") {
  exchange_audit audit{pair()};
  audit.add(half(0, 1, 0, 1));
  audit.left(worker_at(1));
  CHECK(audit.violations().size() == 1);
  for (std::uint64_t i = 2; i < 100; ++i)
    audit.add(half(0, 1, 0, i));
  CHECK(audit.violations().size() == 20);
  CHECK(audit.summary().one_sided_edges == 99);
}

TEST_CASE("exchange_audit: other weights, amounts that do not cancel and doubled halves are violations") {
  exchange_audit weights{pair()};
  auto other = half(1, 0, 0, 1);
  other.weight = 0.25;
  weights.add(half(0, 1, 0, 1));
  weights.add(other);
  CHECK(weights.summary().max_column_error == 0.25);
  CHECK(weights.violations().size() == 1);

  exchange_audit amounts{pair()};
  amounts.add(half(0, 1, 0, 1, 0.25));
  amounts.add(half(1, 0, 0, 1, -0.26));
  CHECK_FALSE(amounts.summary().clean());

  exchange_audit doubled{pair()};
  doubled.add(half(0, 1, 0, 1));
  doubled.add(half(0, 1, 0, 1));
  CHECK(doubled.summary().one_sided_edges == 1);
}

TEST_CASE("exchange_audit: what is not finite is a violation") {
  for (const auto odd : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const auto is_clean = [&](double exchange_half::*what) {
      exchange_audit audit{pair()};
      auto mine = half(0, 1, 0, 1, 0.25);
      auto theirs = half(1, 0, 0, 1, -0.25);
      mine.*what = theirs.*what = odd;
      audit.add(mine);
      audit.add(theirs);
      CHECK(audit.violations().size() == (audit.summary().clean() ? 0 : 1));
      return audit.summary().clean();
    };
    CHECK_FALSE(is_clean(&exchange_half::weight));
    CHECK_FALSE(is_clean(&exchange_half::projection));
    CHECK_FALSE(is_clean(&exchange_half::size));

    exchange_audit corrections{pair()};
    for (std::uint64_t number = 1; number <= 2; ++number)
      for (const int worker : {0, 1}) {
        auto h = half(worker, 1 - worker, 0, number);
        h.corrects = true;
        h.correction = number == 2 ? odd : 0;
        h.correction_size = 1;
        corrections.add(h);
      }
    CHECK_FALSE(corrections.summary().clean());
    CHECK(corrections.violations().size() == 1);
  }
}
