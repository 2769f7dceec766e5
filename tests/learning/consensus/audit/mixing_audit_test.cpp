// Long: every way in which a report may be missing, late, or of another process.
#include "learning/base/random.hpp"
#include "learning/consensus/audit/mixing_audit.hpp"
#include "learning/graph/mixing.hpp"
#include "learning/model/vector_ops.hpp"
#include "tests/learning/consensus/worker_probe.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace dybw;
using namespace dybw::test;

namespace {

/// Worker `j` of round `k` mixed with these.
mix_report report(int j, round_number k, std::vector<std::pair<int, double>> terms) {
  mix_report r;
  r.worker = worker_at(static_cast<std::size_t>(j));
  r.round = k;
  for (auto [i, weight] : terms) {
    r.committed.push_back({worker_at(static_cast<std::size_t>(i)), weight});
    r.own_weight -= weight;
  }
  return r;
}

mix_report witnessed(mix_report r, double before, double after) {
  r.projection_before = before;
  r.projection_after = after;
  r.norm_before = std::abs(before);
  return r;
}

} // namespace

TEST_CASE("mixing_audit: a round in which all agree is clean") {
  auto a = mixing_audit{path_of_three()};
  a.add(report(0, 1, {{1, 1.0 / 3}}));
  a.add(report(1, 1, {{0, 1.0 / 3}, {2, 1.0 / 3}}));
  CHECK(a.summary().rounds_audited == 0); // worker 2 has not said
  CHECK(a.summary().rounds_unaudited == 1);
  a.add(report(2, 1, {{1, 1.0 / 3}}));
  const auto s = a.summary();
  CHECK(s.rounds_audited == 1);
  CHECK(s.rounds_unaudited == 0);
  CHECK(s.clean());
  CHECK(a.violations().empty());
  CHECK(a.mean_active_share() == 1);
}

TEST_CASE("mixing_audit: a worker that sat a round out is checked by its later report") {
  auto a = mixing_audit{path_of_three()};
  a.add(report(0, 1, {{1, 0.5}}));
  a.add(report(1, 1, {{0, 0.5}}));
  a.add(report(2, 5, {}));
  CHECK(a.summary().rounds_audited == 1);
  CHECK(a.summary().clean());
  CHECK(a.mean_active_share() == 0.5);
}

TEST_CASE("mixing_audit: it catches a one-sided edge") {
  SUBCASE("the other mixed with somebody else") {
    auto a = mixing_audit{path_of_three()};
    a.add(report(0, 1, {{1, 0.5}}));
    a.add(report(1, 1, {{2, 0.5}}));
    a.add(report(2, 1, {{1, 0.5}}));
    CHECK(a.summary().one_sided_edges == 1);
    CHECK(a.summary().edges_lost == 0);
  }
  SUBCASE("the other says it sat the round out") {
    auto a = mixing_audit{pair()};
    a.add(report(0, 1, {{1, 0.5}}));
    a.add(report(1, 2, {}));
    CHECK(a.summary().one_sided_edges == 1);
  }
  SUBCASE("the other left before") {
    auto a = mixing_audit{pair()};
    a.left(worker_at(1));
    a.add(report(0, 1, {{1, 0.5}}));
    CHECK(a.summary().one_sided_edges == 1);
    CHECK_FALSE(a.summary().clean());
    REQUIRE(a.violations().size() >= 1);
    CHECK(a.violations().front() == "round 1: worker 0 mixed with worker 1, which had left");
  }
}

TEST_CASE("mixing_audit: it catches weights that differ at the two ends") {
  auto a = mixing_audit{pair()};
  a.add(report(0, 1, {{1, 0.5}}));
  a.add(report(1, 1, {{0, 0.25}}));
  CHECK(a.summary().one_sided_edges == 0);
  CHECK(a.summary().max_row_error < 1e-12);
  CHECK(a.summary().max_column_error == doctest::Approx(0.25));
  CHECK_FALSE(a.summary().clean());
}

TEST_CASE("mixing_audit: it catches a row that does not sum to one") {
  auto a = mixing_audit{pair()};
  auto r = report(0, 1, {{1, 0.5}});
  r.own_weight = 0.6;
  a.add(r);
  a.add(report(1, 1, {{0, 0.5}}));
  CHECK(a.summary().max_row_error == doctest::Approx(0.1));
  CHECK_FALSE(a.summary().clean());
}

TEST_CASE("mixing_audit: it catches estimates that did not become what the weights say") {
  auto a = mixing_audit{pair()};
  SUBCASE("honest") {
    a.add(witnessed(report(0, 1, {{1, 0.5}}), 3, 4));
    a.add(witnessed(report(1, 1, {{0, 0.5}}), 5, 4));
    CHECK(a.summary().clean());
  }
  SUBCASE("one mixed another block than it says") {
    a.add(witnessed(report(0, 1, {{1, 0.5}}), 3, 4));
    a.add(witnessed(report(1, 1, {{0, 0.5}}), 5, 4.1));
    CHECK(a.summary().max_projection_error == doctest::Approx(0.1 / std::sqrt(2 * (9 + 25))));
    CHECK_FALSE(a.summary().clean());
  }
}

TEST_CASE("mixing_audit: what is not finite is a violation") {
  for (const auto odd : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    auto weights = mixing_audit{pair()};
    weights.add(report(0, 1, {{1, odd}}));
    weights.add(report(1, 1, {{0, 0.5}}));
    CHECK(weights.summary().max_row_error == std::numeric_limits<double>::infinity());
    CHECK(weights.violations().size() == 3); // the row and both columns
    auto estimates = mixing_audit{pair()};
    estimates.add(witnessed(report(0, 1, {{1, 0.5}}), odd, 4));
    estimates.add(witnessed(report(1, 1, {{0, 0.5}}), 5, 4));
    CHECK_FALSE(estimates.summary().clean());
    REQUIRE(estimates.violations().size() == 1);
    CHECK(estimates.violations()[0].ends_with("moved the sum of the estimates (they are not finite)"));
  }
}

TEST_CASE("mixing_audit: one missing half among a thousand workers shows, and honest rounding does not") {
  constexpr std::size_t workers = 1000;
  constexpr std::size_t parameters = 100;
  const auto graph = std::make_shared<const topology>(make_topology("random:6", workers, 1));
  const sign_projection project{7, parameters};
  std::vector<std::vector<float>> estimates(workers, std::vector<float>(parameters));
  auto generator = make_generator(1, random_stream::parameters, 0);
  for (std::size_t k = 0; k < parameters; ++k) {
    const auto common =
        static_cast<float>(generator() >> 40) / 0x1p24F; // their differences are a hundredth of it
    for (auto& x : estimates)
      x[k] = common + static_cast<float>(generator() >> 40) / 0x1p24F / 100;
  }
  const auto audit_of =
      [&](std::optional<worker_id> deaf) { // who says that it mixed, and left one neighbour out
        auto a = mixing_audit{graph};
        for (std::size_t i = 0; i < workers; ++i) {
          const auto id = worker_at(i);
          std::vector<mix_input> inputs;
          mix_report r;
          r.worker = id;
          r.round = 1;
          for (auto n : graph->neighbours(id)) {
            const auto weight = metropolis_weight(graph->degree(id), graph->degree(n));
            r.committed.push_back({n, weight});
            r.own_weight -= weight;
            inputs.push_back({estimates[index_of(n)], weight});
          }
          if (deaf == id)
            inputs.pop_back();
          std::vector<float> mixed(parameters);
          const auto seen = mix_with_witness(estimates[i], inputs, mixed, project);
          r.projection_before = seen.projection_before;
          r.projection_after = seen.projection_after;
          r.norm_before = seen.norm_before;
          a.add(r);
        }
        return a;
      };
  const auto honest = audit_of(std::nullopt);
  CHECK(honest.summary().rounds_audited == 1);
  CHECK(honest.summary().clean());
  CHECK(honest.summary().max_projection_error > 0);
  CHECK(honest.summary().max_projection_error < projection_error_max / 5);
  std::size_t caught = 0;
  for (std::size_t i = 0; i < workers; i += 100) {
    const auto faulty = audit_of(worker_at(i));
    caught += faulty.summary().clean() ? 0 : 1;
    CHECK(faulty.summary().one_sided_edges == 0); // the machines' numbers are in order
    CHECK(faulty.violations().size() == (faulty.summary().clean() ? 0 : 1));
  }
  CHECK(caught >= 9); // what is missing may happen to be invisible to the projection
}

TEST_CASE("mixing_audit: a worker that has left in good order and is back is waited for again") {
  auto a = mixing_audit{pair()};
  a.add(report(0, 1, {{1, 0.5}}));
  a.add(report(1, 1, {{0, 0.5}}));
  a.left(worker_at(1));
  a.add(report(0, 2, {}));
  SUBCASE("its process is gone, then another is there") {
    a.lost(worker_at(1));
    a.add(report(0, 3, {{1, 0.5}})); // with the new one, of which we do not know
    CHECK(a.summary().clean());
    CHECK(a.summary().edges_lost == 1);
  }
  SUBCASE("all that is known is the last word, for now") {
    a.add(report(0, 3, {{1, 0.5}}));
    CHECK(a.summary().one_sided_edges == 1); // as far as we know
    CHECK(a.violations().size() == 1);
    CHECK(a.certain_violations() == 0);
  }
  a.back(worker_at(1));
  CHECK(a.summary().clean());
  CHECK(a.violations().empty());
  CHECK(a.summary().edges_lost == 1);
  a.add(report(0, 4, {{1, 0.5}}));
  CHECK(a.summary().rounds_audited == 3); // waits for its report
  a.add(report(1, 4, {{0, 0.5}}));
  CHECK(a.summary().rounds_audited == 4);
  CHECK(a.summary().clean());
  a.add(report(0, 5, {{1, 0.5}}));
  a.add(report(1, 5, {}));
  CHECK(a.summary().one_sided_edges == 1); // and is held to its word
}

TEST_CASE("mixing_audit: what a lost worker's neighbour says of a round that it reported may be of its next "
          "process") {
  auto a = mixing_audit{path_of_three()};
  a.add(report(1, 1, {{2, 0.5}}));
  a.add(report(2, 1, {{1, 0.5}}));
  a.lost(worker_at(1));
  a.add(report(0, 1, {{1, 0.5}})); // the new one did round 1 again: its welcome knew no better
  CHECK(a.summary().one_sided_edges == 1);
  a.back(worker_at(1));
  CHECK(a.summary().one_sided_edges == 0);
  CHECK(a.summary().edges_lost == 1);
}

TEST_CASE("mixing_audit: a neighbour that the graph does not know is a violation, whatever that one says") {
  auto a = mixing_audit{path_of_three()};
  a.add(report(0, 1, {{2, 0.5}}));
  a.add(report(1, 1, {}));
  a.add(report(2, 1, {{0, 0.5}}));
  CHECK(a.summary().one_sided_edges == 2);
  CHECK(a.violations().front() == "round 1: worker 0 mixed with worker 2, which is not its neighbour");
}

TEST_CASE("mixing_audit: an edge that a departure left one-sided is lost, no violation") {
  SUBCASE("this end saw the other depart in that round") {
    auto a = mixing_audit{pair()};
    a.add(report(0, 1, {{1, 0.5}}));
    auto r = report(1, 1, {});
    r.departed = {worker_at(0)};
    a.add(r);
    CHECK(a.summary().edges_lost == 1);
    CHECK(a.summary().clean());
  }
  SUBCASE("the other crashed before it could say") {
    auto a = mixing_audit{pair()};
    a.add(report(0, 3, {{1, 0.5}}));
    a.lost(worker_at(1));
    CHECK(a.summary().edges_lost == 1);
    CHECK(a.summary().clean());
  }
  SUBCASE("but not if the crash came rounds later") {
    auto a = mixing_audit{pair()};
    a.add(report(1, 5, {}));
    a.lost(worker_at(1));
    a.add(report(0, 3, {{1, 0.5}}));
    CHECK(a.summary().one_sided_edges == 1);
  }
  SUBCASE("and a departure in that round excuses no other edge") {
    auto a = mixing_audit{path_of_three()};
    auto r = report(1, 1, {{0, 0.5}});
    r.departed = {worker_at(2)};
    a.add(r);
    a.add(report(0, 1, {}));
    a.add(report(2, 1, {}));
    CHECK(a.summary().one_sided_edges == 1);
    CHECK(a.summary().edges_lost == 0);
  }
}

TEST_CASE("mixing_audit: a worker that says twice that it mixed with a neighbour is caught by its column") {
  auto a = mixing_audit{pair()};
  a.add(report(0, 1, {{1, 0.25}, {1, 0.25}}));
  a.add(report(1, 1, {{0, 0.25}}));
  CHECK(a.summary().max_column_error == doctest::Approx(0.25));
}

TEST_CASE(
    "mixing_audit: connect_rounds_max is the longest stretch until the committed edges joined everybody") {
  auto a = mixing_audit{path_of_three()};
  const auto round = [&](round_number k, bool left_edge, bool right_edge) {
    a.add(left_edge ? report(0, k, {{1, 0.25}}) : report(0, k, {}));
    auto middle = std::vector<std::pair<int, double>>{};
    if (left_edge)
      middle.emplace_back(0, 0.25);
    if (right_edge)
      middle.emplace_back(2, 0.25);
    a.add(report(1, k, middle));
    a.add(right_edge ? report(2, k, {{1, 0.25}}) : report(2, k, {}));
  };
  round(1, true, true);
  CHECK(a.summary().connect_rounds_max == 1);
  round(2, true, false);
  round(3, true, false);
  round(4, false, true);
  CHECK(a.summary().connect_rounds_max == 3);
  for (round_number k = 5; k <= 9; ++k)
    round(k, true, false); // never joined again: counts as it stands
  CHECK(a.summary().connect_rounds_max == 5);
  const auto activity = a.activity();
  CHECK(activity[0].active_share == doctest::Approx(8.0 / 9));
  CHECK(activity[1].active_share == doctest::Approx(2.0 / 9));
}

TEST_CASE(
    "mixing_audit: of a run that is seen from its middle on, stretches count from the first round seen") {
  auto a = mixing_audit{pair()};
  a.add(report(0, 700, {{1, 0.5}}));
  a.add(report(1, 700, {{0, 0.5}}));
  CHECK(a.summary().connect_rounds_max == 1);
}

TEST_CASE("mixing_audit: an audit from a later round on counts its stretches from there") {
  auto a = mixing_audit{pair(), 100};
  a.add(report(0, 101, {{1, 0.5}}));
  a.add(report(1, 101, {{0, 0.5}}));
  CHECK(a.summary().connect_rounds_max == 1);
}

TEST_CASE("mixing_audit: when all have left or are lost nothing stays unaudited") {
  auto a = mixing_audit{path_of_three()};
  a.add(report(0, 1, {}));
  a.add(report(0, 2, {}));
  a.left(worker_at(0));
  a.lost(worker_at(1));
  CHECK(a.summary().rounds_unaudited == 2);
  a.left(worker_at(2));
  CHECK(a.summary().rounds_unaudited == 0);
  CHECK(a.summary().rounds_audited == 2);
}

TEST_CASE("mixing_audit: a lost worker that is back is waited for again and audited from there on") {
  auto a = mixing_audit{pair()};
  a.add(report(0, 1, {{1, 0.5}}));
  a.add(report(1, 1, {{0, 0.5}}));
  a.lost(worker_at(1));
  a.add(report(0, 2, {}));
  a.add(report(0, 3, {}));
  CHECK(a.summary().rounds_audited == 3);
  a.back(worker_at(1));
  a.add(report(0, 4, {}));
  a.add(report(0, 5, {{1, 0.5}}));
  CHECK(a.summary().rounds_audited == 3); // it may have been in these
  a.add(report(1, 5, {{0, 0.5}}));
  CHECK(a.summary().rounds_audited == 5);
  CHECK(a.summary().clean());
  CHECK(a.summary().edges_lost == 0);
  SUBCASE("also for what only one end mixed") {
    a.add(report(0, 6, {{1, 0.5}}));
    a.add(report(1, 6, {}));
    CHECK(a.summary().one_sided_edges == 1);
  }
  SUBCASE("and again, after another loss") {
    a.lost(worker_at(1));
    a.back(worker_at(1));
    a.add(report(0, 6, {{1, 0.5}}));
    a.add(report(0, 9, {}));
    a.add(report(1, 9, {}));
    CHECK(a.summary().edges_lost == 1);
    CHECK(a.summary().clean());
    CHECK(a.summary().rounds_unaudited == 0);
  }
}

TEST_CASE("mixing_audit: what a worker did between its last report and its return is not known") {
  auto a = mixing_audit{pair()};
  a.add(report(1, 3, {}));
  a.lost(worker_at(1));
  a.back(worker_at(1)); // before anybody was audited without it
  for (round_number k = 1; k <= 4; ++k)
    a.add(report(0, k, {}));
  a.add(report(0, 5, {{1, 0.5}}));
  a.add(report(0, 6, {}));
  a.add(report(1, 6, {}));
  CHECK(a.summary().edges_lost == 1);
  CHECK(a.summary().clean());
}

TEST_CASE(
    "mixing_audit: rounds that a worker reports again after its return excuse their one-sided edges only") {
  auto a = mixing_audit{pair()};
  a.add(report(1, 4, {}));
  a.add(report(1, 5, {}));
  a.lost(worker_at(1));
  a.back(worker_at(1));
  a.add(report(1, 5, {{0, 0.5}})); // a second time, with other partners
  a.add(report(0, 5, {{1, 0.5}}));
  a.add(report(1, 6, {}));
  a.add(report(0, 6, {{1, 0.5}}));
  CHECK(a.summary().edges_lost == 1);
  CHECK(a.summary().one_sided_edges == 1);
}

TEST_CASE("mixing_audit: a round that only the process before reported to its partner is no violation") {
  // Worker 1 committed round 8 with worker 0 and died before it could say so. Its next process, told of round
  // 3 by worker 2, reported rounds 4 and 12, and has worker 0 as departed until it knows where that is.
  auto a = mixing_audit{path_of_three()};
  a.add(report(1, 7, {}));
  a.lost(worker_at(1));
  a.back(worker_at(1));
  auto r = report(1, 4, {{2, 0.5}});
  r.departed = {worker_at(0)};
  a.add(r);
  a.add(report(1, 12, {{2, 0.5}}));
  a.add(report(0, 8, {{1, 0.5}}));
  a.add(report(0, 13, {{1, 0.5}}));
  a.add(report(2, 12, {{1, 0.5}}));
  a.add(report(2, 14, {}));
  a.add(report(1, 14, {}));
  a.add(report(0, 14, {}));
  CHECK(a.summary().edges_lost == 1);
  CHECK(a.summary().one_sided_edges == 1); // round 13: by then it had heard from worker 0
}

TEST_CASE(
    "mixing_audit: a round done in two lives by both ends of an edge, by other weights, is no violation") {
  // Workers 0 and 1 did round 5 and were killed; a neighbour that was behind let them do it again with it.
  // Of worker 1 the second report is heard, of worker 0 the first.
  for (const auto known : {false, true}) {
    CAPTURE(known);
    auto a = mixing_audit{triangle()};
    a.add(report(0, 4, {}));
    a.add(report(1, 4, {}));
    a.add(report(2, 4, {}));
    a.add(report(0, 5, {{1, 0.5}}));
    if (!known) {
      for (const auto id : {worker_at(0), worker_at(1)}) {
        a.lost(id);
        a.back(id);
      }
    }
    a.add(report(1, 5, {{0, 1.0 / 3}, {2, 1.0 / 3}}));
    a.add(report(2, 5, {{1, 1.0 / 3}}));
    for (const auto id : {0, 1, 2})
      a.add(report(id, 6, {}));
    CHECK(a.summary().clean() == !known);
    CHECK(a.summary().edges_lost == (known ? 0 : 1));
  }
}

TEST_CASE(
    "mixing_audit: a neighbour that was heard to return may be a new process of which no news is here yet") {
  auto a = mixing_audit{pair()};
  a.add(report(1, 5, {}));
  auto r = report(0, 5, {{1, 0.5}});
  r.returned = {worker_at(1)};
  a.add(r);
  CHECK(a.summary().one_sided_edges == 1); // if it was not
  CHECK(a.violations() ==
        std::vector<std::string>{"round 5: worker 0 mixed with worker 1, which did not mix with it"});
  CHECK(a.certain_violations() == 0);
  SUBCASE("the news comes") {
    a.lost(worker_at(1));
    CHECK(a.summary().clean());
    CHECK(a.summary().edges_lost == 1);
  }
  SUBCASE("it leaves in good order") {
    a.left(worker_at(1));
    CHECK_FALSE(a.summary().clean());
  }
}

TEST_CASE("mixing_audit: reports that come too late, or twice, are not used") {
  auto a = mixing_audit{pair()};
  a.add(report(0, 1, {{1, 0.5}}));
  a.lost(worker_at(1));
  a.add(report(1, 1, {{0, 0.5}})); // that round is checked
  a.add(report(0, 1, {{1, 0.5}}));
  CHECK(a.summary().rounds_audited == 1);
  CHECK(a.summary().rounds_unaudited == 0);
  CHECK(a.summary().clean());
}

TEST_CASE("mixing_audit: a worker that is back and never reports holds a bounded number of reports") {
  auto a = mixing_audit{path_of_three()};
  a.lost(worker_at(2));
  a.back(worker_at(2));
  const auto rounds = mixing_audit::reports_pending_max(3) / 2 + 10;
  for (round_number k = 1; k <= rounds; ++k) {
    a.add(report(0, k, {}));
    a.add(report(1, k, {}));
  }
  CHECK(a.summary().rounds_unaudited == rounds);
  a.left(worker_at(2)); // done without another round
  CHECK(a.summary().rounds_unaudited == 10);
  CHECK(a.summary().rounds_audited == mixing_audit::reports_pending_max(3) / 2);
}

TEST_CASE("mixing_audit: what a straggler says of rounds that were too many to keep is no violation") {
  auto a = mixing_audit{pair()};
  const auto most = mixing_audit::reports_pending_max(2);
  for (round_number k = 1; k <= most + 10; ++k)
    a.add(report(0, k, {{1, 0.5}}));
  for (round_number k = 1; k <= most + 10; ++k)
    a.add(report(1, k, {{0, 0.5}}));
  CHECK(a.summary().clean());
  CHECK(a.summary().rounds_unaudited == 10);
  CHECK(a.summary().rounds_audited == most);
  CHECK(a.summary().connect_rounds_max == 1);
  CHECK(a.violations().empty());
}
