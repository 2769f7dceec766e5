#include "tests/actors/training/lone_worker.hpp"

namespace dybw::test {

using wait_kind = wait_cause::kind;

TEST_CASE("worker: a round goes step, estimates, accepts, closing, mixing, report") {
  lone_worker w;
  w.begin();
  CHECK(w.status().machine.phase == phase::computing);
  w.do_job();
  for (auto id : {zero, two}) {
    REQUIRE(w.at(id).estimates.size() == 1);
    CHECK(w.at(id).estimates[0].body.round == 1);
    CHECK(w.at(id).estimates[0].body.has_parameters);
    CHECK(w.at(id).accepts.empty());
    w.hear_estimate(id, 1, id == zero ? 2.0F : 4.0F);
    REQUIRE(w.at(id).accepts.size() == 1);
    CHECK(w.at(id).accepts[0].round == 1);
    CHECK(w.at(id).receipts.size() == 1);
  }
  REQUIRE(w.at(zero).closings.size() == 1);
  CHECK(w.at(zero).closings[0].degree == 2);
  CHECK(w.jobs->empty()); // settling
  w.hear(zero, accept{1});
  w.hear(two, accept{1});
  REQUIRE(w.jobs->size() == 1);
  CHECK(w.jobs->front()->wants_mix);
  CHECK(w.jobs->front()->wants_step); // the next one travels with it
  CHECK(w.reported->rounds.empty());  // until the vectors are mixed
  const auto stepped = w.at(zero).estimates[0].parameters.values()[0];
  w.do_job();
  REQUIRE(w.reported->rounds.size() == 1);
  const auto& report = w.reported->rounds[0];
  CHECK(report.mixed.round == 1);
  CHECK(report.mixed.committed.size() == 2);
  CHECK(report.mixed.own_weight == doctest::Approx(1.0 / 3));
  CHECK(report.accepted == 2);
  CHECK(report.degree == 2);
  CHECK(report.samples == 8);
  CHECK(report.loss > 0);
  CHECK_FALSE(report.timed_out);
  CHECK(report.started <= report.joined);
  CHECK(report.joined <= report.done);
  CHECK(report.mixed.norm_before > 0);
  CHECK(w.estimate().parameters.values()[0] == doctest::Approx((stepped + 2 + 4) / 3));
  CHECK(w.estimate().local_steps == 2); // the next step is done too
}

TEST_CASE("worker: a job that takes less than the trip to a trainer is done where the message is") {
  lone_options how;
  how.workspaces = std::make_shared<spare_workspaces>(small_setup(), 1);
  lone_worker w{how};
  how.workspaces = std::make_shared<spare_workspaces>(small_setup(), 1);
  const auto lent = how.workspaces->borrow(); // the others are all at work
  lone_worker without{how};
  lone_worker beside; // trainers do it all
  for (auto* x : {&w, &without, &beside}) {
    x->begin();
    x->do_job(); // nobody knew how long that takes
    for (auto id : {zero, two}) {
      x->hear_estimate(id, 1, 2.0F);
      x->hear(id, accept{1});
    }
    x->do_job(); // nor a mix
    for (auto id : {zero, two}) {
      x->hear_estimate(id, 2, 3.0F);
      x->hear(id, accept{2});
    }
  }
  CHECK(w.jobs->empty());
  REQUIRE(without.jobs->size() == 1);
  REQUIRE(beside.jobs->size() == 1);
  REQUIRE(w.reported->rounds.size() == 2);
  CHECK(w.at(zero).estimates.size() == 3);
  beside.do_job();
  CHECK(std::ranges::equal(w.estimate().parameters.values(), beside.estimate().parameters.values()));
}

TEST_CASE("worker: what one event makes it say to other nodes goes out together") {
  lone_options how;
  how.elsewhere = {zero, two};
  lone_worker w{how};
  w.begin();
  w.do_job();
  CHECK(w.sent_away->mails == 1); // the estimate, to both
  w.hear_estimate(zero, 1);
  CHECK(w.sent_away->mails == 2); // received and accept
  w.hear_estimate(two, 1);
  CHECK(w.sent_away->mails == 3); // received, accept, and closed to both
  CHECK(w.at(two).receipts.size() == 1);
  CHECK(w.at(two).accepts.size() == 1);
  CHECK(w.at(zero).closings.size() == 1);
}

TEST_CASE("worker: what comes from other nodes at once is answered at once") {
  lone_options how;
  how.elsewhere = {zero, two};
  lone_worker w{how};
  w.begin();
  w.do_job();
  const auto block = filled_block(*w.setup->model, 2);
  w.actors.tell(w.handle, peer_mail{{{zero, w.self, estimate_message{{1, true}, block}},
                                     {zero, w.self, accept{1}},
                                     {two, w.self, estimate_message{{1, true}, block}},
                                     {two, w.self, accept{1}}}});
  CHECK(w.sent_away->mails == 2); // the estimate before, and all answers
  CHECK(w.at(two).receipts.size() == 1);
  CHECK(w.at(two).accepts.size() == 1);
  CHECK(w.at(zero).closings.size() == 1);
  REQUIRE(w.jobs->size() == 1);
  w.do_job();
  CHECK(w.reported->rounds.size() == 1);
}

TEST_CASE("worker: the block that neighbours get is the one that training made, not a copy") {
  lone_worker w;
  w.begin();
  const auto job = w.jobs->front();
  w.do_job();
  const auto* first = w.at(zero).estimates[0].parameters.values().data();
  CHECK(first == w.at(two).estimates[0].parameters.values().data());
}

TEST_CASE("worker: while its step is under way it passes thresholds on, acknowledges blocks and answers "
          "questions") {
  lone_worker w{{.policy = "dtur"}};
  w.begin();
  REQUIRE(w.jobs->size() == 1); // the trainer is busy and stays so
  w.hear(zero, threshold_message{{0, 0, 1, make_edge(zero, w.self)}, nanoseconds{0}});
  REQUIRE(w.at(two).thresholds.size() == 1);
  CHECK(w.at(two).thresholds[0].body.round == 1);
  CHECK(w.at(two).thresholds[0].body.covered == make_edge(zero, w.self));
  CHECK(w.at(zero).thresholds.empty()); // not back to whom it came from
  CHECK(w.at(two).closings.at(0).round == 1);
  CHECK(w.at(two).closings.at(0).degree == 0);
  w.hear_estimate(two, 2);
  CHECK(w.at(two).receipts.at(0).round == 2);
  const auto status = w.status();
  CHECK(status.worker == w.self);
  CHECK(status.machine.phase == phase::computing);
  CHECK(status.machine.completed == 1);
  CHECK(w.estimate().parameters.values().data() == w.initial.values().data());
  w.actors.advance(std::chrono::milliseconds{500});
  CHECK(w.at(zero).heartbeats > 0);

  w.do_job(); // the carried step joins round 2, where the neighbour's estimate already waits
  CHECK(w.at(two).estimates.at(0).body.round == 2);
  CHECK(w.at(two).accepts.at(0).round == 2);
}

TEST_CASE("worker: a threshold passes once, however often it comes") {
  lone_worker w{{.policy = "dtur"}};
  w.begin();
  for (int i = 0; i < 3; ++i)
    w.hear(i == 2 ? two : zero, threshold_message{{0, 0, 1, make_edge(zero, w.self)}, nanoseconds{0}});
  CHECK(w.at(two).thresholds.size() == 1);
  CHECK(w.at(zero).thresholds.empty());
}

TEST_CASE("worker: its status names whom it waits for, for which message, and until when") {
  lone_worker w;
  w.begin();
  w.do_job();
  auto s = w.status().machine;
  CHECK(s.phase == phase::gathering);
  CHECK(s.round == 1);
  CHECK(s.quorum_missing == 2);
  REQUIRE(s.waiting_for.size() == 2);
  CHECK(s.waiting_for[0].neighbour == zero);
  CHECK(s.waiting_for[0].what == wait_kind::estimate);
  CHECK(s.waiting_for[1].neighbour == two);
  REQUIRE(s.timeout);
  CHECK(*s.timeout == s.since + std::chrono::hours{1});
  CHECK(w.status().now >= s.since);

  w.hear_estimate(zero, 1);
  s = w.status().machine;
  CHECK(s.quorum_missing == 1);
  REQUIRE(s.waiting_for.size() == 1);
  CHECK(s.waiting_for[0].neighbour == two);

  w.hear_estimate(two, 1);
  s = w.status().machine;
  CHECK(s.phase == phase::settling);
  CHECK_FALSE(s.timeout);
  REQUIRE(s.waiting_for.size() == 2);
  CHECK(s.waiting_for[0].what == wait_kind::answer);
  w.hear(zero, accept{1});
  CHECK(w.status().machine.waiting_for.size() == 1);
}

TEST_CASE("worker: with a timeout the quorum of who is there by then mixes, and the round says so") {
  lone_worker w{{.round_timeout = nanoseconds{1}}};
  w.begin();
  w.do_job();
  w.hear_estimate(zero, 1);
  w.hear(zero, accept{1});
  CHECK(w.status().machine.phase == phase::gathering); // the timer has not rung yet
  w.actors.advance(nanoseconds{1});
  REQUIRE(w.jobs->size() == 1);
  w.do_job();
  REQUIRE(w.reported->rounds.size() == 1);
  const auto& report = w.reported->rounds[0];
  CHECK(report.timed_out);
  CHECK(report.accepted == 1);
  REQUIRE(report.mixed.committed.size() == 1);
  CHECK(report.mixed.committed[0].neighbour == zero);
  CHECK(w.at(two).closings.at(0).round == 1);
  CHECK(w.status().counters.timeouts == 1);
}

TEST_CASE("worker: a timer that rings early is set again and closes nothing") {
  lone_worker w{{.round_timeout = std::chrono::milliseconds{400}}};
  w.begin();
  w.do_job();
  w.actors.advance(std::chrono::milliseconds{200});
  for (const auto id : {zero, two}) {
    w.hear_estimate(id, 1);
    w.hear(id, accept{1});
  }
  w.do_job(); // mixes, and steps for round 2
  CHECK(w.status().machine.phase == phase::gathering);
  w.actors.advance(std::chrono::milliseconds{300}); // the timer of round 1 rings
  CHECK(w.status().machine.phase == phase::gathering);
  CHECK(w.status().counters.timeouts == 0);
  w.actors.advance(std::chrono::milliseconds{200});
  CHECK(w.status().counters.timeouts == 1);
}

TEST_CASE("worker: without a model the protocol runs all the same") {
  lone_worker w{{.last_round = 2, .training = false}};
  w.begin();
  for (round_number round = 1; round <= 2; ++round) {
    for (auto id : {zero, two}) {
      w.hear(id, estimate_message{{round, true}, {}});
      w.hear(id, accept{round});
    }
  }
  REQUIRE(w.reported->rounds.size() == 2);
  CHECK(w.reported->rounds[1].mixed.committed.size() == 2);
  CHECK(w.reported->rounds[1].loss == 0);
  REQUIRE(w.reported->last_words.size() == 1);
  CHECK(w.reported->last_words[0].totals.bytes_sent == 0);
}

} // namespace dybw::test
