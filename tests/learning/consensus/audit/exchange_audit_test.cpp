#include "learning/consensus/audit/exchange_audit.hpp"

#include "tests/learning/consensus/worker_probe.hpp"

#include <doctest/doctest.h>

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

TEST_CASE("exchange_audit: a half whose other end is done without it is a violation") {
  exchange_audit audit{pair()};
  audit.add(half(0, 1, 0, 1));
  audit.left(worker_at(1));
  CHECK(audit.summary().one_sided_edges == 1);
  CHECK_FALSE(audit.summary().clean());
}

TEST_CASE("exchange_audit: a half that a later pair has overtaken stays single, long before the end") {
  exchange_audit audit{pair()};
  audit.add(half(0, 1, 0, 1));
  audit.add(half(0, 1, 0, 2));
  audit.add(half(1, 0, 1, 1)); // of the other's offers: another order
  CHECK(audit.summary().rounds_unaudited == 3);
  audit.add(half(1, 0, 0, 2));
  CHECK(audit.summary().rounds_audited == 1);
  CHECK(audit.summary().rounds_unaudited == 1);
  CHECK(audit.summary().one_sided_edges == 1);
  audit.edge_lost(worker_at(1), worker_at(0)); // the word of a loss may come after
  CHECK(audit.summary().clean());
  CHECK(audit.summary().edges_lost == 2);
}

TEST_CASE("exchange_audit: an end that reports nothing costs bounded memory, and its edge the audit") {
  exchange_audit audit{pair()};
  for (std::uint64_t i = 1; i <= exchange_audit::pending_max; ++i)
    audit.add(half(0, 1, 0, i));
  CHECK(audit.summary().rounds_unaudited == exchange_audit::pending_max);
  audit.add(half(0, 1, 0, exchange_audit::pending_max + 1));
  CHECK(audit.summary().clean());
  CHECK(audit.summary().rounds_unaudited == 0);
  CHECK(audit.summary().edges_lost == exchange_audit::pending_max + 1);
}

TEST_CASE("exchange_audit: after a loss a half may stay alone, and is counted") {
  exchange_audit audit{pair()};
  audit.add(half(0, 1, 0, 1));
  audit.edge_lost(worker_at(0), worker_at(1));
  audit.left(worker_at(1));
  CHECK(audit.summary().one_sided_edges == 0);
  CHECK(audit.summary().edges_lost == 1);
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
