#include "tests/learning/consensus/worker_probe.hpp"

#include "learning/consensus/round_machine.hpp"

#include <doctest/doctest.h>

// Who is up, who is down and who joins.

using namespace dybw;
using namespace dybw::test;

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

// --- Rest: whoever makes the steps hangs, the worker is well.

namespace {

fact rest_fact(int a, std::uint64_t version) {
  auto f = worker_fact(a, version, true);
  f.rests = true;
  return f;
}

} // namespace

TEST_CASE("round_machine: who rests tells everybody, and takes it back with its step") {
  worker_probe w{triangle(), 0, "full"};
  w.begin();
  CHECK(w.tell(step_stalled{}).find("membership{0 rests v1} to 1, membership{0 rests v1} to 2, changed{") ==
        0);
  REQUIRE(w.machine().status().waiting_for.size() == 1);
  CHECK(w.machine().status().waiting_for[0].what == wait_cause::kind::step);
  CHECK(w.tell(step_stalled{}) == "");
  const auto did = w.finish_step();
  CHECK(did.find("membership{0 up v2} to 1, membership{0 up v2} to 2") == 0);
  CHECK(did.find("estimate{1} to 1, estimate{1} to 2") != std::string::npos);
  CHECK(w.machine().status().phase == phase::gathering);
}

TEST_CASE("round_machine: nobody rests in a round, whose answers others wait for") {
  worker_probe w{triangle(), 0, "full"};
  w.begin();
  w.finish_step();
  CHECK(w.tell(step_stalled{}) == "");
  CHECK(w.machine().facts().empty());
}

TEST_CASE("round_machine: who rests is not waited for, but is told the facts and passes them on") {
  worker_probe w{triangle(), 0, "full"};
  w.begin();
  w.finish_step();
  w.hear(1, estimate{1});
  w.hear(1, accept{1});
  CHECK(w.hear_facts(2, {rest_fact(2, 1)}).find("mix{1 1:0.333}, done{1}") != std::string::npos);
  CHECK(w.finish_step() == "estimate{2} to 1, timer");
  CHECK(w.hear_facts(1, {worker_fact(2, 2, true)}).find("estimate{2, no parameters} to 2") !=
        std::string::npos);
  worker_probe rests{triangle(), 0, "full"};
  rests.begin();
  rests.tell(step_stalled{});
  CHECK(rests.hear_facts(1, {worker_fact(2, 1, false)}).find("membership{2 down v1} to 2") == 0);
}

TEST_CASE("round_machine: the word that somebody rests is kept when it is declared down meanwhile") {
  worker_probe w{triangle(), 0, "full"};
  w.begin();
  w.tell(step_stalled{});
  CHECK(w.hear_facts(1, {worker_fact(0, 2, false)}).find("membership{0 down v2, 0 rests v3}") == 0);
}

TEST_CASE("round_machine: under dtur the sweep goes on without the edges of who rests") {
  worker_probe w{make_graph(4, {{0, 1}, {1, 2}, {2, 3}, {0, 3}}), 0, "dtur"};
  w.begin();
  w.hear_facts(1, {rest_fact(3, 1)});
  w.finish_step();
  w.hear(1, estimate{1});
  const auto did = w.hear(1, accept{1}); // 0-1 and 1-2 are left to be covered
  CHECK(did.find("to 3") == std::string::npos);
  CHECK(w.machine().counters().sweeps_completed == 0);
  w.hear(1, threshold{w.machine().facts().generation(), 0, 1, edge_of(1, 2)});
  CHECK(w.machine().counters().sweeps_completed == 1);
}

TEST_CASE("round_machine: a joiner whose predecessor rested makes steps") {
  worker_probe w{triangle(), 0, "full", [](machine_options& o) {
                   o.completed = 4;
                   o.facts = {rest_fact(0, 7)};
                 }};
  CHECK(w.begin().find("0 up v8") != std::string::npos);
}

TEST_CASE("round_machine: who rests tells a joiner where it is, so that it does not seek company in vain") {
  worker_probe w{pair(), 0, "full"};
  w.begin();
  complete_round(w, 1);
  w.tell(step_stalled{});
  w.tell(lost(1));
  CHECK(w.tell(heard(1)).find("closed{1, 0} to 1") != std::string::npos);
}

TEST_CASE("round_machine: .. in its first round, too, whose step may take very long") {
  worker_probe w{pair(), 0, "full"};
  w.begin();
  w.tell(step_stalled{});
  w.tell(lost(1));
  CHECK(w.tell(heard(1)).find("closed{0, 0} to 1") != std::string::npos);
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

TEST_CASE("round_machine: who is taken for gone and starts again is told in which round it is waited for") {
  auto w = worker_probe{triangle(), 0, "full"};
  w.begin();
  w.hear(1, leaving{});
  w.tell(lost(1));
  w.tell(heard(1)); // another process, which says where it is only after its facts
  CHECK(w.finish_step() == "estimate{1} to 2, timer");
  CHECK(w.hear(1, closed{0, 0}) == "estimate{1, no parameters} to 1");
  CHECK(w.hear(1, closed{0, 0}) == "");
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
