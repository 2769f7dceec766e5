#include "learning/consensus/round_neighbour.hpp"

#include <doctest/doctest.h>

using namespace dybw;
using namespace std::chrono_literals;

TEST_CASE("round_neighbour: it may still come until its estimate is there, or it is past the round") {
  round_neighbour n;
  n.enter(3);
  CHECK(n.may_still_come(3));
  CHECK_FALSE(n.acceptable(3));
  n.take_note(estimate{3}, 1s);
  CHECK_FALSE(n.may_still_come(3));
  CHECK(n.acceptable(3));
  n.take_note(estimate{4}, 2s);
  CHECK_FALSE(n.acceptable(3)); // in round 4 means out of round 3
}

TEST_CASE("round_neighbour: once accepted it owes an answer, and after accepting us its degree") {
  round_neighbour n;
  n.enter(1);
  n.accepted = true;
  CHECK(n.owes_answer(1));
  CHECK_FALSE(n.owes_closing(1));
  n.accepts_us = true;
  CHECK_FALSE(n.owes_answer(1));
  CHECK(n.owes_closing(1));
  n.closed_degree = 2;
  CHECK_FALSE(n.owes_closing(1));
}

TEST_CASE("round_neighbour: who is lost or leaves in a round owes nothing in it and is not waited for") {
  for (auto what : {&round_neighbour::barred, &round_neighbour::leaving}) {
    round_neighbour n;
    n.enter(1);
    n.*what = true;
    CHECK_FALSE(n.may_still_come(1));
    n.accepted = true;
    CHECK_FALSE(n.owes_answer(1));
  }
}

TEST_CASE("round_neighbour: of a joiner's, it takes part in rounds after the first that it says it is in") {
  round_neighbour n;
  n.met = false;
  n.leaving = true;
  CHECK(n.apart_in(9));
  n.meet(4);
  CHECK_FALSE(n.leaving);
  n.meet(6);
  n.enter(4);
  CHECK(n.barred);
  n.enter(5);
  CHECK_FALSE(n.barred);
}
