#include "tests/actors/training/lone_worker.hpp"

namespace dybw::test {

TEST_CASE("worker: a stop while computing says farewell at once, though the trainer is still busy") {
  lone_worker w;
  w.begin();
  w.actors.tell(w.handle, stop_work{});
  CHECK(w.at(zero).leavings == 1);
  CHECK(w.at(two).leavings == 1);
  CHECK(w.status().machine.phase == phase::left);
  CHECK(w.reported->last_words.empty()); // its parameters are with the trainer
  w.do_job();
  REQUIRE(w.reported->last_words.size() == 1);
  const auto& last = w.reported->last_words[0];
  CHECK(last.totals.worker == w.self);
  CHECK(last.totals.completed == 0);
  CHECK(last.totals.steps_used == 0);
  CHECK(last.parameters.values().data() == w.initial.values().data());
  CHECK(w.at(zero).estimates.empty()); // the dropped step leaves no trace
  w.actors.tell(w.handle, stop_work{});
  CHECK(w.at(zero).leavings == 1);
  CHECK(w.reported->last_words.size() == 1);
}

TEST_CASE("worker: a stop during an injected delay does not wait for it") {
  lone_worker w{{.step_time = "const:1000"}};
  w.begin();
  w.do_job();
  CHECK(w.at(zero).estimates.empty()); // the delay lasts
  w.actors.tell(w.handle, stop_work{});
  CHECK(w.at(zero).leavings == 1);
  CHECK(w.reported->last_words.size() == 1);
  w.actors.advance(std::chrono::seconds{2000}); // the delay's end finds nobody
  CHECK(w.at(zero).estimates.empty());
}

TEST_CASE("worker: an injected delay comes between a step and its estimate") {
  lone_worker w{{.step_time = "const:1000"}};
  w.begin();
  w.do_job();
  w.actors.advance(std::chrono::seconds{999});
  CHECK(w.at(zero).estimates.empty());
  w.actors.advance(std::chrono::seconds{2});
  CHECK(w.at(zero).estimates.size() == 1);
}

TEST_CASE("worker: a stop while gathering closes and settles the round first") {
  lone_worker w;
  w.begin();
  w.do_job();
  w.hear_estimate(zero, 1);
  w.actors.tell(w.handle, stop_work{});
  CHECK(w.at(zero).closings.size() == 1);
  CHECK(w.at(zero).leavings == 0); // it owes the neighbour an answer's outcome
  w.hear(zero, accept{1});
  CHECK(w.at(zero).leavings == 1);
  w.do_job(); // the mix
  REQUIRE(w.reported->rounds.size() == 1);
  CHECK(w.reported->rounds[0].mixed.committed.size() == 1);
  REQUIRE(w.reported->last_words.size() == 1);
  CHECK(w.reported->last_words[0].totals.completed == 1);
}

TEST_CASE("worker: the time limit stops it") {
  lone_worker w{{.time_limit = std::chrono::seconds{5}}};
  w.begin();
  const auto pass = [&](std::chrono::milliseconds time) { // heartbeat by heartbeat
    for (; time.count() > 0; time -= std::chrono::milliseconds{500})
      w.actors.advance(std::chrono::milliseconds{500});
  };
  pass(std::chrono::milliseconds{4500});
  CHECK(w.at(zero).leavings == 0);
  pass(std::chrono::milliseconds{500});
  CHECK(w.at(zero).leavings == 1);
}

TEST_CASE("worker: a time limit that is far off holds nothing back when it ends earlier") {
  lone_worker w{{.time_limit = std::chrono::hours{1}}};
  w.begin();
  w.actors.tell(w.handle, stop_work{});
  const auto began = w.actors.now();
  caf::anon_send_exit(w.handle, caf::exit_reason::user_shutdown);
  while (w.actors.has_timer())
    w.actors.advance_to_next();
  CHECK(w.actors.now() - began < std::chrono::minutes{1}); // of what is under way to it
}

TEST_CASE("worker: after its last round it leaves, with the mixed parameters as its last word") {
  lone_worker w{{.last_round = 1}};
  w.begin();
  w.do_job();
  for (auto id : {zero, two}) {
    w.hear_estimate(id, 1, 1);
    w.hear(id, accept{1});
  }
  CHECK(w.at(zero).leavings == 1);
  REQUIRE(w.jobs->size() == 1);
  CHECK_FALSE(w.jobs->front()->wants_step);
  w.do_job();
  REQUIRE(w.reported->last_words.size() == 1);
  const auto& last = w.reported->last_words[0];
  CHECK(last.totals.completed == 1);
  CHECK(last.totals.steps_used == 1);
  CHECK(last.totals.estimates_sent == 2);
  CHECK(last.totals.bytes_sent == 2 * 4 * w.setup->model->parameter_count());
  CHECK(last.parameters.values().data() == w.estimate().parameters.values().data());
}

TEST_CASE("worker: what neighbours say before it has begun counts once it has") {
  lone_worker w;
  w.meet();
  w.hear_estimate(zero, 1);
  w.hear(zero, accept{1});
  w.hear(two, heartbeat{});
  CHECK(w.status().machine.phase == phase::idle);
  CHECK(w.at(zero).receipts.size() == 1);
  w.actors.tell(w.handle, begin_work{});
  w.do_job();
  CHECK(w.at(zero).accepts.size() == 1);
  CHECK(w.status().machine.quorum_missing == 1);
}

TEST_CASE("worker: a stop that overtakes the beginning ends it before the first step") {
  lone_worker w;
  w.actors.tell(w.handle, stop_work{});
  CHECK(w.reported->last_words.empty());
  w.begin();
  CHECK(w.at(zero).leavings == 1);
  CHECK(w.jobs->empty());
  REQUIRE(w.reported->last_words.size() == 1);
  CHECK(w.reported->last_words[0].parameters.values().data() == w.initial.values().data());
}

TEST_CASE("worker: can be asked before it has met anybody") {
  lone_worker w;
  CHECK(w.status().machine.phase == phase::idle);
  CHECK(w.estimate().local_steps == 0);
}

TEST_CASE("worker: that joins says so at once, raises its links at signs of life and trains from the "
          "estimate given") {
  lone_worker w{{.completed = 7, .facts = {fact{worker_id{0}, worker_id{1}, 1, false}}}};
  w.begin();
  CHECK(std::ranges::count(w.at(zero).facts, fact{zero, w.self, 1, false}) == 1);
  CHECK(std::ranges::count(w.at(two).facts, fact{w.self, two, 1, false}) == 1);
  for (auto id : {zero, two}) {
    w.hear(id, heartbeat{});
    CHECK(w.at(id).closings.at(0).round == 7);
    w.hear(id, closed{8, 0});
  }
  w.do_job();
  for (auto id : {zero, two}) {
    REQUIRE(w.at(id).estimates.size() == 1);
    CHECK(w.at(id).estimates[0].body.round == 9);
    w.hear_estimate(id, 9);
    w.hear(id, accept{9});
  }
  w.do_job();
  REQUIRE(w.reported->rounds.size() == 1);
  CHECK(w.reported->rounds[0].mixed.committed.size() == 2);
}

TEST_CASE("worker: has a checkpoint from its beginning on, also one that goes on from another") {
  lone_worker fresh{{.checkpoints = true}};
  fresh.begin();
  REQUIRE(fresh.saved->size() == 1);
  CHECK(fresh.saved->front().round == 0);
  checkpoint before;
  before.round = 40;
  before.local_steps = 33;
  before.epoch = 6;
  before.elapsed = std::chrono::seconds{100};
  before.parameters = filled_block(*fresh.setup->model, 0.75F);
  before.velocity = filled_block(*fresh.setup->model, 0.5F);
  lone_worker resumed{{.completed = 40, .resumed = before, .checkpoints = true}};
  resumed.begin();
  REQUIRE(resumed.saved->size() == 1);
  const auto& first = resumed.saved->front();
  CHECK(first.round == 40);
  CHECK(first.local_steps == 33);
  CHECK(first.epoch == 6);
  CHECK(first.elapsed >= before.elapsed);
  CHECK(first.parameters.values()[0] == 0.75F);
}

} // namespace dybw::test
