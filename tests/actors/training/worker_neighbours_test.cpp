#include "tests/actors/training/lone_worker.hpp"

namespace dybw::test {

TEST_CASE("worker: an estimate of a wrong size is acknowledged but never mixed") {
  lone_worker w;
  w.begin();
  w.do_job();
  w.hear(zero, estimate_message{{1, true}, parameter_block{std::make_shared<float_buffer>(3)}});
  CHECK(w.at(zero).receipts.size() == 1);
  CHECK(w.at(zero).accepts.empty());
  w.hear_estimate(two, 1);
  w.hear(two, accept{1}); // nobody else may still come: the round closes
  w.do_job();
  REQUIRE(w.reported->rounds.size() == 1);
  REQUIRE(w.reported->rounds[0].mixed.committed.size() == 1);
  CHECK(w.reported->rounds[0].mixed.committed[0].neighbour == two);
}

TEST_CASE("worker: an estimate that says it has parameters and has none is never mixed") {
  lone_worker w;
  w.begin();
  w.do_job();
  w.hear(zero, estimate_message{{1, true}, {}});
  CHECK(w.at(zero).accepts.empty());
}

TEST_CASE("worker: an estimate that comes again, or late, does no harm") {
  lone_worker w;
  w.begin();
  w.do_job();
  w.hear_estimate(zero, 1, 1);
  w.hear_estimate(zero, 1, 1);
  CHECK(w.at(zero).accepts.size() == 1);
  w.hear_estimate(two, 1, 1);
  w.hear(zero, accept{1});
  w.hear(two, accept{1});
  w.hear_estimate(zero, 1, 9);
  w.do_job();
  CHECK(w.status().counters.estimates_late >= 1);
  CHECK(w.estimate().parameters.values()[0] < 2);
}

TEST_CASE("worker: an estimate of an earlier round does not displace the newest") {
  lone_worker w;
  w.begin();
  w.hear_estimate(zero, 2, 5);
  w.hear_estimate(zero, 1, 9); // out of order: no honest neighbour sends this
  w.do_job();                  // joins round 2, the newest that a neighbour is in
  REQUIRE(w.at(zero).accepts.size() == 1);
  w.hear(zero, accept{2});
  w.hear(two, closed{2, 0});
  const auto stepped = w.at(zero).estimates[0].parameters.values()[0];
  w.do_job();
  CHECK(w.estimate().parameters.values()[0] == doctest::Approx((2 * stepped + 5) / 3));
}

TEST_CASE("worker: keeps at most two blocks under way to a neighbour, further estimates travel without "
          "parameters") {
  lone_worker w{{.workers = 2}}; // an edge; worker 0 never says that it has received anything
  w.begin();
  for (round_number round = 1; round <= 4; ++round) {
    w.do_job();
    w.hear_estimate(zero, round);
    w.hear(zero, accept{round});
  }
  const auto& sent = w.at(zero).estimates;
  REQUIRE(sent.size() == 4);
  CHECK(sent[0].body.has_parameters);
  CHECK(sent[1].body.has_parameters);
  CHECK_FALSE(sent[2].body.has_parameters);
  CHECK_FALSE(sent[2].parameters);
  CHECK_FALSE(sent[3].body.has_parameters);
  w.hear(zero, received{1});
  w.do_job();
  CHECK(w.at(zero).estimates.back().body.has_parameters);
}

TEST_CASE("worker: a stranger's messages do nothing") {
  lone_worker w;
  w.begin();
  const auto stranger = worker_id{77};
  w.hear_estimate(stranger, 50);
  w.hear(stranger, accept{1});
  w.hear(stranger, closed{60, 0});
  w.hear(stranger, threshold_message{{0, 0, 70, std::nullopt}, nanoseconds{0}});
  w.hear(stranger, leaving{});
  w.hear(stranger, membership_news{
                       std::make_shared<const std::vector<fact>>(std::vector<fact>{{zero, zero, 5, false}})});
  w.hear(stranger, received{1});
  w.hear(stranger, heartbeat{});
  w.do_job();
  CHECK(w.at(zero).estimates.at(0).body.round == 1);
  CHECK(w.at(two).facts.empty());
  CHECK(w.status().machine.quorum_missing == 2);
}

TEST_CASE("worker: a neighbour's crash is told to the others and ends the wait for it") {
  for (const caf::error& reason :
       {caf::make_error(caf::exit_reason::kill), caf::make_error(caf::sec::runtime_error)}) {
    lone_worker w;
    w.begin();
    w.do_job();
    w.hear_estimate(two, 1);
    w.hear(two, accept{1});
    caf::anon_send(caf::actor_cast<caf::actor>(w.neighbours[zero]),
                   caf::exit_msg{w.neighbours[zero].address(), reason});
    w.actors.run();
    REQUIRE(w.at(two).facts.size() == 1);
    CHECK(w.at(two).facts[0] == fact{zero, zero, 1, false});
    w.do_job(); // the round closed with worker 2 alone
    REQUIRE(w.reported->rounds.size() == 1);
    CHECK(w.reported->rounds[0].mixed.committed.size() == 1);
    CHECK_FALSE(w.reported->rounds[0].timed_out);
  }
}

TEST_CASE("worker: neighbours that end with the run are no crash") {
  lone_worker w;
  w.begin();
  w.actors.kill(w.neighbours[zero], caf::exit_reason::user_shutdown);
  CHECK(w.at(two).facts.empty());
}

TEST_CASE("worker: news that it is down itself is contradicted with a higher version") {
  lone_worker w;
  w.begin();
  w.hear(zero, membership_news{
                   std::make_shared<const std::vector<fact>>(std::vector<fact>{{w.self, w.self, 3, false}})});
  const auto alive = fact{w.self, w.self, 4, true};
  CHECK(std::ranges::count(w.at(zero).facts, alive) == 1);
  CHECK(std::ranges::count(w.at(two).facts, alive) == 1);
}

TEST_CASE("worker: says every sixth of the suspicion time that it is alive, also when it has left") {
  lone_worker w;
  w.begin();
  w.actors.advance(std::chrono::milliseconds{500});
  CHECK(w.at(zero).heartbeats == 1);
  w.actors.tell(w.handle, stop_work{});
  w.actors.advance(std::chrono::milliseconds{500});
  CHECK(w.at(zero).heartbeats == 2);
}

TEST_CASE(
    "worker: all that it says to a neighbour elsewhere goes to the links, from it to that neighbour alone") {
  lone_worker w{{.elsewhere = {two}}};
  w.begin();
  w.do_job();
  REQUIRE(w.at(two).estimates.size() == 1);
  CHECK(w.at(two).estimates[0].body.round == 1);
  // The block of the neighbour here, not a copy of it.
  CHECK(w.at(two).estimates[0].parameters.values().data() ==
        w.at(zero).estimates.at(0).parameters.values().data());
  w.hear_estimate(two, 1);
  CHECK(w.at(two).receipts.size() == 1);
  CHECK(w.at(two).accepts.size() == 1);
  w.hear_estimate(zero, 1);
  CHECK(w.at(two).closings.size() == 1);
  w.hear(zero, accept{1});
  w.hear(two, accept{1});
  w.do_job();
  REQUIRE(w.reported->rounds.size() == 1);
  CHECK(w.reported->rounds[0].mixed.committed.size() == 2);
  w.actors.advance(std::chrono::milliseconds{500});
  CHECK(w.at(two).heartbeats == 1);
  w.hear(zero, membership_news{std::make_shared<const std::vector<fact>>(
                   std::vector<fact>{{worker_id{0}, worker_id{0}, 3, true}})});
  CHECK(w.at(two).facts.size() == 1);
  w.actors.tell(w.handle, stop_work{});
  w.do_job(); // the mix of this round has no next one to wait for
  CHECK(w.at(two).leavings == 1);
  CHECK(w.sent_away->inboxes.size() == 1); // never what is for worker 0
  CHECK(std::ranges::count(w.sent_away->senders, w.self) ==
        static_cast<std::ptrdiff_t>(w.sent_away->senders.size()));
}

TEST_CASE("worker: a threshold is passed on to a neighbour elsewhere") {
  lone_worker w{{.policy = "dtur", .elsewhere = {two}}};
  w.begin();
  w.hear(zero, threshold_message{{0, 0, 1, edge{zero, w.self}}, nanoseconds{0}});
  REQUIRE(w.at(two).thresholds.size() == 1);
  CHECK(w.at(two).thresholds[0].body.round == 1);
}

TEST_CASE(
    "worker: a broken link is told to the others, ends the wait and counts as up again at a sign of life") {
  lone_worker w{{.elsewhere = {two}}};
  w.begin();
  w.do_job();
  w.hear_estimate(zero, 1);
  w.hear(zero, accept{1});
  w.actors.tell(w.handle, link_broken{two});
  const auto down = fact{w.self, two, 1, false};
  CHECK(std::ranges::count(w.at(zero).facts, down) == 1);
  w.do_job(); // the round closed with worker 0 alone
  REQUIRE(w.reported->rounds.size() == 1);
  CHECK(w.reported->rounds[0].mixed.committed.size() == 1);
  w.hear(two, heartbeat{});
  const auto up = fact{w.self, two, 2, true};
  CHECK(std::ranges::count(w.at(zero).facts, up) == 1);
  CHECK(std::ranges::count(w.at(two).facts, up) >= 1);
}

TEST_CASE("worker: after a broken link blocks travel again, whatever was unacknowledged on it") {
  lone_worker w{{.workers = 2, .elsewhere = {zero}}};
  w.begin();
  for (round_number round = 1; round <= 3; ++round) {
    w.do_job();
    w.hear_estimate(zero, round);
    w.hear(zero, accept{round});
  }
  CHECK_FALSE(w.at(zero).estimates.back().body.has_parameters); // two are under way
  w.actors.tell(w.handle, link_broken{zero});
  w.hear(zero, heartbeat{});
  w.do_job();
  CHECK(w.at(zero).estimates.back().body.has_parameters);
}

TEST_CASE("worker: a broken link to a stranger does nothing") {
  lone_worker w;
  w.begin();
  w.do_job();
  w.actors.tell(w.handle, link_broken{worker_id{77}});
  CHECK(w.at(zero).facts.empty());
  CHECK(w.status().machine.quorum_missing == 2);
}

TEST_CASE("worker: welcomes a neighbour that starts again, giving up what was said to the one before") {
  lone_worker w{{.elsewhere = {two}}};
  CHECK_FALSE(w.welcome_for(two).found); // it has not begun itself
  w.begin();
  w.do_job();
  const auto welcome = w.welcome_for(two);
  REQUIRE(welcome.found);
  CHECK(welcome.round == 1);
  CHECK(*welcome.facts.facts == std::vector{fact{w.self, two, 1, false}});
  CHECK(welcome.parameters.values().data() == w.initial.values().data());
  CHECK(std::ranges::count(w.at(zero).facts, fact{w.self, two, 1, false}) == 1);
  CHECK(w.welcome_for(two).facts.facts->size() == 1); // asked again, it has nothing new to give up
  w.hear(two, heartbeat{});
  CHECK(std::ranges::count(w.at(zero).facts, fact{w.self, two, 2, true}) == 1);
  CHECK_FALSE(w.welcome_for(worker_id{77}).found);
}

} // namespace dybw::test
