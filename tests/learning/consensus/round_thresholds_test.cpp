#include "tests/learning/consensus/worker_probe.hpp"

#include "learning/consensus/round_machine.hpp"

#include <doctest/doctest.h>

// How rounds close for everybody.

using namespace dybw;
using namespace dybw::test;

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

TEST_CASE("round_machine: what comes to be covered at one moment is passed on together") {
  const auto star = make_graph(6, {{0, 1}, {0, 2}, {0, 3}, {0, 4}, {0, 5}});
  auto w = worker_probe{star, 0, "dtur"};
  w.begin();
  CHECK(w.hear(1, threshold{0, 0, 1, edge_of(0, 1)}).find("closed{1, 0}") != std::string::npos);
  // The first edge of the moment goes at once; for the others there is a timer, due now.
  CHECK(w.hear(2, threshold{0, 0, 1, edge_of(0, 2)}).starts_with("threshold{0, 0, 1, 0-2} to 1"));
  CHECK(w.hear(3, threshold{0, 0, 1, edge_of(0, 3)}) == "timer");
  CHECK(w.timer() == w.now());
  CHECK(w.hear(4, threshold{0, 0, 1, edge_of(0, 4)}) == "");
  CHECK(w.hear(4, threshold{0, 0, 1, edge_of(0, 4)}) == ""); // no news
  CHECK(w.tell(timer_expired{}) ==
        "threshold{0, 0, 1, none 0-3 0-4} to 1, threshold{0, 0, 1, none 0-3 0-4} to 2, "
        "threshold{0, 0, 1, none 0-3 0-4} to 3, threshold{0, 0, 1, none 0-3 0-4} to 4, "
        "threshold{0, 0, 1, none 0-3 0-4} to 5");
  CHECK(w.tell(timer_expired{}) == "");
  // At the next moment the first goes at once again, and completes the sweep.
  w.wait(1ns);
  CHECK(w.hear(5, threshold{0, 0, 1, edge_of(0, 5)}).starts_with("threshold{0, 0, 1, 0-5} to 1"));
  CHECK(w.machine().counters().sweeps_completed == 1);
}

TEST_CASE("round_machine: edges that come together cover, complete a sweep, and are no news twice") {
  const auto path = make_graph(4, {{0, 1}, {1, 2}, {2, 3}});
  auto w = worker_probe{path, 1, "dtur"};
  w.begin();
  w.hear(2, threshold{0, 0, 1, edge_of(2, 3)});
  const auto all = std::make_shared<const std::vector<edge>>(
      std::vector{edge_of(0, 1), edge_of(0, 3), edge_of(1, 2)}); // 0-3 is none of ours
  const auto both =
      threshold{0, 0, 1, std::nullopt, std::make_shared<const covered_edges>(covered_edges{all, {0b111}})};
  w.wait(1ns);
  CHECK(w.hear(2, both) == "threshold{0, 0, 1, none 0-1 0-3 1-2} to 0");
  CHECK(w.machine().counters().sweeps_completed == 1);
  CHECK(w.hear(0, both) == "");
}

TEST_CASE("round_machine: while it gathers, the timer for covered edges does not push out the timeout") {
  const auto star = make_graph(5, {{0, 1}, {0, 2}, {0, 3}, {0, 4}});
  auto w = worker_probe{star, 0, "dtur"};
  w.begin();
  w.hear(1, threshold{0, 0, 1, edge_of(0, 1)});
  w.finish_step();
  const auto deadline = w.timer();
  CHECK(w.hear(2, threshold{0, 0, 1, edge_of(0, 2)}).starts_with("threshold"));
  CHECK(w.hear(3, threshold{0, 0, 1, edge_of(0, 3)}) == "timer");
  CHECK(w.timer() == w.now());
  CHECK(w.tell(timer_expired{}).ends_with("to 4, timer"));
  CHECK(w.timer() == deadline);
}
