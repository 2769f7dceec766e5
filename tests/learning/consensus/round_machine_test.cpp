#include "tests/learning/consensus/worker_probe.hpp"

#include "learning/consensus/round_machine.hpp"

#include <doctest/doctest.h>

// `step` on plain values, one case per claim. "Eq." and the notation are those of arXiv 2102.06280 as the
// project uses them: w~_j(k) after the step, S_j(k) the neighbours that count, p_j = |S_j|, b_j = d_j - p_j,
// P_ij = 1 / (1 + max(p_i, p_j)).

using namespace dybw;
using namespace dybw::test;

namespace {

auto with_weights(weight_rule rule) {
  return [rule](machine_options& o) { o.weights = rule; };
}

auto with_last_round(round_number k) {
  return [k](machine_options& o) { o.last_round = k; };
}

/// A pair's round `k` from computing to computing.
void complete_round(worker_probe& w, round_number k, nanoseconds step = 100ms) {
  w.finish_step(step);
  w.hear(1, estimate{k});
  w.hear(1, accept{k});
  w.hear(1, closed{k, 1});
}

} // namespace

// --- A round.

TEST_CASE("round_machine: a finished step joins the first round and offers its estimate to every neighbour") {
  auto w = worker_probe{triangle(), 0, "full"};
  CHECK(w.begin() == "compute{1}");
  CHECK(w.finish_step() == "estimate{1} to 1, estimate{1} to 2, timer");
  CHECK(w.machine().current_phase() == phase::gathering);
  CHECK(w.machine().completed() == 0);
}

TEST_CASE("round_machine: an estimate for the round is accepted on receipt while gathering") {
  auto w = worker_probe{triangle(), 0, "full"};
  w.begin();
  w.finish_step();
  CHECK(w.hear(1, estimate{1}) == "accept{1} to 1, use{1, 1}");
}

TEST_CASE("round_machine: estimates that came during the step are accepted when it joins") {
  auto w = worker_probe{triangle(), 0, "full"};
  w.begin();
  CHECK(w.hear(2, estimate{1}) == "");
  CHECK(w.finish_step() == "estimate{1} to 1, estimate{1} to 2, accept{1} to 2, use{2, 1}, timer");
}

TEST_CASE("round_machine: full closes when every neighbour is accepted, saying how many") {
  auto w = worker_probe{triangle(), 0, "full"};
  w.begin();
  w.finish_step();
  w.hear(1, estimate{1});
  CHECK(w.hear(2, estimate{1}) == "accept{1} to 2, use{2, 1}, closed{1, 2} to 1, closed{1, 2} to 2");
  CHECK(w.machine().current_phase() == phase::settling);
}

TEST_CASE("round_machine: it mixes only once every accepted neighbour has answered") {
  auto w = worker_probe{triangle(), 0, "full"};
  w.begin();
  w.finish_step();
  w.hear(1, estimate{1});
  w.hear(2, estimate{1});
  CHECK(w.hear(1, accept{1}) == "");
  CHECK(w.hear(2, accept{1}) == "mix{1 1:0.333 2:0.333}, done{1}, compute{2}");
  CHECK(w.machine().completed() == 1);
}

TEST_CASE("round_machine: counting is mutual: a neighbour that closed without accepting is not mixed with") {
  auto w = worker_probe{triangle(), 0, "full"};
  w.begin();
  w.finish_step();
  w.hear(1, estimate{1});
  w.hear(2, estimate{1});
  w.hear(1, accept{1});
  CHECK(w.hear(2, closed{1, 1}) == "mix{1 1:0.333}, done{1}, compute{2}");
  CHECK(w.record().accepted == 2);
  CHECK(w.record().own_weight == doctest::Approx(2.0 / 3));
}

TEST_CASE("round_machine: counting is mutual: a neighbour that accepted but was not is not mixed with") {
  auto w = worker_probe{triangle(), 0, "static:1"};
  w.begin();
  w.finish_step();
  w.hear(2, accept{1});
  w.hear(1, estimate{1}); // closes here: one is enough
  CHECK(w.hear(1, accept{1}) == "mix{1 1:0.333}, done{1}, compute{2}");
}

TEST_CASE("round_machine: b_j = d_j - p_j backup workers, counted by what was mixed") {
  auto w = worker_probe{triangle(), 0, "static:1"};
  w.begin();
  w.finish_step();
  w.hear(1, estimate{1});
  w.hear(1, accept{1});
  CHECK(w.record().degree == 2);
  CHECK(w.record().backup_workers == 1);
}

TEST_CASE("round_machine: a late estimate of a backup worker is counted, never mixed") {
  auto w = worker_probe{triangle(), 0, "static:1"};
  w.begin();
  w.finish_step();
  w.hear(1, estimate{1});
  CHECK(w.hear(2, estimate{1}) == ""); // settling
  w.hear(1, accept{1});
  CHECK(w.hear(2, estimate{1}) == ""); // computing
  CHECK(w.machine().counters().estimates_late == 2);
}

TEST_CASE("round_machine: an estimate for a later round is kept until its round comes") {
  auto w = worker_probe{triangle(), 0, "static:1"};
  w.begin();
  w.finish_step();
  CHECK(w.hear(2, estimate{2}) == "");
  w.hear(1, estimate{1});
  w.hear(1, accept{1});
  CHECK(w.finish_step() ==
        "estimate{2} to 1, estimate{2} to 2, accept{2} to 2, use{2, 2}, closed{2, 1} to 1, "
        "closed{2, 1} to 2");
}

TEST_CASE("round_machine: an estimate without parameters is not accepted but says where its sender is") {
  auto w = worker_probe{pair(), 0, "full"};
  w.begin();
  w.finish_step();
  CHECK(w.hear(1, estimate{1, false}) == "closed{1, 0} to 1, mix{1}, done{1}, compute{2}");
  CHECK(w.record().own_weight == 1);
}

TEST_CASE("round_machine: a stranger's message and a dropped step's end change nothing") {
  auto w = worker_probe{path_of_three(), 0, "full"};
  w.begin();
  CHECK(w.hear(2, estimate{1}) == "");
  CHECK(w.tell(step_done{99}) == "");
  CHECK(w.machine().current_phase() == phase::computing);
}

TEST_CASE("round_machine: there is no round 0 to be in or to close") {
  auto w = worker_probe{path_of_three(), 1, "dtur"};
  w.begin();
  CHECK(w.hear(0, estimate{0}) == "");
  CHECK(w.hear(0, threshold{0, 1, 0, edge_of(0, 1)}) == "");
  w.finish_step();
  w.hear(0, estimate{1});
  CHECK(w.hear(0, accept{1}).find("threshold{0, 0, 1, 0-1}") == 0);
}

// --- Closing.

TEST_CASE("round_machine: static waits for all but B") {
  auto w = worker_probe{make_graph(4, {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {2, 3}, {1, 3}}), 0, "static:1"};
  w.begin();
  w.finish_step();
  CHECK(w.hear(3, estimate{1}) == "accept{1} to 3, use{3, 1}");
  CHECK(w.hear(1, estimate{1}) ==
        "accept{1} to 1, use{1, 1}, closed{1, 2} to 1, closed{1, 2} to 2, closed{1, 2} to 3");
}

TEST_CASE("round_machine: a round closes when nobody is left to wait for") {
  SUBCASE("the last one closed it") {
    auto w = worker_probe{pair(), 0, "full"};
    w.begin();
    w.finish_step();
    CHECK(w.hear(1, closed{1, 0}) == "closed{1, 0} to 1, mix{1}, done{1}, compute{2}");
  }
  SUBCASE("the last one is past it") {
    auto w = worker_probe{pair(), 0, "full"};
    w.begin();
    w.finish_step();
    CHECK(w.hear(1, estimate{2}) == "closed{1, 0} to 1, mix{1}, done{1}, compute{2}");
  }
  SUBCASE("the last one left") {
    auto w = worker_probe{pair(), 0, "full"};
    w.begin();
    w.finish_step();
    CHECK(w.hear(1, leaving{}) == "mix{1}, done{1}, compute{2}");
  }
  SUBCASE("the last one is lost") {
    auto w = worker_probe{pair(), 0, "full"};
    w.begin();
    w.finish_step();
    w.tell(lost(1));
    CHECK(w.machine().completed() == 1);
    CHECK(w.record().departed == std::vector{worker_at(1)});
  }
}

TEST_CASE("round_machine: a round once closed by a neighbour is not offered to it again") {
  auto w = worker_probe{pair(), 0, "full"};
  w.begin();
  w.hear(1, estimate{1});
  w.hear(1, closed{1, 0});
  CHECK(w.finish_step() == "closed{1, 0} to 1, estimate{2} to 1, timer");
}

// --- Joining (DESIGN: the newest round that any neighbour is known to be in).

TEST_CASE("round_machine: local quorums join the newest round that a neighbour is known to be in") {
  for (const auto* policy : {"full", "static:1"}) {
    auto w = worker_probe{triangle(), 0, policy};
    w.begin();
    w.hear(1, closed{4, 1}); // so worker 1 is in round 5
    w.hear(2, estimate{3});
    CHECK(w.finish_step() ==
          "closed{4, 0} to 1, closed{4, 0} to 2, estimate{5} to 1, estimate{5} to 2, timer");
  }
}

TEST_CASE("round_machine: no worker joins a round after the last") {
  auto w = worker_probe{pair(), 0, "full", with_last_round(4)};
  w.begin();
  w.hear(1, closed{4, 1});
  w.hear(1, leaving{});
  CHECK(w.finish_step() == "mix{1}, done{1}, compute{2}"); // who left is in no round
  auto v = worker_probe{pair(), 0, "full", with_last_round(4)};
  v.begin();
  v.hear(1, closed{4, 1});
  CHECK(v.finish_step() ==
        "closed{3, 0} to 1, estimate{4} to 1, closed{4, 0} to 1, mix{4}, done{4}, leaving to 1, finished{4}");
}

// --- Weights.

TEST_CASE("round_machine: weights graph use the planned degrees of both ends") {
  // Worker 0 of a star with four leaves: degree 4, the leaves' is 1.
  const auto star = make_graph(5, {{0, 1}, {0, 2}, {0, 3}, {0, 4}});
  auto w = worker_probe{star, 1, "full"};
  w.begin();
  w.finish_step();
  w.hear(0, estimate{1});
  CHECK(w.hear(0, accept{1}) == "mix{1 0:0.200}, done{1}, compute{2}");
}

TEST_CASE("round_machine: weights active are 1 / (1 + max(p_i, p_j)), from both closed messages") {
  auto w = worker_probe{triangle(), 0, "full", with_weights(weight_rule::active)};
  w.begin();
  w.finish_step();
  w.hear(1, estimate{1});
  w.hear(2, estimate{1});
  w.hear(1, accept{1});
  w.hear(2, accept{1});
  CHECK(w.hear(1, closed{1, 1}) == "");
  CHECK(w.hear(2, closed{1, 4}) == "mix{1 1:0.333 2:0.200}, done{1}, compute{2}");
}

TEST_CASE("round_machine: the first degree that a neighbour says for a round stands") {
  // Said again when a link comes up, then with degree 0; the neighbour mixes with the first.
  auto w = worker_probe{triangle(), 0, "full", with_weights(weight_rule::active)};
  w.begin();
  w.finish_step();
  w.hear(1, estimate{1});
  w.hear(2, estimate{1});
  w.hear(1, accept{1});
  w.hear(1, closed{1, 4});
  w.hear(1, closed{1, 0});
  w.hear(2, accept{1});
  CHECK(w.hear(2, closed{1, 2}) == "mix{1 1:0.200 2:0.333}, done{1}, compute{2}");
}

TEST_CASE("round_machine: settling ends with closed of a later round too") {
  SUBCASE("for the answer") {
    auto w = worker_probe{pair(), 0, "full"};
    w.begin();
    w.finish_step();
    w.hear(1, estimate{1});
    CHECK(w.hear(1, closed{3, 0}) == "mix{1}, done{1}, compute{2}");
  }
  SUBCASE("for the degree, which was said while the link was thought down: the edge is lost") {
    auto w = worker_probe{pair(), 0, "full", with_weights(weight_rule::active)};
    w.begin();
    w.finish_step();
    w.hear(1, estimate{1});
    w.hear(1, accept{1});
    CHECK(w.hear(1, closed{2, 0}) == "mix{1}, done{1}, compute{2}");
  }
  SUBCASE("also by an estimate of a later round") {
    auto w = worker_probe{pair(), 0, "full"};
    w.begin();
    w.finish_step();
    w.hear(1, estimate{1});
    CHECK(w.hear(1, estimate{2}) == "mix{1}, done{1}, compute{2}");
  }
}

// --- DTUR.

TEST_CASE("round_machine: DTUR closes the round for everybody when a connecting edge is committed") {
  auto w = worker_probe{path_of_three(), 1, "dtur"};
  w.begin();
  w.finish_step();
  w.hear(0, estimate{1});
  CHECK(w.hear(0, accept{1}) ==
        "threshold{0, 0, 1, 0-1} to 0, threshold{0, 0, 1, 0-1} to 2, closed{1, 1} to 0, closed{1, 1} to 2");
  CHECK(w.hear(0, closed{1, 1}) == "mix{1 0:0.500}, done{1}, compute{2}");
}

TEST_CASE("round_machine: DTUR does not close on an edge that the sweep has covered") {
  auto w = worker_probe{path_of_three(), 1, "dtur"};
  w.begin();
  w.finish_step();
  w.hear(0, estimate{1});
  w.hear(0, accept{1});
  w.hear(0, closed{1, 1});
  w.finish_step();
  w.hear(0, estimate{2});
  CHECK(w.hear(0, accept{2}) == "");
  CHECK(w.hear(2, estimate{2}) == "accept{2} to 2, use{2, 2}, closed{2, 2} to 0, closed{2, 2} to 2");
  CHECK(w.hear(2, accept{2}) == "threshold{0, 0, 2, 1-2} to 0, threshold{0, 0, 2, 1-2} to 2");
  CHECK(w.machine().counters().sweeps_completed == 1);
}

TEST_CASE("round_machine: all connecting edges committed in one round are covered") {
  auto w = worker_probe{path_of_three(), 1, "dtur"};
  w.begin();
  w.finish_step();
  w.hear(0, estimate{1});
  w.hear(2, estimate{1});
  w.hear(0, accept{1});
  CHECK(w.hear(2, accept{1}).find("threshold{0, 0, 1, 1-2}") != std::string::npos);
  CHECK(w.machine().counters().sweeps_completed == 1);
}

TEST_CASE("round_machine: a threshold closes the round of who gathers, and is passed on once") {
  auto w = worker_probe{path_of_three(), 1, "dtur"};
  w.begin();
  w.finish_step();
  const auto t = threshold{0, 0, 1, edge_of(0, 1)};
  CHECK(w.hear(0, t) ==
        "threshold{0, 0, 1, 0-1} to 2, closed{1, 0} to 0, closed{1, 0} to 2, mix{1}, done{1}, "
        "compute{2}");
  CHECK(w.hear(2, t) == "");
}

TEST_CASE("round_machine: who computes at the threshold sits the round out and keeps w_j(k) = w_j(k-1)") {
  SUBCASE("carry: the step goes on and joins the round that is then current") {
    auto w = worker_probe{path_of_three(), 1, "dtur"};
    w.begin();
    CHECK(w.hear(0, threshold{0, 0, 3, edge_of(0, 1)}) ==
          "threshold{0, 0, 3, 0-1} to 2, closed{3, 0} to 0, closed{3, 0} to 2");
    CHECK(w.finish_step() == "estimate{4} to 0, estimate{4} to 2, timer");
    CHECK(w.machine().counters().steps_discarded == 0);
  }
  SUBCASE("discard: the step is dropped and a new one starts") {
    auto w =
        worker_probe{path_of_three(), 1, "dtur", [](machine_options& o) { o.on_miss = miss_rule::discard; }};
    w.begin();
    const auto unfinished = w.ticket();
    CHECK(w.hear(0, threshold{0, 0, 3, edge_of(0, 1)}) ==
          "threshold{0, 0, 3, 0-1} to 2, closed{3, 0} to 0, closed{3, 0} to 2, drop{1}, compute{2}");
    CHECK(w.tell(step_done{unfinished}) == "");
    CHECK(w.machine().counters().steps_discarded == 1);
  }
}

TEST_CASE("round_machine: a threshold for a later round closes this one and those in between") {
  auto w = worker_probe{path_of_three(), 1, "dtur"};
  w.begin();
  w.finish_step();
  CHECK(w.hear(0, threshold{0, 0, 4, edge_of(0, 1)}) ==
        "threshold{0, 0, 4, 0-1} to 2, closed{1, 0} to 0, closed{1, 0} to 2, mix{1}, done{1}, closed{4, 0} "
        "to 0, "
        "closed{4, 0} to 2, compute{2}");
}

TEST_CASE("round_machine: a threshold that tells neither a later round nor coverage is not passed on") {
  auto w = worker_probe{path_of_three(), 1, "dtur"};
  w.begin();
  w.hear(0, threshold{0, 0, 3, edge_of(0, 1)});
  CHECK(w.hear(0, threshold{0, 0, 2, std::nullopt}) == "");
  CHECK(w.hear(0, threshold{0, 0, 2, edge_of(0, 1)}) == "");
  CHECK(w.hear(0, threshold{0, 0, 2, edge_of(1, 2)}) == "threshold{0, 0, 2, 1-2} to 2"); // coverage is news
}

TEST_CASE(
    "round_machine: a threshold of another generation closes, covers nothing, is answered with the facts") {
  auto w = worker_probe{triangle(), 0, "dtur"};
  w.begin();
  w.hear_facts(1, {link_fact(1, 2, 1, false)});
  const auto did = w.hear(2, threshold{12345, 0, 1, edge_of(0, 2)});
  CHECK(did.find("membership{1-2 down v1} to 2") == 0);
  CHECK(did.find("closed{1, 0} to 1") != std::string::npos);
  w.finish_step();
  w.hear(2, estimate{2});
  CHECK(w.hear(2, accept{2}).find("threshold") == 0); // 0-2 was not covered
}

TEST_CASE("round_machine: a new generation fires on edges already committed in the open round") {
  // The tree is 0-1, 0-2; without the link 0-1 the edge 1-2 connects.
  auto w = worker_probe{triangle(), 1, "dtur"};
  w.begin();
  w.finish_step();
  w.hear(2, estimate{1});
  REQUIRE(w.hear(2, accept{1}) == "");
  const auto did = w.hear_facts(2, {link_fact(0, 1, 1, false)});
  CHECK(did.find("0, 1, 1-2} to 2") != std::string::npos);
  CHECK(did.find("closed{1, 1} to 2") != std::string::npos);
}

TEST_CASE("round_machine: under DTUR a neighbour two rounds ahead is caught up with, telling the others") {
  auto w = worker_probe{path_of_three(), 1, "dtur"};
  w.begin();
  CHECK(w.hear(0, closed{1, 1}) == "");
  CHECK(w.hear(0, estimate{3}) ==
        "threshold{0, 0, 2, none} to 0, threshold{0, 0, 2, none} to 2, closed{2, 0} to 0, "
        "closed{2, 0} to 2");
  CHECK(w.finish_step() == "estimate{3} to 0, estimate{3} to 2, accept{3} to 0, use{0, 3}, timer");
}

// --- Timeouts.

TEST_CASE(
    "round_machine: before anything is observed gathering may take ten first steps, at least ten seconds") {
  auto quick = worker_probe{pair(), 0, "full"};
  quick.begin();
  quick.finish_step(100ms);
  CHECK(quick.timer() - quick.now() == 10s);
  auto slow = worker_probe{pair(), 0, "full"};
  slow.begin();
  slow.finish_step(3s);
  CHECK(slow.timer() - slow.now() == 30s);
}

TEST_CASE("round_machine: the gathering timeout becomes ten times the neighbour's pace, at least a second") {
  for (const auto step : {nanoseconds{1ms}, nanoseconds{2s}}) {
    auto w = worker_probe{pair(), 0, "full"};
    w.begin();
    for (round_number k = 1; k <= 5000; ++k)
      complete_round(w, k, step);
    w.finish_step(step);
    const auto limit = w.timer() - w.now();
    CHECK(limit >= std::max<nanoseconds>(10 * step, 1s));
    CHECK(limit <= std::max<nanoseconds>(11 * step, 1s));
  }
}

TEST_CASE("round_machine: a given round timeout is used as it is") {
  auto w = worker_probe{pair(), 0, "full", [](machine_options& o) { o.round_timeout = 42ms; }};
  w.begin();
  w.finish_step();
  CHECK(w.timer() - w.now() == 42ms);
}

TEST_CASE("round_machine: a timeout closes the round, an early or stale timer does nothing") {
  auto w = worker_probe{pair(), 0, "full", [](machine_options& o) { o.round_timeout = 500ms; }};
  w.begin();
  w.finish_step();
  w.wait(499ms);
  CHECK(w.tell(timer_expired{}) == "");
  w.wait(1ms);
  CHECK(w.tell(timer_expired{}) == "closed{1, 0} to 1, mix{1}, done{1}, compute{2}");
  CHECK(w.record().timed_out);
  CHECK(w.machine().counters().timeouts == 1);
  CHECK(w.tell(timer_expired{}) == "");
}

TEST_CASE("round_machine: settling never times out on a live partner") {
  auto w = worker_probe{pair(), 0, "full", [](machine_options& o) { o.round_timeout = 500ms; }};
  w.begin();
  w.finish_step();
  w.hear(1, estimate{1});
  w.wait(1h);
  CHECK(w.tell(timer_expired{}) == "");
  CHECK(w.machine().current_phase() == phase::settling);
  const auto status = w.machine().status();
  REQUIRE(status.waiting_for.size() == 1);
  CHECK(status.waiting_for[0].neighbour == worker_at(1));
  CHECK(status.waiting_for[0].what == wait_cause::kind::answer);
  CHECK(status.waiting_for[0].since == 100ms);
}

TEST_CASE("round_machine: under DTUR a timeout closes the round for everybody and covers nothing") {
  auto w = worker_probe{path_of_three(), 1, "dtur", [](machine_options& o) { o.round_timeout = 500ms; }};
  w.begin();
  w.finish_step();
  w.wait(500ms);
  CHECK(w.tell(timer_expired{}).find("threshold{0, 0, 1, none} to 0, threshold{0, 0, 1, none} to 2") == 0);
}

// --- Stopping.

TEST_CASE("round_machine: a stop while computing drops the step and leaves") {
  auto w = worker_probe{triangle(), 0, "full"};
  w.begin();
  CHECK(w.tell(stop_requested{}) == "drop{1}, leaving to 1, leaving to 2, finished{0}");
  CHECK(w.machine().has_left());
  CHECK(w.tell(step_done{1}) == "");
}

TEST_CASE("round_machine: a stop while gathering closes and settles first, leaving goes last") {
  auto w = worker_probe{triangle(), 0, "full"};
  w.begin();
  w.finish_step();
  w.hear(1, estimate{1});
  CHECK(w.tell(stop_requested{}) == "closed{1, 1} to 1, closed{1, 1} to 2");
  CHECK(w.hear(1, accept{1}) == "mix{1 1:0.333}, done{1}, leaving to 1, leaving to 2, finished{1}");
}

TEST_CASE("round_machine: after the last round it leaves") {
  auto w = worker_probe{pair(), 0, "full", with_last_round(1)};
  w.begin();
  w.finish_step();
  w.hear(1, estimate{1});
  CHECK(w.hear(1, accept{1}) == "mix{1 1:0.500}, done{1}, leaving to 1, finished{1}");
}

TEST_CASE("round_machine: who has left still passes floods on") {
  auto w = worker_probe{path_of_three(), 1, "dtur"};
  w.begin();
  w.tell(stop_requested{});
  CHECK(w.hear(0, threshold{0, 0, 7, edge_of(0, 1)}) == "threshold{0, 0, 7, 0-1} to 2");
  CHECK(w.hear_facts(0, {worker_fact(0, 1, false)}).find("membership{0 down v1} to 2") == 0);
}

TEST_CASE("round_machine: a thresholds' last round ends the run of who computes") {
  auto w = worker_probe{path_of_three(), 1, "dtur", with_last_round(3)};
  w.begin();
  CHECK(w.hear(0, threshold{0, 0, 3, edge_of(0, 1)}) ==
        "threshold{0, 0, 3, 0-1} to 2, closed{3, 0} to 0, closed{3, 0} to 2, drop{1}, leaving to 0, leaving "
        "to 2, "
        "finished{3}");
}

// --- Membership.

TEST_CASE("round_machine: a suspicion gives up the link and tells everybody, the suspect too") {
  auto w = worker_probe{triangle(), 0, "full"};
  w.begin();
  CHECK(w.tell(lost(1)).find("membership{0-1 down v1} to 1, membership{0-1 down v1} to 2, changed{") == 0);
  CHECK_FALSE(w.machine().facts().link_up(edge_of(0, 1)));
  CHECK(w.machine().facts().worker_up(worker_at(1)));
  CHECK(w.finish_step() == "estimate{1} to 2, timer");
}

TEST_CASE("round_machine: a certain crash gives up the worker") {
  auto w = worker_probe{path_of_three(), 0, "full"};
  w.begin();
  CHECK(w.tell(lost(1, neighbour_lost::cause::crashed)).find("membership{1 down v1} to 1") == 0);
  CHECK_FALSE(w.machine().facts().worker_up(worker_at(1)));
  w.finish_step();
  CHECK(w.machine().completed() == 1); // alone, so the round closes at once
}

TEST_CASE("round_machine: the other end obeys a suspicion, and settles without the answer") {
  auto w = worker_probe{triangle(), 0, "full"};
  w.begin();
  w.finish_step();
  w.hear(1, estimate{1});
  w.hear(2, estimate{1});
  w.hear(2, accept{1});
  const auto did = w.hear_facts(2, {link_fact(0, 1, 1, false)});
  CHECK(did.find("membership{0-1 down v1} to 1") == 0);
  CHECK(did.find("mix{1 2:0.333}, done{1}") != std::string::npos);
  CHECK(w.record().departed == std::vector{worker_at(1)});
}

TEST_CASE("round_machine: a neighbour lost in a round takes no part in it even if it comes back") {
  auto w = worker_probe{triangle(), 0, "full"};
  w.begin();
  w.finish_step();
  w.tell(lost(1));
  w.tell(heard(1));
  CHECK(w.hear(1, estimate{1}) == "");
  CHECK(w.hear(1, accept{1}) == "");
  w.hear(2, estimate{1});
  CHECK(w.hear(2, accept{1}) == "mix{1 2:0.333}, done{1}, compute{2}");
  CHECK(w.finish_step().find("estimate{2} to 1") == 0);
}

TEST_CASE("round_machine: under weights active an edge to a neighbour lost while gathering is dropped") {
  // The neighbour will not hear our degree, so it cannot know the weight.
  auto w = worker_probe{triangle(), 0, "full", with_weights(weight_rule::active)};
  w.begin();
  w.finish_step();
  w.hear(1, estimate{1});
  w.hear(1, accept{1});
  w.hear(1, closed{1, 2});
  w.tell(lost(1));
  w.hear(2, estimate{1});
  w.hear(2, accept{1});
  CHECK(w.hear(2, closed{1, 2}) == "mix{1 2:0.333}, done{1}, compute{2}");
}

TEST_CASE("round_machine: who reads that it was declared down raises itself") {
  auto w = worker_probe{path_of_three(), 1, "full"};
  w.begin();
  const auto did = w.hear_facts(0, {worker_fact(1, 1, false)});
  CHECK(did.find("membership{1 down v1, 1 up v2} to 0") != std::string::npos);
  CHECK(did.find("membership{1 down v1, 1 up v2} to 2") != std::string::npos);
  CHECK(w.machine().facts().worker_up(worker_at(1)));
}

TEST_CASE("round_machine: who suspected raises the link when it hears the other, and says where it is") {
  SUBCASE("computing") {
    auto w = worker_probe{pair(), 0, "full"};
    w.begin();
    complete_round(w, 1);
    w.tell(lost(1));
    const auto did = w.tell(heard(1));
    CHECK(did.find("membership{0-1 up v2} to 1") == 0);
    CHECK(did.find("membership{0-1 up v2} to 1, closed{1, 0} to 1") != std::string::npos);
  }
  SUBCASE("gathering: an estimate that cannot be accepted") {
    auto w = worker_probe{triangle(), 0, "full"};
    w.begin();
    w.finish_step();
    w.tell(lost(1));
    CHECK(w.tell(heard(1)).find("estimate{1, no parameters} to 1") != std::string::npos);
  }
  SUBCASE("settling: it may have accepted what was sent before, and waits for an answer") {
    auto w = worker_probe{triangle(), 0, "full"};
    w.begin();
    w.finish_step();
    w.hear(2, estimate{1});
    w.tell(lost(1)); // closes
    REQUIRE(w.machine().current_phase() == phase::settling);
    CHECK(w.tell(heard(1)).find("closed{1, 1} to 1") != std::string::npos);
  }
  SUBCASE("left") {
    auto w = worker_probe{pair(), 0, "full"};
    w.begin();
    w.tell(stop_requested{});
    w.tell(lost(1));
    CHECK(w.tell(heard(1)).find("leaving to 1") != std::string::npos);
  }
}

TEST_CASE("round_machine: a link raised by the other end while it is silent here is put down again") {
  auto w = worker_probe{triangle(), 0, "full"};
  w.begin();
  w.tell(lost(1));
  const auto did = w.hear_facts(2, {link_fact(0, 1, 2, true)});
  CHECK(did.find("0-1 down v3") != std::string::npos);
  CHECK_FALSE(w.machine().facts().link_up(edge_of(0, 1)));
}

TEST_CASE("round_machine: a worker that raised itself before it crashed is not waited for") {
  // Its word overtakes nothing: we know of the crash, others may not yet.
  auto w = worker_probe{triangle(), 0, "full"};
  w.begin();
  w.hear_facts(2, {worker_fact(1, 1, false)}); // a false alarm elsewhere
  w.tell(lost(1, neighbour_lost::cause::crashed));
  const auto did = w.hear_facts(2, {worker_fact(1, 2, true)}); // raised itself at that, then crashed
  CHECK(did.find("0-1 down v1") != std::string::npos);
  CHECK(w.finish_step() == "estimate{1} to 2, timer");
}

TEST_CASE("round_machine: facts are passed on once, and those of no such worker or link are not") {
  auto w = worker_probe{path_of_three(), 1, "full"};
  w.begin();
  CHECK(w.hear_facts(0, {worker_fact(0, 1, false)}).find("membership{0 down v1} to 2") == 0);
  CHECK(w.hear_facts(2, {worker_fact(0, 1, false)}) == "");
  CHECK(w.hear_facts(0, {link_fact(0, 2, 1, false), worker_fact(77, 1, false)}) == "");
}

TEST_CASE("round_machine: a process that was paused mixes nothing in its open round") {
  auto w = worker_probe{triangle(), 0, "full"};
  w.begin();
  w.finish_step();
  w.hear(1, estimate{1});
  w.hear(1, accept{1});
  CHECK(w.tell(paused{}) == "closed{1, 1} to 1, closed{1, 1} to 2, mix{1}, done{1}, compute{2}");
  CHECK(w.record().departed.size() == 2);
  CHECK(w.tell(paused{}) == ""); // computing: nothing to give up
}

// --- Going on, and joining a live run.

namespace {

auto after(round_number completed, std::vector<fact> facts = {}) {
  return [=](machine_options& o) {
    o.completed = completed;
    o.facts = facts;
  };
}

} // namespace

TEST_CASE("round_machine: it goes on after a given round, with its neighbours as they are") {
  auto w = worker_probe{triangle(), 0, "full", after(7)};
  CHECK(w.machine().completed() == 7);
  CHECK(w.begin() == "compute{1}");
  CHECK(w.finish_step() == "estimate{8} to 1, estimate{8} to 2, timer");
  CHECK(w.hear(1, estimate{8}) == "accept{8} to 1, use{1, 8}");
}

TEST_CASE("round_machine: who would go on after the last round leaves at once") {
  auto w = worker_probe{pair(), 0, "full", [](machine_options& o) {
                          o.completed = 9;
                          o.last_round = 5;
                        }};
  CHECK(w.begin() == "leaving to 1, finished{5}");
}

TEST_CASE("round_machine: a joiner tells its facts, has every link down and raises each when it hears the "
          "neighbour") {
  auto w = worker_probe{triangle(), 0, "full", after(7, {link_fact(0, 1, 1, false)})};
  const auto facts = std::string{"membership{0-1 down v1, 0-2 down v1} to "};
  CHECK(w.begin() == facts + "1, " + facts + "2, compute{1}");
  CHECK(w.machine().status().component == 1);
  const auto did = w.tell(heard(1));
  CHECK(did.find("membership{0-1 up v2} to 1") == 0);
  CHECK(did.find("closed{7, 0} to 1") != std::string::npos);
  CHECK(w.machine().facts().link_up(edge_of(0, 1)));
  CHECK_FALSE(w.machine().facts().link_up(edge_of(0, 2)));
}

TEST_CASE("round_machine: a joiner that was declared down raises itself") {
  auto w = worker_probe{pair(), 0, "full", after(7, {worker_fact(0, 3, false)})};
  CHECK(w.begin().find("membership{0 up v4, 0-1 down v1} to 1") == 0);
}

TEST_CASE("round_machine: facts about other graphs are not taken over") {
  auto w = worker_probe{path_of_three(), 0, "full",
                        after(7, {link_fact(0, 2, 1, false), worker_fact(77, 1, false),
                                  fact{worker_at(1), worker_at(0), 1, false}})};
  CHECK(w.begin() == "membership{0-1 down v1} to 1, compute{1}");
}

TEST_CASE("round_machine: a joiner counts a neighbour only after the first round that it hears it to be in") {
  // It does not know whether its predecessor counted in that round: then it would count twice.
  auto w = worker_probe{pair(), 0, "full", after(7, {link_fact(0, 1, 1, false)})};
  w.begin();
  w.tell(heard(1));
  w.hear(1, closed{8, 1}); // of the round in which it may have accepted our predecessor
  SUBCASE("not in this one") {
    w.hear(1, estimate{9});
    CHECK(w.finish_step() ==
          "closed{8, 0} to 1, estimate{9} to 1, accept{9} to 1, use{1, 9}, closed{9, 1} to 1");
  }
  SUBCASE("nor if it heard of the neighbour while gathering") {
    auto v = worker_probe{triangle(), 0, "full", after(7, {link_fact(0, 1, 1, false)})};
    v.begin();
    v.tell(heard(1));
    v.tell(heard(2));
    v.hear(2, closed{7, 2});
    v.finish_step();
    CHECK(v.hear(1, estimate{8}) == "");
    v.hear(2, estimate{8});
    CHECK(v.hear(2, accept{8}) == "mix{8 2:0.333}, done{8}, compute{2}");
    CHECK(v.record().departed == std::vector{worker_at(1)});
  }
}

TEST_CASE("round_machine: a joiner that has heard from nobody waits, so as not to run ahead alone") {
  auto w = worker_probe{pair(), 0, "full", after(7, {link_fact(0, 1, 1, false)})};
  w.begin();
  CHECK(w.finish_step() == "timer");
  CHECK(w.machine().status().waiting_for.size() == 1);
  SUBCASE("until somebody tells it where it is") {
    CHECK(w.tell(heard(1)).find("estimate{8, no parameters} to 1") != std::string::npos);
    CHECK(w.hear(1, closed{12, 0}) == "closed{8, 0} to 1, mix{8}, done{8}, compute{2}");
    CHECK(w.finish_step().find("closed{12, 0} to 1, estimate{13} to 1") == 0);
  }
  SUBCASE("until its patience ends") {
    w.wait(w.timer() - w.now());
    CHECK(w.tell(timer_expired{}) == "mix{8}, done{8}, compute{2}");
    CHECK(w.record().timed_out);
    CHECK(w.finish_step() == "mix{9}, done{9}, compute{3}");
  }
  SUBCASE("until its neighbour says that it has left") {
    w.tell(heard(1));
    CHECK(w.hear(1, leaving{}) == "mix{8}, done{8}, compute{2}");
  }
}

TEST_CASE("round_machine: a neighbour welcomes a joiner with its facts and a round that its predecessor was "
          "not past") {
  auto w = worker_probe{triangle(), 0, "full"};
  CHECK_FALSE(w.machine().welcome_for(worker_at(1))); // it has not begun itself
  w.begin();
  w.tell(lost(1));
  CHECK(w.machine().welcome_for(worker_at(1))->round == 0);
  CHECK(w.machine().welcome_for(worker_at(1))->facts == std::vector{link_fact(0, 1, 1, false)});
  CHECK_FALSE(w.machine().welcome_for(worker_at(77)));
  w.finish_step();
  CHECK(w.machine().welcome_for(worker_at(1))->round == 1); // it may have counted in the round in progress
  w.hear(2, estimate{1});
  w.hear(2, accept{1});
  CHECK(w.machine().welcome_for(worker_at(1))->round == 1);
  w.hear(1, closed{4, 1}); // came late: it was in round 5
  CHECK(w.machine().welcome_for(worker_at(1))->round == 5);
  w.tell(stop_requested{});
  CHECK_FALSE(w.machine().welcome_for(worker_at(1))); // nothing goes on here
}

TEST_CASE("round_machine: what a neighbour offered before it was lost is not accepted when it returns") {
  auto w = worker_probe{triangle(), 0, "full"};
  w.begin();
  w.hear(1, estimate{1});
  w.tell(lost(1));
  w.tell(heard(1));
  CHECK(w.finish_step() == "estimate{1} to 1, estimate{1} to 2, timer");
  CHECK(w.hear(1, estimate{1}) == ""); // a round is offered once
}

TEST_CASE("round_machine: who has left and starts again is waited for again") {
  auto w = worker_probe{pair(), 0, "full"};
  w.begin();
  w.hear(1, leaving{});
  w.tell(lost(1));
  w.tell(heard(1));
  w.hear(1, closed{3, 0});
  CHECK(w.finish_step() == "closed{3, 0} to 1, estimate{4} to 1, timer");
}

TEST_CASE("round_machine: a neighbour's absence is not taken for its pace") {
  auto w = worker_probe{pair(), 0, "full"};
  w.begin();
  for (round_number k = 1; k <= 40; ++k)
    complete_round(w, k);
  w.tell(lost(1));
  w.wait(10min);
  w.tell(heard(1));
  w.hear(1, estimate{41});
  w.hear(1, closed{41, 0});
  w.finish_step();
  CHECK(w.timer() - w.now() < 60s);
}

TEST_CASE("round_machine: a change of membership tells how many workers are left and the lowest of them") {
  auto w = worker_probe{path_of_three(), 1, "full"};
  w.begin();
  CHECK(w.machine().status().component == 3);
  CHECK(w.machine().status().lowest == worker_at(0));
  auto told = std::vector<membership_changed>{};
  auto m = round_machine{[] {
    machine_options o;
    o.self = worker_at(1);
    o.policy = parse_policy("full", 1, worker_id{});
    o.graph = path_of_three();
    return o;
  }()};
  for (const auto& x : m.step(nanoseconds{0}, lost(0)))
    if (const auto* c = std::get_if<membership_changed>(&x))
      told.push_back(*c);
  REQUIRE(told.size() == 1);
  CHECK(told[0].component == 2);
  CHECK(told[0].lowest == worker_at(1));
  CHECK(m.status().lowest == worker_at(1));
}
