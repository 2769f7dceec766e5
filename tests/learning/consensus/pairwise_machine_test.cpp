#include "learning/consensus/pairwise_machine.hpp"

#include "tests/learning/consensus/worker_probe.hpp"

#include <doctest/doctest.h>

using namespace dybw;
using namespace dybw::test;

TEST_CASE("pairwise_machine: after a step it offers to all, waits for quick answers and goes on") {
  worker_probe w{path_of_three(), 1, "adaptive"};
  CHECK(w.begin() == "compute{1}");
  CHECK(w.finish_step() == "step{1} x 1.00, offer{1, 1} to 0, offer{1, 2} to 2, timer");
  CHECK(w.hear(2, answer{2}) == "absorb{own, 2, 1#2}");
  CHECK(w.machine().current_phase() == phase::gathering);
  CHECK(w.hear(0, answer{1}) == "absorb{own, 0, 1#1}, done{1}, compute{2}");
  REQUIRE(w.record().committed.size() == 2);
  CHECK(w.record().committed[0].weight == doctest::Approx(1.0 / 3)); // degrees 2 and 1
  CHECK(w.record().backup_workers == 0);
}

TEST_CASE("pairwise_machine: it goes on without an answer that does not come soon, and takes it later") {
  worker_probe w{path_of_three(), 1, "adaptive"};
  w.begin();
  w.finish_step(100ms);
  w.hear(0, answer{1});
  w.wait(5ms);
  CHECK(w.tell(timer_expired{}) == "done{1}, compute{2, without 0.33}");
  CHECK(w.record().backup_workers == 1);
  CHECK_FALSE(w.record().timed_out);
  // Who owes an answer gets no further offer.
  CHECK(w.finish_step() == "step{2} x 1.00, offer{2, 3} to 0, timer");
  CHECK(w.hear(2, answer{2}) == "absorb{own, 2, 1#2}");
}

TEST_CASE("pairwise_machine: whose answers usually take longer than it would wait is not waited for") {
  worker_probe w{pair(), 0, "adaptive"};
  w.begin();
  w.finish_step(100ms);
  w.wait(5ms);
  CHECK(w.tell(timer_expired{}) == "done{1}, compute{2, without 0.50}");
  w.wait(20ms);
  CHECK(w.hear(1, answer{1}) == "absorb{own, 1, 0#1}");
  CHECK(w.finish_step(80ms) == "step{2} x 1.00, offer{2, 2} to 1, done{2}, compute{3, without 0.50}");
  // What is owed is of an earlier step: of the newest nobody has been told.
  CHECK(w.finish_step(80ms) == "step{3} x 1.00, done{3}, compute{4}");
}

TEST_CASE("pairwise_machine: an answer that is owed for many rounds is waited for") {
  worker_probe w{pair(), 0, "adaptive"};
  w.begin();
  w.finish_step(100ms);
  for (auto round = 1; round <= 4; ++round) {
    w.wait(6ms);
    REQUIRE(w.tell(timer_expired{}).starts_with("done{" + std::to_string(round) + "}"));
    w.finish_step(100ms);
  }
  w.wait(6ms);
  CHECK(w.tell(timer_expired{}) == "timer");
  CHECK(w.machine().status().waiting_for.size() == 1);
  CHECK(w.hear(1, answer{1}) == "absorb{own, 1, 0#1}, done{5}, compute{6}");
}

TEST_CASE("pairwise_machine: what never comes ends in a timeout, not in a standstill") {
  worker_probe w{pair(), 0, "adpsgd", [](machine_options& o) { o.round_timeout = 2s; }};
  w.begin();
  w.finish_step();
  w.wait(1s);
  w.tell(timer_expired{});
  CHECK(w.machine().current_phase() == phase::gathering);
  w.wait(1s);
  CHECK(w.tell(timer_expired{}) == "done{1}, compute{2, without 0.50}");
  CHECK(w.machine().counters().timeouts == 1);
}

TEST_CASE("pairwise_machine: an offer is answered at once, with the estimate before averaging") {
  worker_probe w{pair(), 1, "adaptive"};
  w.begin();
  CHECK(w.hear(0, offer{1, 1}) == "answer{1} to 0, absorb{theirs, 0, 0#1}");
}

TEST_CASE("pairwise_machine: an exchange counts into the correction if both ends named the generation that "
          "is now") {
  const auto correcting = [](machine_options& o) { o.corrects = true; };
  worker_probe w{path_of_three(), 1, "adaptive", correcting};
  const auto half_of = [&w](int from, const protocol_message& m) {
    for (const auto& x : w.effects_of(message_received{worker_at(static_cast<std::size_t>(from)), m}))
      if (const auto* a = std::get_if<absorb>(&x))
        return a->half;
    return exchange_half{};
  };
  w.begin();
  CHECK(half_of(0, offer{1, 1}).corrects);
  CHECK_FALSE(half_of(0, offer{1, 2, 0, {}, 77}).corrects);
  w.finish_step(); // offers 1 and 2
  CHECK(half_of(0, answer{1, true, 0, {}, 0}).corrects);
  w.hear_facts(0, {link_fact(0, 2, 1, false)});      // not of this graph: no news
  CHECK(half_of(2, offer{1, 9, 0, {}, 0}).corrects); // crosses with ours
  w.finish_step();                                   // offers 3 and 4
  w.hear_facts(0, {worker_fact(0, 1, true)});
  const auto now = w.machine().facts().generation();
  REQUIRE(now != 0);
  const auto late = half_of(0, answer{3, true, 0, {}, now});
  CHECK(late.worker == worker_at(1));
  CHECK_FALSE(late.corrects); // it was offered in another
  CHECK(late.generation == now);
  CHECK(half_of(0, offer{2, 3, 0, {}, now}).corrects);
}

TEST_CASE(
    "pairwise_machine: nothing counts into the correction of whoever rests, or makes no steps any more") {
  const auto setup = [](machine_options& o) {
    o.corrects = true;
    o.last_round = 1;
  };
  worker_probe w{pair(), 0, "adaptive", setup};
  const auto corrects = [&w](const protocol_message& m) {
    for (const auto& x : w.effects_of(message_received{worker_at(1), m}))
      if (const auto* a = std::get_if<absorb>(&x))
        return a->half.corrects;
    return false;
  };
  w.begin();
  CHECK(corrects(offer{1, 1}));
  w.hear_facts(1, {fact{worker_at(1), worker_at(1), 1, true, true}});
  const auto with_rest = w.machine().facts().generation();
  CHECK_FALSE(corrects(offer{1, 2, 0, {}, with_rest}));
  w.hear_facts(1, {fact{worker_at(1), worker_at(1), 2, true, false}});
  const auto now = w.machine().facts().generation();
  CHECK(corrects(offer{1, 3, 0, {}, now}));
  w.finish_step();
  REQUIRE(w.machine().current_phase() == phase::gathering);
  CHECK(corrects(answer{1, true, 0, {}, now})); // its last: it waits now until the other is done, too
  REQUIRE(w.machine().current_phase() == phase::settling);
  const auto& effects = w.effects_of(message_received{worker_at(1), offer{2, 4, 0, {}, now}});
  REQUIRE(effects.size() == 2);
  CHECK(std::get<answer>(std::get<send>(effects[0]).message).generation != now);
  CHECK_FALSE(std::get<absorb>(effects[1]).half.corrects);
}

TEST_CASE("pairwise_machine: offers that cross are each other's answer, named alike at both ends") {
  worker_probe a{pair(), 0, "adaptive"};
  worker_probe b{pair(), 1, "adaptive"};
  a.begin();
  b.begin();
  a.hear(1, offer{1, 1}); // so that the numbers differ
  a.finish_step();
  b.finish_step();
  CHECK(a.hear(1, offer{1, 7}) == "absorb{own, 1, 0#1}, done{1}, compute{2}");
  CHECK(b.hear(0, offer{1, 1}) == "absorb{own, 0, 0#1}, done{1}, compute{2}");
}

TEST_CASE("pairwise_machine: who has left answers, but takes nothing") {
  worker_probe w{pair(), 1, "adpsgd", [](machine_options& o) { o.last_round = 1; }};
  w.begin();
  w.finish_step();
  CHECK(w.hear(0, answer{1}) == "absorb{own, 0, 1#1}, done{1}, closed{1, 0} to 0, leaving to 0, finished{1}");
  CHECK(w.hear(0, offer{1, 4}) == "answer{4, not taken} to 0");
}

TEST_CASE("pairwise_machine: before leaving, adaptive averages a few times more") {
  worker_probe w{pair(), 0, "adaptive"};
  w.begin();
  CHECK(w.tell(stop_requested{}) == "drop{1}, closed{0, 0} to 1, timer");
  CHECK(w.machine().status().waiting_for.at(0).what == wait_cause::kind::closing);
  CHECK(w.hear(1, offer{3, 1}) == "answer{1} to 1, absorb{theirs, 1, 1#1}"); // it still makes steps
  CHECK(w.hear(1, closed{4, 0}) == "closed{0, 0} to 1, offer{0, 1} to 1");
  auto offers = 1;
  std::string said;
  for (auto number = 1u; said.find("finished") == std::string::npos; ++number) {
    REQUIRE(number < 40);
    said = w.hear(1, answer{number});
    offers += said.find("offer") != std::string::npos ? 1 : 0;
  }
  CHECK(offers == 16);
}

TEST_CASE("pairwise_machine: who has left, or is about to, says so again to whoever has forgotten it") {
  worker_probe w{pair(), 0, "adpsgd", [](machine_options& o) { o.last_round = 1; }};
  w.begin();
  w.finish_step();
  w.hear(1, answer{1});
  CHECK(w.machine().has_left());
  CHECK(w.hear(1, closed{1, 0}) == "leaving to 1");

  worker_probe x{pair(), 0, "adaptive"};
  x.begin();
  x.tell(stop_requested{});
  x.tell(neighbour_lost{worker_at(1)});
  CHECK(x.machine().has_left()); // nobody is there
  worker_probe y{pair(), 0, "adaptive"};
  y.begin();
  y.tell(stop_requested{});
  CHECK(y.tell(neighbour_heard{worker_at(1)}) == "closed{0, 1} to 1");
}

TEST_CASE(
    "pairwise_machine: asked whether it has made its last step it answers, known or not, and asks nothing") {
  worker_probe w{path_of_three(), 1, "adaptive"};
  w.begin();
  CHECK(w.hear(0, closed{3, closed::asks}) == ""); // it makes steps
  w.tell(stop_requested{});
  CHECK(w.hear(0, closed{3, 0}) == "");
  CHECK(w.hear(0, closed{3, closed::asks}) == "closed{0, 0} to 0");
  CHECK(w.hear(0, closed{3, closed::asks}) == "closed{0, 0} to 0"); // it may have forgotten it again
}

TEST_CASE("pairwise_machine: who was thought dead and is not is asked, too") {
  worker_probe w{path_of_three(), 1, "adaptive"};
  w.begin();
  w.tell(stop_requested{});
  w.tell(lost(0, neighbour_lost::cause::crashed));
  CHECK(w.hear(0, offer{2, 8, 0, {0, 1}}).find("closed{0, 1} to 0") != std::string::npos);
}

TEST_CASE("pairwise_machine: after a stop the waiting for others' steps ends, if they do not") {
  for (const auto settles_first : {false, true}) {
    worker_probe w{pair(), 0, "adaptive", with_last_round(settles_first ? 1 : 1000)};
    w.begin();
    if (settles_first) {
      w.finish_step();
      w.hear(1, answer{1});
      w.wait(1h); // as long as it takes
      CHECK(w.tell(timer_expired{}) == "");
      CHECK(w.tell(stop_requested{}) == "timer");
    } else {
      w.tell(stop_requested{});
    }
    CHECK(w.machine().current_phase() == phase::settling);
    CHECK(w.timer() == w.now() + 10s);
    w.wait(9s);
    CHECK(w.tell(timer_expired{}) == "");
    w.wait(1s);
    CHECK(w.tell(timer_expired{}).starts_with("offer{")); // the last averages
  }
}

TEST_CASE("pairwise_machine: a round is a step of one's own, however many the neighbours have made") {
  worker_probe w{pair(), 0, "adaptive", with_last_round(3)};
  w.begin();
  w.hear(1, offer{70, 1});
  for (auto round = 1; round <= 3; ++round) {
    REQUIRE(w.finish_step().starts_with("step{" + std::to_string(round) + "}"));
    w.hear(1, answer{static_cast<std::uint64_t>(round)});
  }
  CHECK(w.machine().current_phase() == phase::settling);
  CHECK(w.machine().counters().steps_used == 3);
}

TEST_CASE("pairwise_machine: an offer from a round in which nobody can be is answered all the same") {
  worker_probe w{pair(), 0, "adaptive", with_last_round(100)};
  w.begin();
  CHECK(w.hear(1, offer{~round_number{0}, 1}) == "answer{1} to 1, absorb{theirs, 1, 1#1}");
  CHECK(w.machine().counters().rounds_refused == 1);
  w.tell(lost(1));
  CHECK(w.machine().welcome_for(worker_at(1))->round == 0);
}

TEST_CASE("pairwise_machine: who is up is flooded, so that everybody knows its part of the network") {
  const auto path = std::make_shared<const topology>(make_topology("path", 4, 1));
  worker_probe w{path, 1, "adaptive"};
  w.begin();
  CHECK(w.machine().status().component == 4);
  CHECK(w.tell(neighbour_lost{worker_at(2)}).find("membership{1-2 down v1} to 0") != std::string::npos);
  CHECK(w.machine().status().component == 2);
  const std::vector<fact> others{{worker_at(2), worker_at(3), 1, false},
                                 {worker_at(0), worker_at(3), 1, false}};
  const auto passed = w.hear(0, membership_news{std::make_shared<const std::vector<fact>>(others)});
  CHECK(passed.find("membership{2-3 down v1} to 2, changed{") != std::string::npos); // 0-3 is no edge
  const auto back = w.tell(neighbour_heard{worker_at(2)});
  CHECK(back.find("membership{1-2 up v2} to 0") != std::string::npos);
  CHECK(back.find("membership{1-2 up v2, 2-3 down v1} to 2") != std::string::npos);
  CHECK(w.machine().status().component == 3);
  CHECK(w.machine().status().lowest == worker_at(0));
}

TEST_CASE("pairwise_machine: it does not leave while an answer is owed") {
  worker_probe w{pair(), 0, "adpsgd"};
  w.begin();
  w.finish_step();
  CHECK(w.tell(stop_requested{}) == "done{1}, closed{1, 0} to 1");
  CHECK(w.machine().current_phase() == phase::settling);
  w.wait(1h);
  CHECK(w.tell(timer_expired{}).empty());
  CHECK(w.hear(1, answer{1}) == "absorb{own, 1, 0#1}, leaving to 1, finished{1}");
}

TEST_CASE("pairwise_machine: a lost neighbour owes nothing, and what it answers later counts for nothing") {
  worker_probe w{pair(), 0, "adpsgd"};
  w.begin();
  w.finish_step();
  const auto said = w.tell(neighbour_lost{worker_at(1)});
  CHECK(said.starts_with("edge_lost{1}, membership{0-1 down v1} to 1, changed{"));
  CHECK(said.ends_with("done{1}, compute{2}"));
  CHECK(w.record().departed == std::vector{worker_at(1)});
  CHECK(w.hear(1, answer{1}).empty());
  CHECK(w.finish_step() == "step{2} x 1.00, done{2}, compute{3}");
  w.tell(neighbour_heard{worker_at(1)});
  CHECK(w.finish_step() == "step{3} x 1.00, offer{3, 2} to 1, timer");
}

TEST_CASE(
    "pairwise_machine: word that a neighbour has crashed ends the waiting for it, until it offers anew") {
  const auto word = [](int worker) {
    const auto id = worker_at(static_cast<std::size_t>(worker));
    return membership_news{std::make_shared<const std::vector<fact>>(std::vector<fact>{{id, id, 1, false}})};
  };
  worker_probe w{path_of_three(), 1, "adpsgd"};
  w.begin();
  w.finish_step(); // offers to one of the two
  const auto awaited = static_cast<int>(index_of(w.machine().status().waiting_for.at(0).neighbour));
  const auto said = w.hear(2 - awaited, word(awaited));
  CHECK(said.starts_with("edge_lost{" + std::to_string(awaited) + "}, "));
  CHECK(said.ends_with("done{1}, compute{2}"));
  CHECK(w.machine().status().component == 2);
  // The word was false: what it sent before it knew is void, its next offer counts.
  CHECK(w.hear(awaited, offer{1, 7}).starts_with("answer{7, not taken} to " + std::to_string(awaited)));
  const auto back = w.hear(awaited, offer{2, 8, 0, {0, 1}});
  CHECK(back.find("absorb{theirs, " + std::to_string(awaited)) != std::string::npos);
  CHECK(w.machine().status().component == 3);
}

TEST_CASE("pairwise_machine: the highest version of a false word is not answered for ever") {
  worker_probe w{path_of_three(), 1, "adaptive"};
  w.begin();
  const auto highest = std::make_shared<const std::vector<fact>>(
      std::vector<fact>{{worker_at(1), worker_at(1), ~std::uint64_t{0}, false}});
  CHECK_FALSE(w.hear(0, membership_news{highest}).empty());
  CHECK(w.hear(0, membership_news{highest}).empty());
}

TEST_CASE("pairwise_machine: a slow worker's gradient counts for the time that it took") {
  worker_probe w{pair(), 0, "adaptive"};
  w.begin();
  for (auto number = 1u; number <= 5; ++number) { // 2.5 steps per second, known after the fifth
    CHECK(w.finish_step(400ms).starts_with("step{" + std::to_string(number) + "} x 1.00"));
    w.hear(1, answer{number, true, number < 5 ? 0.0 : 10.0}); // the other makes ten, so it guesses 6.25
  }
  CHECK(w.finish_step(400ms).starts_with("step{6} x 2.50"));
}

TEST_CASE("rate_consensus: the guesses' mean is the rates' mean, and all come to it") {
  rate_consensus a;
  rate_consensus b;
  for (auto i = 0; i < 60; ++i) {
    a.observe(i < 20 ? 10ms : 100ms); // its rate falls by more than its guess is
    b.observe(400ms);
    const auto mine = a.mean();
    const auto theirs = b.mean();
    a.average(theirs, mine, 0.5);
    b.average(mine, theirs, 0.5);
    CHECK(a.mean() + b.mean() == doctest::Approx(a.own() + b.own()));
  }
  CHECK(a.mean() == doctest::Approx(b.mean()).epsilon(0.1));
}
