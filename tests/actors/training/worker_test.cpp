#include "actors/training/shard.hpp"
#include "actors/training/worker.hpp"
#include "tests/actors/support/fakes.hpp"
#include "tests/actors/support/small_training.hpp"
#include "tests/actors/support/test_system.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

namespace dybw::test {

namespace {

/// How one real worker among fakes is set up.
struct lone_options {
  std::string policy = "full";
  std::string topology = "path";
  std::size_t workers = 3;
  worker_id self{1};
  round_number last_round = 100;
  std::optional<nanoseconds> round_timeout = std::chrono::hours{1};
  std::string step_time = {};
  std::optional<nanoseconds> time_limit = {};
  bool training = true;
  std::vector<worker_id> elsewhere = {}; ///< neighbours in another process
  round_number completed = 0;
  std::vector<fact> facts = {};
  std::optional<checkpoint> resumed = {};
  bool checkpoints = false;
};

using saved_states = std::shared_ptr<std::vector<checkpoint>>;

checkpointer_actor::behavior_type fake_checkpointer(checkpointer_actor::pointer, saved_states saved) {
  return {
      [saved](const save_checkpoint& x) { saved->push_back(*x.state); },
      [](const end_of_checkpoints&) {},
      [](const checkpoints_wanted&) { return checkpoints_status{}; },
  };
}

/// One real worker, all around it fake: neighbours, trainers and reporter.
class lone_worker {
public:
  explicit lone_worker(const lone_options& how = {})
      : graph(std::make_shared<const topology>(make_topology(how.topology, how.workers, 1))), self(how.self) {
    worker_options options;
    options.machine.self = self;
    options.machine.graph = graph;
    options.machine.policy = parse_policy(how.policy, graph->smallest_degree(), worker_id{0});
    options.machine.last_round = how.last_round;
    options.machine.round_timeout = how.round_timeout;
    options.machine.completed = how.completed;
    options.machine.facts = how.facts;
    if (how.training) {
      options.training = setup;
      options.initial = initial;
      options.trainers = actors.spawn(fake_trainer_pool, jobs);
      options.shard = actors.spawn(
          shard, mini_batch_sampler{rows_from(0, 40), 8, make_generator(1, random_stream::mini_batches, 0)});
    }
    options.clock = std::make_shared<step_clock>(how.step_time, "none", how.workers, self, 1);
    options.time_limit = how.time_limit;
    options.resumed = how.resumed;
    if (how.checkpoints) {
      options.checkpointer = actors.spawn(fake_checkpointer, saved);
      options.checkpoint_every = std::chrono::hours{1};
    }
    options.reporter = actors.spawn(fake_reporter, reported);
    handle = actors.spawn(worker, std::move(options));
    for (auto id : graph->neighbours(self)) {
      inboxes[id] = std::make_shared<letters>();
      if (std::ranges::count(how.elsewhere, id) > 0) {
        sent_away->inboxes[id] = inboxes[id];
        neighbours[id] = nullptr;
      } else {
        neighbours[id] = actors.spawn(fake_worker, inboxes[id]);
      }
    }
    if (!how.elsewhere.empty())
      links = actors.spawn(fake_links, sent_away);
  }

  void meet() {
    meet_neighbours m{{}, actors.now(), links};
    for (const auto& [id, neighbour] : neighbours)
      m.neighbours.push_back(neighbour);
    actors.tell(handle, std::move(m));
  }
  void begin() {
    meet();
    actors.tell(handle, begin_work{});
  }

  /// A message from a neighbour.
  template <class Body>
  void hear(worker_id from, Body body) {
    actors.tell(handle, from, std::move(body));
  }
  /// A neighbour's estimate of this round, all entries `value`.
  void hear_estimate(worker_id from, round_number round, float value = 0) {
    hear(from, estimate_message{{round, true}, filled_block(*setup->learner, value)});
  }

  /// Does the job that the worker waits for, as a trainer would.
  void do_job() {
    REQUIRE(jobs->size() == 1);
    const auto job = jobs->front();
    jobs->pop_front();
    if (job->wants_mix) {
      job->mixed = job->local->mix(job->neighbours, workspace);
      job->neighbours.clear();
    }
    if (job->wants_step)
      job->stepped = job->local->step(*job->batch.rows, job->batch.epoch, workspace);
    const auto client = job->client;
    actors.tell(client, training_done{job});
  }

  letters& at(worker_id neighbour) { return *inboxes.at(neighbour); }
  worker_status status() { return actors.ask<worker_status>(handle, status_wanted{}); }
  welcome_reply welcome_for(worker_id joiner) {
    return actors.ask<welcome_reply>(handle, welcome_wanted{joiner});
  }
  snapshot estimate() { return actors.ask<snapshot>(handle, snapshot_wanted{}); }

  std::shared_ptr<const training_setup> setup = small_setup();
  training_workspace workspace{*setup};
  parameter_block initial = filled_block(*setup->learner, 0.25F);
  held_jobs jobs = std::make_shared<std::deque<training_job_ptr>>();
  reports_ptr reported = std::make_shared<reports>();
  saved_states saved = std::make_shared<std::vector<checkpoint>>();
  std::shared_ptr<const topology> graph;
  worker_id self;
  std::map<worker_id, letters_ptr> inboxes;
  std::map<worker_id, worker_actor> neighbours; ///< null for those elsewhere
  link_letters_ptr sent_away = std::make_shared<link_letters>();
  link_actor links;
  worker_actor handle;
  test_system actors; // last: it ends the actors before what they write to goes
};

constexpr auto zero = worker_id{0};
constexpr auto two = worker_id{2};
using wait_kind = wait_cause::kind;

} // namespace

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
  w.actors.advance(std::chrono::seconds{4});
  CHECK(w.at(zero).leavings == 0);
  w.actors.advance(std::chrono::seconds{2});
  CHECK(w.at(zero).leavings == 1);
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
  CHECK(last.totals.bytes_sent == 2 * 4 * w.setup->learner->parameter_count());
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
  before.parameters = filled_block(*fresh.setup->learner, 0.75F);
  before.velocity = filled_block(*fresh.setup->learner, 0.5F);
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
