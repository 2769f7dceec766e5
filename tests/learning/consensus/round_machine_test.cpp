#include "tests/learning/consensus/worker_probe.hpp"

#include "learning/consensus/round_machine.hpp"

#include <doctest/doctest.h>

// `step` on plain values, one case per claim. "Eq." and the notation are those of arXiv 2102.06280 as the
// project uses them: w~_j(k) after the step, S_j(k) the neighbours that count, p_j = |S_j|, b_j = d_j - p_j,
// P_ij = 1 / (1 + max(p_i, p_j)).

using namespace dybw;
using namespace dybw::test;

// --- The correction.

namespace {

auto correcting(machine_options& o) {
  o.corrects = true;
}

/// Ends the round with worker 1, which names this generation.
void end_round(worker_probe& w, round_number k, std::uint64_t generation) {
  w.hear(1, estimate{k, true, generation});
  w.hear(1, accept{k});
  w.hear(1, closed{k, 1});
}

} // namespace

TEST_CASE("round_machine: an edge counts into the correction if both ends named the generation that is now") {
  for (const std::string policy : {"full", "dtur"}) {
    CAPTURE(policy);
    worker_probe w{path_of_three(), 0, policy, correcting};
    w.begin();
    w.finish_step();
    end_round(w, 1, 0);
    REQUIRE(w.record().committed.size() == 1);
    CHECK(w.record().committed[0].corrects);
    CHECK(w.record().generation == 0);

    w.finish_step();
    end_round(w, 2, 77); // it knows of somebody who is gone
    REQUIRE(w.record().round == 2);
    CHECK_FALSE(w.record().committed.at(0).corrects);

    w.finish_step();
    w.hear(1, estimate{3, true, 0});
    w.hear_facts(1, {worker_fact(2, 1, false)}); // after we had told
    end_round(w, 3, 0);
    REQUIRE(w.record().round == 3);
    CHECK_FALSE(w.record().committed.at(0).corrects);
    CHECK(w.record().generation == w.machine().facts().generation());
    CHECK(w.record().generation != 0);

    w.finish_step();
    end_round(w, 4, w.machine().facts().generation());
    REQUIRE(w.record().round == 4);
    CHECK(w.record().committed.at(0).corrects);
  }
}

TEST_CASE("round_machine: it is the estimate that was accepted whose generation counts, not a later one's") {
  worker_probe w{triangle(), 1, "full", [](machine_options& o) {
                   o.corrects = true;
                   o.weights = weight_rule::graph;
                 }};
  w.begin();
  w.hear_facts(0, {worker_fact(0, 1, true)});
  const auto now = w.machine().facts().generation();
  w.finish_step();                 // names it
  w.hear(0, estimate{1, true, 0}); // from before it was known there
  w.hear(0, accept{1});
  w.hear(0, closed{1, 2});
  w.hear(0, estimate{2, true, now}); // and after
  w.hear(2, estimate{1, true, now});
  w.hear(2, accept{1});
  REQUIRE(w.record().round == 1);
  REQUIRE(w.record().committed.size() == 2);
  CHECK_FALSE(w.record().committed[0].corrects);
  CHECK(w.record().committed[1].corrects);
}

TEST_CASE("round_machine: whoever mixes nothing as its process stood still begins its correction anew, and "
          "all others") {
  worker_probe w{pair(), 0, "full", correcting};
  w.begin();
  w.finish_step();
  w.hear(1, estimate{1});
  CHECK(w.tell(paused{}).find("membership") != std::string::npos);
  CHECK(w.machine().facts().generation() != 0);
  worker_probe without{pair(), 0, "full"};
  without.begin();
  without.finish_step();
  without.hear(1, estimate{1});
  without.tell(paused{});
  CHECK(without.machine().facts().generation() == 0);
}

// --- A round.

TEST_CASE("round_machine: a round in which nobody can be is not believed") {
  const auto last = round_number{1000};
  const auto far = machine_frame::rounds_ahead_max + 10;
  for (const auto* policy : {"full", "static:1", "dtur", "hop:1:2", "barrier"})
    for (const auto bounded : {true, false})
      for (const auto round : {bounded ? last + 1 : far, ~round_number{0}}) {
        auto w = worker_probe{triangle(), 0, policy, with_last_round(bounded ? last : ~round_number{0})};
        w.begin();
        for (const auto& m :
             {protocol_message{estimate{round}}, protocol_message{estimate{round, false}},
              protocol_message{accept{round}}, protocol_message{closed{round, 0}},
              protocol_message{threshold{0, 0, round, edge_of(0, 1)}},
              protocol_message{threshold{0, 7, 3, edge_of(0, 1)}}}) // no seven sweeps in two rounds
          CHECK(w.hear(1, m) == "");
        CHECK(w.machine().counters().rounds_refused == 6);
        CHECK(w.finish_step().starts_with("estimate{1} to 1, estimate{1} to 2"));
        CHECK(w.hear(1, closed{round, 2}) == "");
        w.hear(1, estimate{1});
        CHECK(w.machine().completed() == 0);
      }
}

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
