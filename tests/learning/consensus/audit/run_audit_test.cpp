#include "learning/consensus/audit/run_audit.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

namespace {

constexpr auto zero = worker_id{0};
constexpr auto one = worker_id{1};

std::shared_ptr<const topology> pair() {
  return std::make_shared<const topology>(make_topology("path", 2, 1));
}

/// Half a mix: one end's only.
mix_report mixed_by(worker_id worker, worker_id neighbour) {
  mix_report report;
  report.worker = worker;
  report.round = 1;
  report.own_weight = 0.5;
  report.committed = {{neighbour, 0.5}};
  return report;
}

exchange_half half_of(worker_id worker, worker_id neighbour) {
  exchange_half half;
  half.worker = worker;
  half.neighbour = neighbour;
  half.first = zero;
  half.number = 1;
  half.round = 1;
  half.weight = 0.5;
  return half;
}

} // namespace

TEST_CASE("run_audit: of rounds, whatever is said of exchanges") {
  run_audit audit{pair(), false};
  audit.add(half_of(zero, one)); // would be one-sided
  audit.edge_lost(zero, one, 1);
  audit.add(mixed_by(zero, one));
  audit.add(mixed_by(one, zero));
  audit.left(zero);
  audit.left(one);
  run_result result;
  audit.fill(result);
  CHECK(result.mixing.rounds_audited == 1);
  CHECK(result.mixing.clean());
  REQUIRE(result.per_edge.size() == 1);
  CHECK(result.mean_active_share == 1);
  CHECK(audit.violations().empty());
}

TEST_CASE("run_audit: of exchanges under a policy that averages in pairs, whatever is said of rounds") {
  run_audit audit{pair(), true};
  audit.add(mixed_by(zero, one)); // would be one-sided
  audit.add(half_of(zero, one));
  audit.add(half_of(one, zero));
  audit.left(zero);
  audit.left(one);
  run_result result;
  audit.fill(result);
  CHECK(result.mixing.rounds_audited == 1);
  CHECK(result.mixing.clean());
  CHECK(audit.violations().empty());
}

TEST_CASE("run_audit: a half alone is a violation, unless its edge or an end was lost") {
  run_audit alone{pair(), true}, given_up{pair(), true}, lost{pair(), true};
  for (auto* audit : {&alone, &given_up, &lost})
    audit->add(half_of(zero, one));
  given_up.edge_lost(one, zero, 1);
  lost.lost(one);
  lost.back(one);
  for (auto* audit : {&alone, &given_up, &lost}) {
    audit->left(zero);
    audit->left(one);
  }
  const auto one_sided = [](const run_audit& audit) {
    run_result result;
    audit.fill(result);
    return result.mixing.one_sided_edges;
  };
  CHECK(one_sided(alone) == 1);
  CHECK(alone.violations().size() == 1);
  CHECK(one_sided(given_up) == 0);
  CHECK(one_sided(lost) == 0);
}

} // namespace dybw::test
