#include "actors/cluster/follow_machine.hpp"
#include "tests/actors/cluster/machine_probe.hpp"

#include <algorithm>

namespace dybw::test {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto one = node_index{1};

round_report report_of(std::uint32_t worker, round_number round) {
  round_report report;
  report.mixed.worker = worker_id{worker};
  report.mixed.round = round;
  report.degree = 2;
  return report;
}

worker_end end_of(std::uint32_t worker) {
  worker_end end;
  end.totals.worker = worker_id{worker};
  return end;
}

std::vector<node_line> lines(bool open) {
  auto all = lines_to(three_nodes().nodes);
  for (auto& line : all)
    if (open) {
      line.call(seconds{1});
      line.reached(seconds{1});
    }
  return all;
}

/// Who has launched the run takes it over on open connections; who only follows it calls first.
struct probe : machine_probe<follow_machine, follow_event, follow_effect> {
  explicit probe(bool launched = true, std::optional<node_index> here = {})
      : machine_probe(follow_machine_options{three_nodes(), here, launched}, lines(launched)) {}

  template <class News>
  std::vector<News> news() const {
    std::vector<News> found;
    for (const auto& x : all<run_news>())
      if (const auto* y = std::get_if<News>(&x))
        found.push_back(*y);
    return found;
  }
};

} // namespace

TEST_CASE("follow_machine: who takes over from a launch subscribes at every node, and calls none") {
  probe p;
  CHECK(p.told<subscribe_request>() == everybody);
  CHECK(p.effects.size() == 3);
  CHECK(p.phase() == cluster_phase::running);
  cluster_status known;
  known.parameters = 7850;
  known.waiting_for = {"node b:7401 to begin"};
  known.reachable = {true, false, true};
  const auto status = p.machine().status(known);
  CHECK(status.parameters == 7850); // as the launch knows
  CHECK(status.waiting_for == known.waiting_for);
  CHECK(status.reachable == std::vector<bool>{true, true, true});
}

TEST_CASE("follow_machine: a node that is the last to begin is not taken for silent") {
  probe p;
  p.leap(milliseconds{1400}); // not long enough to have been asleep
  p.step(time_passed{});
  p.leap(milliseconds{1400});
  p.say(1, begin_reply{});
  p.step(time_passed{});
  p.pass(milliseconds{400}, {0, 2});
  CHECK(p.news<workers_gone>().empty());
}

TEST_CASE("follow_machine: rounds pass once, in ascending order, whatever is told again after a reconnect") {
  probe p;
  p.say(0, batch_of({report_of(0, 1), report_of(3, 1), report_of(0, 2)}));
  CHECK(p.news<round_report>().size() == 3);
  p.step(node_hung_up{node_at(0), "connection reset"});
  p.pass(seconds{1}, {1, 2});
  CHECK(p.all<call_node>().size() == 1);
  p.step(node_reached{node_at(0)});
  CHECK(p.told<subscribe_request>() == nodes{0});
  p.say(0, batch_of({report_of(0, 1), report_of(0, 2), report_of(0, 3), report_of(3, 1), report_of(3, 2)}));
  const auto rounds = p.news<round_report>();
  REQUIRE(rounds.size() == 2);
  CHECK(rounds[0].mixed.round == 3);
  CHECK(rounds[1].mixed.worker == worker_id{3});
}

TEST_CASE("follow_machine: what a node says for others' workers, or that points nowhere, is not passed on") {
  probe p;
  auto crooked = report_of(0, 1);
  crooked.mixed.committed = {{worker_id{99}, 0.5}};
  auto longer = report_of(0, 1);
  longer.degree = 0;
  longer.mixed.committed = {{worker_id{1}, 0.5}};
  auto batch = batch_of({report_of(1, 1), report_of(77, 1), crooked, longer});
  batch.finished = {end_of(2), end_of(77)};
  p.say(0, batch);
  CHECK(p.all<run_news>().empty());
  batch.run = 43;
  batch.rounds = {report_of(0, 1)};
  p.say(0, batch);
  CHECK(p.all<run_news>().empty());
}

TEST_CASE(
    "follow_machine: a silent node is gone after the time of suspicion, and back with its next report") {
  probe p;
  p.pass(milliseconds{2900}, {0, 2});
  CHECK(p.news<workers_gone>().empty());
  p.pass(milliseconds{300}, {0, 2});
  REQUIRE(p.news<workers_gone>().size() == 1);
  CHECK(p.news<workers_gone>()[0].workers == std::vector<worker_id>{worker_id{1}, worker_id{4}});
  CHECK(mentions(p.news<workers_gone>()[0].reason, "node b:7401: no sign of life for 3"));
  CHECK(p.status().reachable == std::vector<bool>{true, false, true});
  p.pass(seconds{1}, {0, 2});
  CHECK(p.all<call_node>().size() == 1);
  p.step(node_reached{one});
  CHECK(p.status().reachable[1] == false); // an open port is no report
  p.say(1, batch_of({}));
  REQUIRE(p.news<workers_back>().size() == 1);
  CHECK(p.news<workers_back>()[0].workers == std::vector<worker_id>{worker_id{1}, worker_id{4}});
  CHECK(p.status().reachable[1]);
}

TEST_CASE("follow_machine: a lost node is called again every second, without end") {
  probe p;
  p.step(node_hung_up{one, "reset"});
  auto calls = 0;
  for (auto i = 0; i < 100; ++i) {
    p.pass(milliseconds{100}, {0, 2});
    calls += static_cast<int>(p.all<call_node>().size());
    if (!p.all<call_node>().empty())
      p.step(node_not_reached{one, "refused"});
  }
  CHECK(calls >= 8);
  CHECK(calls <= 10);
}

TEST_CASE("follow_machine: if we were asleep ourselves nobody else is suspected") {
  probe p;
  p.leap(seconds{60});
  p.step(time_passed{});
  CHECK(p.news<workers_gone>().empty());
  p.pass(seconds{4}, {});
  CHECK(p.news<workers_gone>().size() == 3);
}

TEST_CASE("follow_machine: a restarted node is called at the address that the others know") {
  probe p;
  p.step(node_hung_up{one, "reset"});
  p.pass(seconds{1}, {0, 2});
  const auto asked = p.told<node_status_request>();
  CHECK(std::count(asked.begin(), asked.end(), 1) == 0);
  CHECK(std::count(asked.begin(), asked.end(), 0) == 1);
  p.step(node_not_reached{one, "refused"});
  node_status status;
  status.run = this_run;
  status.nodes = {{"a", 7400}, {"elsewhere", 1}, {"c", 7402}};
  p.say(0, status);
  p.pass(seconds{1}, {0, 2});
  REQUIRE(p.all<call_node>().size() == 1);
  CHECK(p.all<call_node>()[0].to == endpoint{"elsewhere", 1});
}

TEST_CASE("follow_machine: a launcher learns from the nodes what they wait for") {
  probe p;
  node_status status;
  status.run = this_run;
  status.waiting = "worker 1 waits for worker 2: estimate, 3.0 s";
  p.say(1, status);
  CHECK(p.status().waiting == status.waiting);
  p.step(node_hung_up{one, "reset"});
  CHECK(p.status().waiting.empty());
}

TEST_CASE("follow_machine: a worker that ended by an error is gone for good, also when its node comes back") {
  probe p;
  auto batch = batch_of({});
  batch.lost = {worker_id{1}};
  p.say(1, batch);
  REQUIRE(p.news<workers_gone>().size() == 1);
  CHECK(p.news<workers_gone>()[0].workers == std::vector<worker_id>{worker_id{1}});
  p.say(1, batch);
  CHECK(p.all<run_news>().empty());
  p.step(node_hung_up{one, "reset"});
  CHECK(p.news<workers_gone>()[0].workers == std::vector<worker_id>{worker_id{4}});
  p.pass(seconds{1}, {0, 2});
  p.step(node_reached{one});
  p.say(1, batch);
  REQUIRE(p.all<run_news>().size() == 1);
  CHECK(p.news<workers_back>()[0].workers == std::vector<worker_id>{worker_id{4}});
  for (std::uint32_t w = 0; w < 6; ++w)
    if (w != 1) {
      auto last = batch_of({});
      last.finished = {end_of(w)};
      p.say(w % 3, last);
    }
  p.step(time_passed{});
  CHECK(p.phase() == cluster_phase::over);
}

TEST_CASE(
    "follow_machine: a node that ended in good order is out of sight, and back when a new process reports") {
  probe p;
  auto batch = batch_of({report_of(1, 9)});
  batch.finished = {end_of(1), end_of(4)};
  p.say(1, batch);
  CHECK(p.news<worker_end>().size() == 2);
  p.step(node_hung_up{one, "closed"});
  REQUIRE(p.news<workers_gone>().size() == 1); // what comes after their last word is not known
  CHECK(p.news<workers_gone>()[0].workers == std::vector<worker_id>{worker_id{1}, worker_id{4}});
  p.pass(seconds{1}, {0, 2});
  p.step(node_reached{one});
  SUBCASE("a new one: it knows of no last words") {
    p.say(1, batch_of({report_of(1, 7)}));
    REQUIRE(p.news<workers_back>().size() == 1);
    CHECK(p.news<workers_back>()[0].workers == std::vector<worker_id>{worker_id{1}, worker_id{4}});
    CHECK(p.news<round_report>().size() == 1); // a round that its predecessor may have reported
    auto others = batch_of({});
    others.finished = {end_of(0), end_of(3)};
    p.say(0, others);
    others.finished = {end_of(2), end_of(5)};
    p.say(2, others);
    p.step(time_passed{});
    CHECK(p.phase() == cluster_phase::running); // it is waited for
    p.say(1, batch);
    CHECK(p.news<worker_end>().size() == 2);
    p.step(time_passed{});
    CHECK(p.phase() == cluster_phase::over);
  }
  SUBCASE("the same one: it says again that they have ended") {
    p.say(1, batch);
    CHECK(p.all<run_news>().empty());
  }
}

TEST_CASE("follow_machine: also who was replaced after an error counts again") {
  probe p;
  auto batch = batch_of({});
  batch.lost = {worker_id{1}};
  p.say(1, batch);
  p.step(node_hung_up{one, "reset"});
  p.pass(seconds{1}, {0, 2});
  p.step(node_reached{one});
  p.say(1, batch_of({}));
  REQUIRE(p.news<workers_back>().size() == 1);
  CHECK(p.news<workers_back>()[0].workers == std::vector<worker_id>{worker_id{1}, worker_id{4}});
}

TEST_CASE("follow_machine: reports that did not get through put their workers away for a moment") {
  probe p;
  auto batch = batch_of({report_of(0, 9)});
  batch.rounds_dropped = 8;
  p.say(0, batch);
  REQUIRE(p.all<run_news>().size() == 3);
  CHECK(std::holds_alternative<workers_gone>(p.all<run_news>()[0]));
  CHECK(std::holds_alternative<workers_back>(p.all<run_news>()[1]));
  CHECK(std::holds_alternative<round_report>(p.all<run_news>()[2]));
  batch.rounds = {report_of(0, 10)};
  p.say(0, batch);
  CHECK(p.all<run_news>().size() == 1);
  p.step(node_hung_up{node_at(0), "reset"});
  p.pass(seconds{1}, {1, 2});
  p.step(node_reached{node_at(0)});
  batch.rounds_dropped = 1; // counts from the new subscription
  p.say(0, batch);
  CHECK(p.status().rounds_dropped == 9);
}

TEST_CASE("follow_machine: evaluations come from the lead of the largest part, each once") {
  probe p;
  auto from_lead = batch_of({}, 4, 0);
  from_lead.evaluations = {evaluation{1.0}, evaluation{2.0}};
  p.say(0, from_lead);
  CHECK(p.news<evaluation>().size() == 2);
  p.say(0, from_lead);
  CHECK(p.news<evaluation>().empty());
  auto from_small_part = batch_of({}, 2, 2);
  from_small_part.evaluations = {evaluation{3.0}};
  p.say(2, from_small_part);
  CHECK(p.news<evaluation>().empty());
  CHECK(p.machine().result_candidates() == std::vector<node_index>{node_at(0), node_at(2), node_at(1)});
  p.step(node_hung_up{node_at(0), "reset"});
  CHECK(p.machine().result_candidates() == std::vector<node_index>{node_at(2), node_at(1)});
  p.say(2, from_small_part);
  CHECK(p.news<evaluation>().size() == 1);
}

TEST_CASE("follow_machine: the run is over when every worker has said its last word, each passed on once") {
  probe p;
  auto last = batch_of({});
  for (std::uint32_t w = 0; w < 6; ++w) {
    CHECK(p.phase() == cluster_phase::running);
    last.finished = {end_of(w)};
    p.say(w % 3, last);
    CHECK(p.news<worker_end>().size() == 1);
    p.say(w % 3, last);
    CHECK(p.news<worker_end>().empty());
  }
  p.step(time_passed{});
  CHECK(p.phase() == cluster_phase::over);
  CHECK(p.status().failure.empty());
  p.step(release_run{});
  CHECK(p.told<run_over>() == everybody);
  p.step(node_hung_up{one, "bye"});
  p.pass(seconds{5}, {});
  CHECK(p.all<call_node>().empty()); // nobody is called any more
}

TEST_CASE("follow_machine: in a network that fell apart each part is released by who measured it") {
  for (const auto here : {std::optional<node_index>{}, std::optional{node_at(2)}}) {
    CAPTURE(here.has_value());
    probe p{!here, here};
    if (here)
      p.all_reached();
    p.say(0, batch_of({}, 4, 0));
    p.say(1, batch_of({}, 4, 0));
    if (!here)
      p.say(2, batch_of({}, 2, 2));
    p.step(release_run{});
    // The launcher has the result of the largest part; node c has that of its own, which is itself.
    CHECK(p.told<run_over>() == (here ? std::vector<std::size_t>{} : std::vector<std::size_t>{0, 1}));
  }
  probe p;
  p.say(0, batch_of({}, 4, 0));
  p.say(1, batch_of({}, 2, 2)); // on whom nobody counts: node c follows node a itself
  p.say(2, batch_of({}, 4, 0));
  p.step(release_run{});
  CHECK(p.told<run_over>() == std::vector<std::size_t>{0, 1, 2});
}

TEST_CASE("follow_machine: a lost node is waited for while others work, and a little longer") {
  probe p;
  p.step(node_hung_up{one, "reset"});
  p.pass(seconds{60}, {0, 2});
  CHECK(p.phase() == cluster_phase::running);
  auto last = batch_of({});
  last.finished = {end_of(0), end_of(3)};
  p.say(0, last);
  last.finished = {end_of(2), end_of(5)};
  p.step(node_hung_up{one, "reset"});
  p.say(2, last);
  p.pass(milliseconds{100}, {0, 2});
  CHECK(p.phase() == cluster_phase::over);
  CHECK(p.status().exit_code == 0);
}

TEST_CASE("follow_machine: when no node answers any more the run is over for us, with code 4") {
  probe p;
  for (std::size_t i = 0; i < 3; ++i)
    p.step(node_hung_up{node_at(i), "reset"});
  p.pass(seconds{9}, {});
  CHECK(p.phase() == cluster_phase::running);
  p.pass(seconds{2}, {});
  CHECK(p.phase() == cluster_phase::over);
  CHECK(p.status().exit_code == 4);
  CHECK(mentions(p.status().failure, "no node of the run answers any more"));
}

TEST_CASE(
    "follow_machine: one that has left does not hasten the end, and an end that was none is taken back") {
  probe p;
  auto last = batch_of({});
  last.finished = {end_of(1), end_of(4)};
  last.left = "cannot write";
  p.say(1, last);
  for (std::size_t i = 0; i < 3; ++i)
    p.step(node_hung_up{node_at(i), "no route"});
  p.pass(seconds{9}, {});
  CHECK(p.phase() == cluster_phase::running);
  p.pass(seconds{2}, {});
  CHECK(p.phase() == cluster_phase::over);
  CHECK(p.status().exit_code == 4);
  p.step(node_reached{node_at(0)});
  p.say(0, batch_of({}));
  p.pass(milliseconds{100}, {0});
  CHECK(p.phase() == cluster_phase::running);
}

TEST_CASE("follow_machine: when all work is done and nobody is left to be asked for it, that is known, too") {
  probe p;
  for (std::uint32_t i = 0; i < 3; ++i) {
    auto last = batch_of({});
    last.finished = {end_of(i), end_of(i + 3)};
    if (i == 2)
      last.left = "cannot write"; // it answers, and measures nothing
    p.say(i, last);
  }
  p.pass(milliseconds{100}, {0, 1});
  CHECK(p.phase() == cluster_phase::over);
  for (const std::size_t i : {0, 1})
    p.step(node_hung_up{node_at(i), "reset"});
  p.pass(seconds{9}, {});
  CHECK_FALSE(p.status().deserted);
  p.pass(seconds{2}, {});
  CHECK(p.status().deserted);
  CHECK(p.status().exit_code == 4);
}

TEST_CASE("follow_machine: a stop reaches all nodes, also those that come back later") {
  probe p;
  p.step(node_hung_up{one, "reset"});
  p.step(stop_work{});
  CHECK(p.told<stop_request>() == nodes{0, 2});
  p.pass(seconds{1}, {0, 2});
  p.step(node_reached{one});
  CHECK(p.told<stop_request>() == nodes{1});
}

TEST_CASE("follow_machine: a node's failure is the run's, told once with its name") {
  probe p;
  auto batch = batch_of({});
  batch.failure = "the loss is no longer a number";
  p.say(1, batch);
  batch.failure = "something later";
  p.say(2, batch);
  CHECK(p.status().failure == "node b:7401: the loss is no longer a number");
  CHECK(p.status().exit_code == 1);
  CHECK(p.phase() == cluster_phase::running); // its workers still have to end
}

TEST_CASE("follow_machine: who follows a run calls the others, subscribes, and starts nothing") {
  probe p{false, one};
  CHECK(p.phase() == cluster_phase::running);
  CHECK(p.all<call_node>().size() == 2);
  p.step(node_reached{node_at(0)});
  CHECK(p.told<subscribe_request>() == nodes{0});
  CHECK(p.all<tell_node>().size() == 1);
  p.step(node_not_reached{node_at(2), "refused"});
  CHECK(p.news<workers_gone>().size() == 1);
  CHECK(p.status().reachable == std::vector<bool>{true, true, false});
  p.pass(seconds{5}, {0});
  CHECK(p.news<workers_gone>().empty());
  for (const auto& x : p.all<call_node>())
    CHECK(x.node == node_at(2));
}

TEST_CASE("follow_machine: why a node leaves the run is known, and the run goes on without it") {
  probe p;
  auto batch = batch_of({});
  batch.left = "the disk is full";
  p.say(1, batch);
  CHECK(p.status().failure.empty());
  CHECK(p.phase() == cluster_phase::running);
  CHECK(p.status().left == std::vector<std::string>{"", "the disk is full", ""});
  p.step(node_hung_up{one, "closed"});
  CHECK(p.status().left[1] == "the disk is full");
}

} // namespace dybw::test
