// Long: what a node keeps of one run, all of it told by one set of helpers.
#include "actors/node/active_run.hpp"
#include "learning/graph/topology.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

namespace {

constexpr auto second = nanoseconds{1'000'000'000};
constexpr auto launcher = connection_id{7};
constexpr auto other = connection_id{8};
constexpr run_id this_run = 5;

/// Four workers on a ring, two of them on node 1, which is `self` unless said otherwise.
run_spec spec_of(std::size_t self = 1) {
  run_spec spec;
  spec.run = this_run;
  spec.self = node_at(self);
  spec.nodes = {{"a", 1}, {"b", 2}, {"c", 3}};
  spec.placement = {node_at(0), node_at(1), node_at(2), node_at(1)};
  return spec;
}

const topology ring = make_topology("ring", 4, 1);

/// A run that is asked to link at 0.
active_run linking(std::size_t self = 1, std::optional<connection_id> asked_by = launcher) {
  active_run run{nanoseconds{0}};
  run.link(spec_of(self), ring, asked_by, nanoseconds{0});
  return run;
}

/// A run that has begun at 0.
active_run running(std::size_t self = 1) {
  auto run = linking(self);
  run.keep_lead(nanoseconds{0});
  run.begin(nanoseconds{0}, 0);
  return run;
}

/// A run of which node 0 leads, with the workers there done at 100 s.
active_run finishing(std::size_t self = 1) {
  auto run = running(self);
  run.finish(100 * second);
  return run;
}

local_reports reports_of(std::size_t rounds, std::size_t ends = 0, std::uint64_t dropped = 0) {
  local_reports x;
  x.rounds.resize(rounds);
  x.finished.resize(ends);
  x.rounds_dropped = dropped;
  return x;
}

/// Notes the reports, then says what this subscriber gets of them.
std::optional<report_batch> report(active_run& run, const local_reports& x, nanoseconds now,
                                   connection_id to = launcher) {
  run.note(x, now);
  return run.batches(this_run, x, {}, now).at(to);
}

cluster_status cluster_of(cluster_phase phase, std::vector<bool> reachable = {true, true, true}) {
  cluster_status x;
  x.phase = phase;
  x.reachable = std::move(reachable);
  return x;
}

constexpr backlog too_much{active_run::subscriber_backlog_max + 1};

} // namespace

TEST_CASE("active_run: who prepared it is gone when it says nothing for longer than is waited") {
  active_run run{second};
  CHECK_FALSE(run.is_deserted(31 * second, 30 * second));
  CHECK(run.is_deserted(32 * second, 30 * second));
  run.owner_spoke(20 * second);
  CHECK_FALSE(run.is_deserted(32 * second, 30 * second));
}

TEST_CASE(
    "active_run: it is linked when the nodes of all neighbours are, those of nobody's are not waited for") {
  auto run = linking();
  CHECK(run.asked_by() == launcher);
  CHECK_FALSE(run.linked(spec_of(), nanoseconds{0}));
  run.note(link_changed{this_run, node_at(0), true, ""});
  CHECK_FALSE(run.linked(spec_of(), nanoseconds{0}));
  run.note(link_changed{this_run, node_at(2), true, ""});
  CHECK(run.linked(spec_of(), nanoseconds{0})->refusal == "");
  run.note(link_changed{this_run, node_at(2), false, "gone"});
  CHECK_FALSE(run.linked(spec_of(), nanoseconds{0}));
  active_run alone{nanoseconds{0}};
  alone.link(spec_of(), topology{4, {}, "none"}, launcher, nanoseconds{0}); // no exchange
  CHECK(alone.linked(spec_of(), nanoseconds{0})->refusal == "");
}

TEST_CASE("active_run: links that do not come up in time are refused with the node and the reason") {
  auto run = linking();
  run.note(link_changed{this_run, node_at(0), true, ""});
  CHECK_FALSE(run.linked(spec_of(), active_run::link_patience));
  const auto late = active_run::link_patience + nanoseconds{1};
  CHECK(run.linked(spec_of(), late)->refusal == "it cannot connect to node c:3: no answer yet");
  run.note(link_changed{this_run, node_at(2), false, "refused"});
  CHECK(run.linked(spec_of(), late)->refusal == "it cannot connect to node c:3: refused");
}

TEST_CASE("active_run: starting values are asked for once at a time, as long as they may come") {
  active_run run{nanoseconds{0}};
  CHECK_FALSE(run.asks_for_values());
  run.seek_values(launcher, 1 * second);
  CHECK(run.asked_by() == launcher);
  CHECK(run.asks_for_values());
  CHECK_FALSE(run.asks_for_values());
  CHECK(run.may_ask_again(5 * second, 5 * second));
  CHECK_FALSE(run.may_ask_again(7 * second, 5 * second));
  run.values_came();
  CHECK_FALSE(run.asks_for_values());
}

TEST_CASE("active_run: others may need longer to link, where they wait for their starting values first") {
  active_run run{nanoseconds{0}};
  run.link(spec_of(), topology{4, {{worker_at(0), worker_at(1)}, {worker_at(2), worker_at(3)}}, "two"},
           launcher, nanoseconds{0}, 100 * second);
  CHECK_FALSE(run.linked(spec_of(), active_run::link_patience + 100 * second));
  CHECK(run.linked(spec_of(), active_run::link_patience + 101 * second)->refusal != "");
}

TEST_CASE("active_run: the lead waits a little for the other nodes before it says that it is linked") {
  auto run = linking(0);
  for (std::size_t i = 1; i < 3; ++i)
    run.note(link_changed{this_run, node_at(i), true, ""});
  CHECK(run.linked(spec_of(0), nanoseconds{0})); // it does not lead yet
  CHECK(run.keep_lead(nanoseconds{0}));
  CHECK_FALSE(run.linked(spec_of(0), nanoseconds{0}));
  CHECK(run.linked(spec_of(0), active_run::follow_patience)->refusal == "");
  run.note(cluster_of(cluster_phase::running, {true, true, false}), false);
  CHECK_FALSE(run.linked(spec_of(0), nanoseconds{0}));
  run.note(cluster_of(cluster_phase::running), false);
  CHECK(run.linked(spec_of(0), nanoseconds{0})->refusal == "");
}

TEST_CASE(
    "active_run: who subscribes just after the beginning gets the rounds until then, later ones do not") {
  auto run = running();
  run.note(reports_of(3), second);
  run.subscribe(launcher, second);
  CHECK(report(run, reports_of(2), second)->rounds.size() == 5);
  const auto next = report(run, reports_of(2), second);
  CHECK(next->rounds.size() == 2);
  CHECK(next->rounds_dropped == 0);
  run.subscribe(other, active_run::first_rounds_time);
  const auto batch = report(run, reports_of(1), active_run::first_rounds_time, other);
  CHECK(batch->rounds.size() == 1);
  CHECK(batch->rounds_dropped == 0); // from the subscription on
}

TEST_CASE("active_run: first rounds that are too many to be kept count as dropped") {
  auto run = running();
  run.note(reports_of(active_run::first_rounds_max), second);
  run.note(reports_of(1), second);
  run.subscribe(launcher, second);
  const auto batch = report(run, reports_of(2), second);
  CHECK(batch->rounds.size() == 2);
  CHECK(batch->rounds_dropped == active_run::first_rounds_max + 1);
}

TEST_CASE("active_run: what the reporter dropped counts from the subscription on") {
  auto run = running();
  run.note(reports_of(1, 0, 40), 5 * second);
  run.subscribe(launcher, 5 * second);
  CHECK(report(run, reports_of(1, 0, 42), 6 * second)->rounds_dropped == 2);
}

TEST_CASE("active_run: a subscriber that is slow misses rounds, counted, but no end, loss or failure") {
  auto run = running();
  run.subscribe(launcher, 5 * second);
  CHECK(report(run, reports_of(1), 6 * second)->rounds.size() == 1);
  run.note(launcher, too_much);
  CHECK_FALSE(report(run, reports_of(4), 7 * second));
  run.note(evaluation{}); // it can wait
  CHECK_FALSE(report(run, reports_of(0), 7 * second));
  const auto end = report(run, reports_of(4, 1), 8 * second);
  REQUIRE(end);
  CHECK(end->rounds.empty());
  CHECK(end->evaluations.empty());
  CHECK(end->finished.size() == 1);
  CHECK(end->rounds_dropped == 8);
  auto with_loss = reports_of(0);
  with_loss.lost = {worker_at(3)};
  CHECK(report(run, with_loss, 9 * second)->lost == with_loss.lost);
  CHECK_FALSE(report(run, with_loss, 9 * second));
  CHECK(run.fail("broken"));
  CHECK(report(run, with_loss, 10 * second)->failure == "broken");
  CHECK_FALSE(report(run, with_loss, 10 * second));
  run.note(launcher, backlog{});
  const auto caught_up = report(run, with_loss, 11 * second);
  CHECK(caught_up->evaluations.size() == 1);
  CHECK(caught_up->finished.empty()); // once
  CHECK(report(run, with_loss, 12 * second)->evaluations.empty());
}

TEST_CASE("active_run: without its reporter all workers are done, and lost unless their end was told") {
  auto run = running();
  auto known = reports_of(0, 1, 40);
  known.finished[0].totals.worker = worker_at(1);
  known.progress.local_steps = 12;
  run.note(known, second);
  const std::vector<worker_id> here{worker_at(1), worker_at(3)};
  for (auto i = 0; i < 2; ++i) { // it is said again and again
    const auto x = run.without_reporter(here);
    CHECK(x.lost == std::vector<worker_id>{worker_at(3)});
    CHECK(x.finished.empty());
    CHECK(x.rounds_dropped == 40);
    CHECK(x.progress.local_steps == 12);
    CHECK(x.progress.workers_done == 2);
    CHECK(x.progress.workers_lost == 1);
    run.note(x, 2 * second);
  }
}

TEST_CASE(
    "active_run: every subscriber gets all ends, also those from before it came, who left gets nothing") {
  auto run = running();
  run.note(reports_of(0, 2), 5 * second);
  run.subscribe(launcher, 6 * second);
  run.subscribe(other, 6 * second);
  run.unsubscribe(other);
  run.note(other, too_much);
  const auto x = reports_of(0, 1);
  run.note(x, 7 * second);
  const auto batches = run.batches(this_run, x, {}, 7 * second);
  REQUIRE(batches.size() == 1);
  CHECK(batches.at(launcher)->finished.size() == 3);
  CHECK(batches.at(launcher)->run == this_run);
  CHECK(batches.at(launcher)->elapsed_s == 7);
  CHECK(batches.at(launcher)->component == 4);
  CHECK(batches.at(launcher)->lead == 0);
  CHECK(run.ends().finished.size() == 3);
}

TEST_CASE("active_run: what was spent before does not count, nor processor time before it begins") {
  auto run = linking();
  traffic before;
  before.link_bytes_sent = 10;
  before.eval_bytes_sent = 20;
  run.count_from(before);
  traffic all = before;
  all.link_bytes_sent = 15;
  all.eval_bytes_sent = 5; // of a gateway that counts anew
  all.connections_refused = 3;
  CHECK(run.in_this_run({all, 9}).cpu_s == 0);
  run.begin(nanoseconds{0}, 7);
  const auto spent = run.in_this_run({all, 9});
  CHECK(spent.cpu_s == 2);
  CHECK(spent.sent.link_bytes_sent == 5);
  CHECK(spent.sent.eval_bytes_sent == 0);
  CHECK(spent.sent.connections_refused == 3);
}

TEST_CASE("active_run: status and metrics are completed with what is known by now") {
  auto run = linking();
  expenses spent;
  spent.sent.link_bytes_sent = 5;
  spent.sent.connections_refused = 3;
  auto reports = reports_of(0);
  reports.progress.newest_round = 12;
  run.note(reports, second);
  node_status early;
  run.complete(early, spent, second);
  CHECK(early.newest_round == 0); // it has not begun
  CHECK(early.component == 4);
  run.begin(second, 0);
  node_status status;
  run.complete(status, spent, 3 * second);
  CHECK(status.newest_round == 12);
  CHECK(status.elapsed_s == 2);
  CHECK(status.link_bytes_sent == 5);
  process_metrics metrics;
  run.complete(metrics, spent);
  CHECK_FALSE(metrics.newest_evaluation);
  CHECK_FALSE(metrics.leads);
  CHECK(metrics.connections_refused == 3);
  run.note(evaluation{2.5});
  run.fail("broken");
  run.complete(metrics, spent);
  CHECK(metrics.newest_evaluation->time_s == 2.5);
  CHECK(metrics.failure == "broken");
}

TEST_CASE("active_run: of several failures the first is told") {
  auto run = running();
  CHECK(run.fail("first"));
  CHECK_FALSE(run.fail("second"));
  run.subscribe(launcher, second);
  CHECK(report(run, reports_of(0), second)->failure == "first");
}

TEST_CASE("active_run: who stops leading forgets its evaluations, and who leads again tells new ones from "
          "the first") {
  auto run = running(0);
  CHECK(run.keep_lead(second));
  run.subscribe(launcher, 5 * second);
  run.note(evaluation{});
  CHECK(report(run, reports_of(0), 5 * second)->evaluations.size() == 1);
  run.note(part_changed{worker_at(0), 3, worker_at(1)}, 6 * second);
  CHECK_FALSE(run.keep_lead(6 * second));
  run.note(part_changed{worker_at(0), 4, worker_at(0)}, 7 * second);
  CHECK_FALSE(run.keep_lead(7 * second)); // not at once
  CHECK(run.keep_lead(7 * second + leadership::settle_time));
  run.note(evaluation{});
  CHECK(report(run, reports_of(0), 9 * second)->evaluations.size() == 1);
}

TEST_CASE("active_run: nobody takes over a run that is over elsewhere, and who leads it goes on") {
  auto follows = running();
  follows.over_elsewhere();
  for (auto id : {1, 3})
    follows.note(part_changed{worker_at(static_cast<std::size_t>(id)), 3, worker_at(1)}, second);
  CHECK_FALSE(follows.keep_lead(60 * second));
  auto leads = running(0);
  leads.over_elsewhere();
  CHECK(leads.keep_lead(60 * second));
}

TEST_CASE(
    "active_run: it is measured once, when the workers here are done and the others too, or the node ends") {
  const auto over = cluster_of(cluster_phase::over);
  auto run = running(0);
  CHECK_FALSE(run.note(over, true));
  run.finish(100 * second);
  CHECK_FALSE(run.note(cluster_of(cluster_phase::running), false));
  CHECK(run.note(over, false));
  CHECK_FALSE(run.note(over, false));
  CHECK(finishing(0).note(cluster_of(cluster_phase::running), true));
  // Who leads while it is measured leads to the end.
  run.note(part_changed{worker_at(0), 3, worker_at(1)}, 101 * second);
  CHECK(run.keep_lead(101 * second));
}

TEST_CASE("active_run: how many workers are in touch is news when it has changed, while the work lasts") {
  auto run = linking();
  CHECK_FALSE(run.news_of_part());
  run.begin(nanoseconds{0}, 0);
  CHECK_FALSE(run.news_of_part()); // all of them
  for (auto id : {1, 3})
    run.note(part_changed{worker_at(static_cast<std::size_t>(id)), 3, worker_at(1)}, second);
  CHECK(run.news_of_part() == 3);
  CHECK_FALSE(run.news_of_part());
  run.note(part_changed{worker_at(1), 4, worker_at(0)}, second);
  CHECK(run.news_of_part() == 4);
  run.finish(2 * second);
  run.note(part_changed{worker_at(1), 2, worker_at(0)}, second);
  CHECK_FALSE(run.news_of_part());
  auto joined = linking(1, std::nullopt);
  joined.begin(nanoseconds{0}, 0);
  CHECK(joined.news_of_part() == 1); // alone until it hears others
}

TEST_CASE(
    "active_run: workers that do not end in time are waited for no longer, in a node that ends less long") {
  auto run = running();
  CHECK_FALSE(run.is_overdue(1000 * second, true));
  run.stop(10 * second);
  run.stop(15 * second); // the first counts
  CHECK_FALSE(run.is_overdue(10 * second + active_run::stop_patience, false));
  CHECK(run.is_overdue(11 * second + active_run::stop_patience, false));
  CHECK_FALSE(run.is_overdue(10 * second + active_run::leave_patience, true));
  CHECK(run.is_overdue(11 * second + active_run::leave_patience, true));
  run.finish(12 * second);
  CHECK_FALSE(run.is_overdue(1000 * second, false));
}

TEST_CASE("active_run: the known result has its nodes, what all of them spent, and its own failure first") {
  auto run = running();
  auto cluster = cluster_of(cluster_phase::over, {true, true, false});
  cluster.link_bytes_sent = 100;
  cluster.cpu_s = 8;
  expenses spent;
  spent.sent.link_bytes_sent = 5;
  spent.cpu_s = 2;
  const auto good = run.known_result(spec_of(), cluster, spent);
  CHECK_FALSE(good.failed);
  CHECK_FALSE(good.interrupted);
  CHECK(good.link_bytes_sent == 105);
  CHECK(good.host_cpu_s == 10);
  REQUIRE(good.nodes.size() == 3);
  CHECK(good.nodes[1].address == "b:2");
  CHECK(good.nodes[1].workers == std::vector<std::uint32_t>{1, 3});
  CHECK_FALSE(good.nodes[1].lost);
  CHECK(good.nodes[2].lost);
  cluster.failure = "theirs";
  run.interrupt();
  CHECK(run.known_result(spec_of(), cluster, spent).failure == "theirs");
  CHECK(run.known_result(spec_of(), cluster, spent).interrupted);
  run.fail("ours");
  CHECK(run.known_result(spec_of(), cluster, spent).failure == "ours");
  CHECK(run.known_result(spec_of(), cluster, spent).failed);
}

TEST_CASE(
    "active_run: a lead lets go only when it has measured, unless the node ends and nothing comes of it") {
  auto run = finishing(0);
  run.over_elsewhere();
  CHECK_FALSE(run.may_let_go(1000 * second, false));
  CHECK_FALSE(run.may_let_go(100 * second + active_run::stop_patience, true));
  CHECK(run.may_let_go(101 * second + active_run::stop_patience, true));
  run.measured(102 * second);
  CHECK(run.may_let_go(102 * second, false));
}

TEST_CASE("active_run: who has measured waits for those who listen to ask for the result") {
  auto run = finishing(0);
  run.measured(102 * second);
  CHECK(run.may_let_go(102 * second, false)); // nobody listens
  run.subscribe(launcher, 103 * second);
  CHECK_FALSE(run.may_let_go(102 * second + active_run::linger_time, false));
  CHECK_FALSE(run.may_let_go(103 * second + active_run::linger_time, false));
  CHECK(run.may_let_go(104 * second + active_run::linger_time, false));
  run.asked(110 * second);
  CHECK_FALSE(run.may_let_go(104 * second + active_run::linger_time, false));
  run.unsubscribe(launcher);
  CHECK(run.may_let_go(110 * second, false));
}

TEST_CASE(
    "active_run: who does not lead waits until nobody has asked for a while, longer while somebody listens") {
  auto run = finishing();
  CHECK_FALSE(run.may_let_go(100 * second + active_run::linger_time, false));
  CHECK(run.may_let_go(101 * second + active_run::linger_time, false));
  CHECK(run.may_let_go(100 * second, true));
  run.asked(105 * second);
  CHECK_FALSE(run.may_let_go(105 * second + active_run::linger_time, false));
  run.subscribe(launcher, 105 * second);
  CHECK_FALSE(run.may_let_go(105 * second + active_run::linger_time_max, false));
  CHECK(run.may_let_go(106 * second + active_run::linger_time_max, false));
  run.over_elsewhere();
  CHECK(run.may_let_go(106 * second, false));
}

TEST_CASE(
    "active_run: it is not let go before its subscribers have the ends, for as long as that is worth it") {
  auto run = running();
  run.subscribe(launcher, 5 * second);
  run.note(reports_of(0, 2), 100 * second);
  run.finish(100 * second);
  run.over_elsewhere();
  CHECK_FALSE(run.may_let_go(100 * second, false));
  CHECK_FALSE(run.may_let_go(101 * second, true));
  CHECK(run.may_let_go(100 * second + active_run::leave_patience, true));
  CHECK(run.may_let_go(100 * second + active_run::linger_time, false));
  CHECK(report(run, reports_of(0), 101 * second)->finished.size() == 2);
  CHECK(run.may_let_go(101 * second, false));
}

TEST_CASE("active_run: who leaves by itself says why, also to a slow subscriber, and is no failure") {
  auto run = running();
  run.subscribe(launcher, 5 * second);
  CHECK_FALSE(run.has_withdrawn());
  CHECK(run.withdraw("the disk is full"));
  CHECK_FALSE(run.withdraw("something later"));
  run.note(launcher, too_much);
  const auto batch = report(run, reports_of(1), 6 * second);
  REQUIRE(batch);
  CHECK(batch->left == "the disk is full");
  CHECK(batch->failure.empty());
  run.stop(6 * second); // its workers end soon, or are not waited for
  CHECK(run.is_overdue(7 * second + active_run::leave_patience, false));
}

TEST_CASE("active_run: who left by itself goes soon, also as the lead of a run that goes on") {
  for (const std::size_t self : {0, 1}) {
    CAPTURE(self);
    auto run = running(self);
    run.withdraw("the disk is full");
    run.finish(100 * second);
    CHECK_FALSE(run.may_let_go(100 * second + active_run::withdrawn_time, false));
    CHECK(run.may_let_go(101 * second + active_run::withdrawn_time, false));
    CHECK_FALSE(run.note(cluster_of(cluster_phase::running), false)); // others measure the end
  }
  auto last = running(0);
  last.withdraw("the disk is full");
  last.finish(100 * second);
  CHECK(last.note(cluster_of(cluster_phase::over), false)); // nobody else is left
  CHECK_FALSE(last.may_let_go(1000 * second, false));
}

TEST_CASE("active_run: a run that every node has left has failed, and says why") {
  auto run = running(0);
  auto cluster = cluster_of(cluster_phase::over);
  cluster.left = {"", "no memory", "no memory"};
  CHECK_FALSE(run.known_result(spec_of(0), cluster, {}).failed);
  run.withdraw("the disk is full");
  const auto known = run.known_result(spec_of(0), cluster, {});
  CHECK(known.failure == "every node left the run; a:1: the disk is full");
  CHECK(known.nodes[1].left == "no memory");
}

TEST_CASE("active_run: of many evaluations everybody gets the new ones, who comes late those that are kept") {
  auto run = running(0);
  run.subscribe(launcher, 5 * second);
  evaluation e;
  std::size_t got = 0;
  for (std::size_t i = 0; i < 2 * evaluation_history::kept_max; ++i) {
    e.time_s = static_cast<double>(i);
    run.note(e);
    const auto batch = report(run, reports_of(0), 6 * second);
    REQUIRE(batch->evaluations.size() == 1);
    got += batch->evaluations.front().time_s == e.time_s ? 1 : 0;
  }
  CHECK(got == 2 * evaluation_history::kept_max);
  run.subscribe(other, 7 * second);
  const auto late = report(run, reports_of(0), 7 * second, other);
  CHECK(late->evaluations.size() <= evaluation_history::kept_max);
  CHECK(late->evaluations.back().time_s == e.time_s);
}

} // namespace dybw::test
