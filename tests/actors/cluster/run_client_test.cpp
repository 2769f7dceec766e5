#include "actors/cluster/run_client.hpp"
#include "tests/actors/support/fake_gateway.hpp"
#include "tests/actors/support/fakes.hpp"
#include "tests/actors/support/test_system.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace dybw::test {

namespace {

constexpr run_id this_run = 7;

/// Two nodes with one worker each, followed by a run client.
struct followed_pair {
  explicit followed_pair(bool launches = false) {
    run_client_options options;
    options.gateway = actors.spawn(fake_gateway, log);
    options.reporter = actors.spawn(fake_reporter, heard);
    options.spec.run = this_run;
    options.spec.nodes = {{"a", 1}, {"b", 2}};
    options.spec.placement = {node_at(0), node_at(1)};
    options.launches = launches;
    options.parameters = 1;
    gateway = options.gateway;
    handle = actors.spawn(run_client, std::move(options));
    actors.run();
  }

  /// The call `index` is answered.
  void open(std::size_t index) {
    actors.tell(handle, control_opened{log->calls.at(index).key, connection_id{index}});
  }
  void say(std::size_t connection, control_message message) {
    actors.tell(handle, control_received{connection_id{connection},
                                         std::make_shared<const control_message>(std::move(message))});
  }
  /// A launch, until the nodes are told to begin.
  void link() {
    prepare_run_reply ready;
    ready.parameters = 7;
    for (std::size_t i : {0, 1})
      open(i);
    for (std::size_t i : {0, 1})
      say(i, ready);
    for (std::size_t i : {0, 1})
      say(i, connect_reply{});
  }
  cluster_status status() { return actors.ask<cluster_status>(handle, cluster_status_wanted{}); }

  test_system actors;
  gateway_log_ptr log = std::make_shared<gateway_log>();
  reports_ptr heard = std::make_shared<reports>();
  gateway_actor gateway;
  run_client_actor handle;
};

report_batch batch_of(worker_id worker, round_number round) {
  report_batch batch;
  batch.run = this_run;
  batch.component = 2;
  batch.rounds.resize(1);
  batch.rounds[0].mixed.worker = worker;
  batch.rounds[0].mixed.round = round;
  return batch;
}

parameter_block block_of(float value, std::size_t size = 1) {
  auto buffer = std::make_shared<float_buffer>(size);
  std::ranges::fill(buffer->values(), value);
  return parameter_block{std::move(buffer)};
}

} // namespace

TEST_CASE("run_client: rounds, last words and evaluations reach the reporter one by one") {
  followed_pair pair;
  REQUIRE(pair.log->calls.size() == 2);
  CHECK(pair.log->calls[1].to == endpoint{"b", 2});
  pair.open(0);
  pair.open(1);
  CHECK(pair.log->sent_on<subscribe_request>(connection_id{0}).size() == 1);
  auto batch = batch_of(worker_id{0}, 1);
  batch.evaluations = {evaluation{1.5}};
  batch.finished.resize(1);
  batch.finished[0].totals.worker = worker_id{0};
  batch.finished[0].totals.steps_used = 5;
  batch.finished[0].threshold_delay_p99 = std::chrono::milliseconds{2};
  batch.finished[0].threshold_delay_max = std::chrono::milliseconds{9};
  pair.say(0, batch);
  pair.say(1, batch_of(worker_id{1}, 1));
  CHECK(pair.heard->rounds.size() == 2);
  CHECK(pair.heard->evaluations.size() == 1);
  REQUIRE(pair.heard->last_words.size() == 1);
  const auto& last = pair.heard->last_words[0];
  CHECK(last.totals.steps_used == 5);
  CHECK(to_seconds(last.threshold_delays->max()) == doctest::Approx(0.009));
  CHECK(to_seconds(last.threshold_delays->quantile(0.99)) == doctest::Approx(0.002).epsilon(0.13));
}

TEST_CASE("run_client: a launch goes through the gateway, and a refusal closes every connection") {
  followed_pair pair{true};
  pair.open(0);
  CHECK(pair.log->sent.empty());
  pair.open(1);
  CHECK(pair.log->sent_on<prepare_run_request>(connection_id{0}).size() == 1);
  REQUIRE(pair.log->sent_on<prepare_run_request>(connection_id{1}).size() == 1);
  CHECK(pair.log->sent_on<prepare_run_request>(connection_id{1})[0].spec.self == node_at(1));
  prepare_run_reply busy;
  busy.refusal = "it is busy with another run";
  busy.exit_code = 4;
  pair.say(1, busy);
  CHECK(pair.status().phase == cluster_phase::failed);
  CHECK(pair.status().failure == "node b:2: it is busy with another run");
  CHECK(pair.log->sent_on<abandon_request>(connection_id{0}).size() == 1);
  CHECK(pair.log->closings.size() == 2);
}

TEST_CASE(
    "run_client: a launch subscribes everywhere before the first node begins, and follows from then on") {
  followed_pair pair{true};
  pair.link();
  const auto& sent = pair.log->sent;
  REQUIRE(sent.size() == 8); // two to prepare, two to connect
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(sent[4 + i].connection == connection_id{i});
    CHECK(std::holds_alternative<subscribe_request>(*sent[4 + i].message));
    CHECK(sent[6 + i].connection == connection_id{i});
    CHECK(std::holds_alternative<begin_request>(*sent[6 + i].message));
  }
  CHECK(pair.log->calls.size() == 2); // on the connections that there are
  pair.say(0, begin_reply{});
  CHECK(pair.status().waiting_for == std::vector<std::string>{"node b:2 to begin"});
}

TEST_CASE("run_client: a node lost while the run begins is gone, and the run goes on") {
  followed_pair pair{true};
  pair.link();
  pair.say(0, batch_of(worker_id{0}, 1)); // quicker than the other node's answer
  CHECK(pair.heard->rounds.size() == 1);
  pair.say(0, begin_reply{});
  CHECK(pair.status().phase == cluster_phase::linking);
  pair.actors.tell(pair.handle, control_closed{connection_id{1}, "connection reset"});
  CHECK(pair.status().phase == cluster_phase::running);
  CHECK(pair.status().parameters == 7);
  CHECK(pair.status().reachable == std::vector<bool>{true, false});
  REQUIRE(pair.heard->losses.size() == 1);
  CHECK(pair.heard->losses[0].workers == std::vector<worker_id>{worker_id{1}});
  CHECK(pair.heard->losses[0].reason == "node b:2: connection reset");
}

TEST_CASE("run_client: nobody is taken for silent before all have begun") {
  followed_pair pair{true};
  pair.link();
  pair.say(0, begin_reply{});
  for (auto i = 0; i < 70; ++i)
    pair.actors.advance(std::chrono::milliseconds{100});
  CHECK(pair.status().phase == cluster_phase::linking);
  pair.say(1, begin_reply{});
  CHECK(pair.status().phase == cluster_phase::running);
  for (auto i = 0; i < 20; ++i)
    pair.actors.advance(std::chrono::milliseconds{100});
  CHECK(pair.heard->losses.empty());
  CHECK(pair.log->closings.empty());
}

TEST_CASE("run_client: a refusal to begin ends what was followed already") {
  followed_pair pair{true};
  pair.link();
  pair.say(0, batch_of(worker_id{0}, 1));
  pair.say(1, begin_reply{"the run was abandoned"});
  CHECK(pair.status().phase == cluster_phase::failed);
  CHECK(pair.status().failure == "node b:2: the run was abandoned");
  CHECK(pair.log->sent_on<stop_request>(connection_id{0}).size() == 1);
  CHECK(pair.log->sent_on<abandon_request>(connection_id{0}).size() == 1);
  CHECK(pair.log->closings.size() == 2);
  const auto sent = pair.log->sent.size();
  pair.say(0, batch_of(worker_id{0}, 2));
  pair.actors.tell(pair.handle, stop_work{});
  for (auto i = 0; i < 30; ++i)
    pair.actors.advance(std::chrono::milliseconds{100});
  CHECK(pair.heard->rounds.size() == 1);
  CHECK(pair.log->sent.size() == sent);
  CHECK(pair.log->calls.size() == 2);
}

TEST_CASE("run_client: a stop while the run begins is told to the nodes, once") {
  followed_pair pair{true};
  pair.link();
  pair.actors.tell(pair.handle, stop_work{});
  CHECK(pair.log->sent_on<stop_request>(connection_id{0}).size() == 1);
  CHECK(pair.log->sent_on<stop_request>(connection_id{1}).size() == 1);
  CHECK(pair.status().phase == cluster_phase::linking);
}

TEST_CASE("run_client: a connection that opens after it was given up is closed again") {
  followed_pair pair{true};
  pair.actors.tell(pair.handle, control_failed{pair.log->calls[0].key, "refused"});
  CHECK(pair.status().phase == cluster_phase::failed);
  CHECK(pair.status().failure == "refused");
  pair.open(1);
  CHECK(pair.log->closings == std::vector<connection_id>{connection_id{1}});
  CHECK(pair.log->sent.empty());
}

TEST_CASE("run_client: silence is measured by the actors' clock, and a lost node is called again") {
  followed_pair pair;
  pair.open(0);
  pair.open(1);
  for (auto i = 0; i < 40; ++i) {
    pair.say(0, batch_of(worker_id{0}, 1));
    pair.actors.advance(std::chrono::milliseconds{100});
  }
  CHECK(pair.status().reachable == std::vector<bool>{true, false});
  CHECK(pair.log->closings == std::vector<connection_id>{connection_id{1}});
  for (auto i = 0; i < 11; ++i) {
    pair.say(0, batch_of(worker_id{0}, 1));
    pair.actors.advance(std::chrono::milliseconds{100});
  }
  REQUIRE(pair.log->calls.size() == 3);
  CHECK(pair.log->calls[2].to == endpoint{"b", 2});
  pair.open(2);
  pair.say(2, batch_of(worker_id{1}, 1));
  CHECK(pair.status().reachable == std::vector<bool>{true, true});
}

TEST_CASE("run_client: an estimate is asked for once on a connection of its own, for all who wait for it") {
  followed_pair pair;
  pair.open(0);
  pair.open(1);
  caf::scoped_actor first{pair.actors.system()};
  caf::scoped_actor second{pair.actors.system()};
  auto one = first->request(pair.handle, caf::infinite, worker_id{1}, snapshot_wanted{});
  auto two = second->request(pair.handle, caf::infinite, worker_id{1}, snapshot_wanted{});
  pair.actors.run();
  REQUIRE(pair.log->calls.size() == 3);
  CHECK(pair.log->calls[2].to == endpoint{"b", 2});
  pair.open(2);
  CHECK(pair.log->sent_on<snapshot_request>(connection_id{2}).size() == 1);
  pair.say(2, snapshot_reply{worker_id{1}, true, 12, block_of(0.5F)});
  pair.actors.run();
  for (auto* request : {&one, &two})
    request->receive(
        [](const snapshot& x) {
          CHECK(x.local_steps == 12);
          CHECK(x.parameters.values()[0] == 0.5F);
        },
        [](const caf::error& e) { FAIL(caf::to_string(e)); });
  auto again = first->request(pair.handle, caf::infinite, worker_id{1}, snapshot_wanted{});
  pair.actors.run();
  CHECK(pair.log->calls.size() == 3); // the connection is used again
  CHECK(pair.log->sent_on<snapshot_request>(connection_id{2}).size() == 2);
  pair.say(2, snapshot_reply{worker_id{1}, false, 0, {}});
  pair.actors.run();
  again.receive(
      [](const snapshot&) { FAIL("there is none"); },
      [](const caf::error& e) { CHECK(caf::to_string(e).find("no such worker") != std::string::npos); });
}

TEST_CASE("run_client: an estimate of a size that does not fit the model counts as none") {
  followed_pair pair;
  pair.open(0);
  pair.open(1);
  caf::scoped_actor self{pair.actors.system()};
  for (const std::size_t size : {0, 2}) {
    CAPTURE(size);
    auto request = self->request(pair.handle, caf::infinite, worker_id{1}, snapshot_wanted{});
    pair.actors.run();
    if (size == 0)
      pair.open(2);
    pair.say(2, snapshot_reply{worker_id{1}, true, 3, block_of(1, size)});
    pair.actors.run();
    request.receive([](const snapshot&) { FAIL("it does not fit"); },
                    [](const caf::error& e) {
                      CHECK(caf::to_string(e).find("does not fit the model") != std::string::npos);
                    });
  }
}

TEST_CASE("run_client: a question fails when its node is lost, does not answer, or cannot be reached") {
  followed_pair pair;
  pair.open(0);
  pair.open(1);
  caf::scoped_actor self{pair.actors.system()};
  const auto refusal = [&](auto& request) {
    std::string text;
    pair.actors.run();
    request.receive([](const snapshot&) { FAIL("nobody answered"); },
                    [&](const caf::error& e) { text = caf::to_string(e); });
    return text;
  };
  auto one = self->request(pair.handle, caf::infinite, worker_id{1}, snapshot_wanted{});
  pair.actors.run();
  pair.open(2);
  pair.actors.tell(pair.handle, control_closed{connection_id{2}, "connection reset"});
  CHECK(refusal(one).find("connection reset") != std::string::npos);

  auto two = self->request(pair.handle, caf::infinite, worker_id{1}, snapshot_wanted{});
  pair.actors.run();
  pair.actors.tell(pair.handle, control_failed{pair.log->calls.at(3).key, "refused"});
  CHECK(refusal(two).find("refused") != std::string::npos);

  auto three = self->request(pair.handle, caf::infinite, worker_id{1}, snapshot_wanted{});
  pair.actors.run();
  pair.open(4);
  for (auto i = 0; i < 610; ++i) {
    pair.say(0, batch_of(worker_id{0}, 1));
    pair.say(1, batch_of(worker_id{1}, 1));
    pair.actors.advance(std::chrono::milliseconds{100});
  }
  CHECK(refusal(three).find("did not answer in time") != std::string::npos);

  pair.actors.tell(pair.handle, control_closed{connection_id{1}, "gone"});
  auto four = self->request(pair.handle, caf::infinite, worker_id{1}, snapshot_wanted{});
  CHECK(refusal(four).find("cannot be reached") != std::string::npos);
  auto five = self->request(pair.handle, caf::infinite, worker_id{99}, snapshot_wanted{});
  CHECK(refusal(five).find("no such worker") != std::string::npos);
}

TEST_CASE("run_client: the result is asked of the leading node, then of the others, until one has it") {
  followed_pair pair;
  pair.open(0);
  pair.open(1);
  auto batch = batch_of(worker_id{0}, 1);
  batch.lead = 1;
  pair.say(0, batch);
  caf::scoped_actor self{pair.actors.system()};
  auto one = self->request(pair.handle, caf::infinite, result_wanted{});
  pair.actors.run();
  pair.open(2);
  CHECK(pair.log->calls[2].to == endpoint{"b", 2});
  CHECK(pair.log->sent_on<result_request>(connection_id{2}).size() == 1);
  result_reply reply;
  reply.leads = true;
  pair.say(2, reply);
  CHECK(pair.log->calls.size() == 4);
  pair.open(3);
  pair.say(3, result_reply{});
  pair.actors.run();
  one.receive(
      [](const std::shared_ptr<const result_reply>& x) {
        CHECK(x->leads); // of two that are not ready the leading one says more
        CHECK_FALSE(x->ready);
      },
      [](const caf::error& e) { FAIL(caf::to_string(e)); });

  auto two = self->request(pair.handle, caf::infinite, result_wanted{});
  pair.actors.run();
  pair.actors.tell(pair.handle, control_closed{connection_id{2}, "reset"});
  reply.ready = true;
  reply.result.rounds = 77;
  pair.say(3, reply);
  pair.actors.run();
  two.receive([](const std::shared_ptr<const result_reply>& x) { CHECK(x->result.rounds == 77); },
              [](const caf::error& e) { FAIL(caf::to_string(e)); });
}

TEST_CASE("run_client: without a node that can be reached there is no result") {
  followed_pair pair;
  caf::scoped_actor self{pair.actors.system()};
  auto request = self->request(pair.handle, caf::infinite, result_wanted{});
  pair.actors.run();
  request.receive([](const std::shared_ptr<const result_reply>&) { FAIL("nobody was reached"); },
                  [](const caf::error& e) {
                    CHECK(caf::to_string(e).find("no node of the run answers") != std::string::npos);
                  });
}

TEST_CASE("run_client: its end closes its connections") {
  followed_pair pair;
  pair.open(0);
  pair.open(1);
  pair.actors.kill(pair.handle, caf::exit_reason::user_shutdown);
  CHECK(pair.log->closings.size() == 2);
}

} // namespace dybw::test
