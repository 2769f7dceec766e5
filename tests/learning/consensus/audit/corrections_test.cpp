#include "learning/consensus/audit/mixing_audit.hpp"
#include "tests/learning/consensus/worker_probe.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace dybw;
using namespace dybw::test;

namespace {

/// Worker `j` mixed half of `other` in, which counts into its correction; that is this much now.
mix_report corrected(int j, round_number k, int other, double correction, std::uint64_t generation = 0) {
  mix_report r;
  r.worker = worker_at(static_cast<std::size_t>(j));
  r.round = k;
  r.own_weight = 0.5;
  r.committed.push_back({worker_at(static_cast<std::size_t>(other)), 0.5, true});
  r.generation = generation;
  r.correction = correction;
  r.correction_size = std::abs(correction);
  return r;
}

} // namespace

TEST_CASE("mixing_audit: corrections that add up to nothing are clean, in each generation anew") {
  auto a = mixing_audit{pair()};
  for (round_number k = 1; k <= 3; ++k) {
    a.add(corrected(0, k, 1, 0.5 * static_cast<double>(k)));
    a.add(corrected(1, k, 0, -0.5 * static_cast<double>(k)));
  }
  a.add(corrected(0, 4, 1, 0.25, 7));
  a.add(corrected(1, 4, 0, -0.25, 7));
  CHECK(a.summary().rounds_audited == 4);
  CHECK(a.summary().clean());
  CHECK(a.violations().empty());
  SUBCASE("not if one is not begun anew") {
    a.add(corrected(0, 5, 1, 0.5, 8));
    a.add(corrected(1, 5, 0, -0.75, 8));
    CHECK_FALSE(a.summary().clean());
    CHECK(a.violations().size() == 1);
  }
  SUBCASE("not if one is not finite") {
    a.add(corrected(0, 5, 1, std::numeric_limits<double>::quiet_NaN(), 7));
    a.add(corrected(1, 5, 0, -0.5, 7));
    CHECK_FALSE(a.summary().clean());
    CHECK(a.violations().size() == 1);
  }
  SUBCASE("not if it is moved by somebody else") {
    a.add(corrected(0, 5, 1, 0.5, 7));
    a.add(corrected(1, 5, 0, -0.50001, 7));
    CHECK_FALSE(a.summary().clean());
    REQUIRE(a.violations().size() == 1);
    CHECK(a.violations()[0].starts_with("round 5: averaging moved the sum of the corrections"));
  }
}

TEST_CASE("mixing_audit: an edge counts into the corrections of both its ends, or one of them is new") {
  auto a = mixing_audit{pair()};
  a.add(corrected(0, 1, 1, 0.5));
  auto other = corrected(1, 1, 0, 0);
  other.committed[0].corrects = false;
  SUBCASE("which it is") {
    other.generation = 7;
    a.add(other);
    CHECK(a.summary().clean());
    a.add(corrected(0, 2, 1, 0.25, 7));
    a.add(corrected(1, 2, 0, -0.25, 7));
    CHECK(a.summary().clean());
  }
  SUBCASE("which it is not") {
    a.add(other);
    CHECK(a.summary().one_sided_edges == 1);
    REQUIRE(a.violations().size() == 1);
    CHECK(a.violations()[0] ==
          "round 1: the edge between worker 0 and worker 1 counts into the correction of one of them only");
  }
}

TEST_CASE(
    "mixing_audit: a run that goes on brings corrections along, which are not known before they are said") {
  auto a = mixing_audit{pair(), 9};
  a.add(corrected(0, 10, 1, 3));
  a.add(corrected(1, 10, 0, -3.5));
  CHECK(a.summary().clean());
  a.add(corrected(0, 11, 1, 3.5));
  a.add(corrected(1, 11, 0, -3.75));
  CHECK_FALSE(a.summary().clean());
}

TEST_CASE("mixing_audit: where something was not heard, a correction is known again by the next report") {
  auto a = mixing_audit{pair()};
  for (round_number k = 1; k <= 2; ++k) {
    a.add(corrected(0, k, 1, 0.5 * static_cast<double>(k), 7));
    a.add(corrected(1, k, 0, -0.5 * static_cast<double>(k), 7));
  }
  a.add(corrected(0, 3, 1, 1.5, 7)); // still to be compared with the one of worker 1, which was out of sight
  a.lost(worker_at(1));
  a.back(worker_at(1));
  a.add(corrected(0, 4, 1, 2, 8));
  a.add(corrected(1, 4, 0, -9, 8)); // its rounds before are not known: no word on it
  a.add(corrected(0, 5, 1, 2.25, 8));
  a.add(corrected(1, 5, 0, -9.25, 8));
  CHECK(a.summary().clean());
  a.add(corrected(0, 6, 1, 2.5, 8));
  a.add(corrected(1, 6, 0, -9.75, 8));
  CHECK_FALSE(a.summary().clean());
}

TEST_CASE("mixing_audit: a worker out of sight twice while another lags has two corrections not known") {
  auto a = mixing_audit{pair()};
  a.add(corrected(1, 1, 0, -0.5, 7));
  for (const round_number k : {3, 5}) {
    a.lost(worker_at(1));
    a.back(worker_at(1));
    a.add(corrected(1, k, 0, -9, k));
  }
  for (round_number k = 1; k <= 5; ++k)
    a.add(corrected(0, k, 1, 0.5, k == 1 ? 7 : k));
  CHECK(a.summary().clean());
  a.add(corrected(0, 6, 1, 0.75, 5));
  a.add(corrected(1, 6, 0, -9.5, 5));
  CHECK_FALSE(a.summary().clean());
}
