#include "actors/cluster/follow_machine.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace dybw::test {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr run_id this_run = 42;
constexpr auto one = node_index{1};

run_spec spec_of(std::size_t nodes, std::size_t workers) {
  run_spec spec;
  spec.run = this_run;
  for (std::size_t i = 0; i < nodes; ++i)
    spec.nodes.push_back({std::string(1, static_cast<char>('a' + i)), static_cast<std::uint16_t>(7400 + i)});
  for (std::size_t w = 0; w < workers; ++w)
    spec.placement.push_back(node_at(w % nodes));
  return spec;
}

prepare_run_reply ready() {
  prepare_run_reply reply;
  reply.parameters = 7850;
  reply.config_hash = 0xc0;
  reply.data_hash = 0xda;
  reply.training_samples = 60000;
  return reply;
}

round_report report_of(std::uint32_t worker, round_number round) {
  round_report report;
  report.mixed.worker = worker_id{worker};
  report.mixed.round = round;
  report.degree = 2;
  return report;
}

report_batch batch_of(std::vector<round_report> rounds, std::uint32_t component = 6, std::uint32_t lead = 0) {
  report_batch batch;
  batch.run = this_run;
  batch.rounds = std::move(rounds);
  batch.component = component;
  batch.lead = lead;
  return batch;
}

worker_end end_of(std::uint32_t worker) {
  worker_end end;
  end.totals.worker = worker_id{worker};
  return end;
}

/// Three nodes with two workers each: 0 and 3 on node a, 1 and 4 on node b, 2 and 5 on node c.
class probe {
public:
  explicit probe(bool launches = true, std::optional<node_index> here = {}) {
    machine_.emplace(follow_machine_options{spec_of(3, 6), launches, here});
    effects = machine_->open(now_);
  }

  void step(const follow_event& e) { effects = machine_->step(now_, e); }
  void say(std::size_t node, control_message message) {
    step(node_said{node_at(node), std::make_shared<const control_message>(std::move(message))});
  }
  template <class Message>
  void all_say(const Message& message) {
    for (std::size_t i = 0; i < 3; ++i)
      say(i, message);
  }
  void all_reached() {
    for (std::size_t i = 0; i < 3; ++i)
      step(node_reached{node_at(i)});
  }
  void begun() {
    all_reached();
    all_say(ready());
    all_say(connect_reply{});
    all_say(begin_reply{});
    CHECK(phase() == cluster_phase::running);
  }
  /// Time passes in small steps, and these nodes give signs of life; collects what came of it.
  void pass(nanoseconds time, const std::vector<std::size_t>& alive) {
    std::vector<follow_effect> all;
    const auto take = [&] { all.insert(all.end(), effects.begin(), effects.end()); };
    for (const auto until = now_ + time; now_ < until;) {
      now_ += milliseconds{100};
      for (auto i : alive) {
        say(i, batch_of({}));
        take();
      }
      step(time_passed{});
      take();
    }
    effects = std::move(all);
  }
  void leap(nanoseconds time) { now_ += time; }

  /// The effects of this kind, in order.
  template <class Effect>
  std::vector<Effect> all() const {
    std::vector<Effect> found;
    for (const auto& x : effects)
      if (const auto* y = std::get_if<Effect>(&x))
        found.push_back(*y);
    return found;
  }
  /// The nodes that were told this.
  template <class Message>
  std::vector<std::size_t> told() const {
    std::vector<std::size_t> nodes;
    for (const auto& x : all<tell_node>())
      if (std::holds_alternative<Message>(*x.message))
        nodes.push_back(index_of(x.node));
    return nodes;
  }
  template <class News>
  std::vector<News> news() const {
    std::vector<News> found;
    for (const auto& x : all<run_news>())
      if (const auto* y = std::get_if<News>(&x))
        found.push_back(*y);
    return found;
  }
  cluster_phase phase() const { return machine_->status().phase; }
  cluster_status status() const { return machine_->status(); }
  follow_machine& machine() { return *machine_; }

  std::vector<follow_effect> effects;

private:
  std::optional<follow_machine> machine_;
  nanoseconds now_{seconds{1}};
};

using nodes = std::vector<std::size_t>;
const nodes everybody{0, 1, 2};

bool mentions(const std::string& line, const std::string& part) {
  return line.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("follow_machine: a launch calls, prepares, links, subscribes and begins, each when all are ready") {
  probe p;
  CHECK(p.all<call_node>().size() == 3);
  CHECK(p.all<call_node>()[1].to == endpoint{"b", 7401});
  p.step(node_reached{node_at(0)});
  p.step(node_reached{node_at(2)});
  CHECK(p.effects.empty());
  CHECK(p.phase() == cluster_phase::connecting);
  CHECK(p.status().waiting_for == std::vector<std::string>{"node b:7401 to answer"});
  p.step(node_reached{node_at(1)});
  CHECK(p.told<prepare_run_request>() == everybody);
  for (const auto& x : p.all<tell_node>())
    CHECK(std::get<prepare_run_request>(*x.message).spec.self == x.node);

  CHECK(p.phase() == cluster_phase::preparing);
  p.say(2, ready());
  p.say(0, ready());
  CHECK(p.effects.empty());
  CHECK(p.status().waiting_for == std::vector<std::string>{"node b:7401 to load its data"});
  p.say(1, ready());
  CHECK(p.told<connect_request>() == everybody);
  CHECK(p.status().parameters == 7850);
  CHECK(p.status().training_samples == 60000);

  CHECK(p.phase() == cluster_phase::linking);
  p.all_say(connect_reply{});
  CHECK(p.told<subscribe_request>() == everybody);
  CHECK(p.told<begin_request>() == everybody);
  CHECK(std::holds_alternative<run_begins>(p.effects.front()));
  const auto kinds = p.all<tell_node>();
  CHECK(std::holds_alternative<subscribe_request>(*kinds[2].message)); // all before the first begin
  p.all_say(begin_reply{});
  CHECK(p.phase() == cluster_phase::running);
  CHECK(p.status().reachable == std::vector<bool>{true, true, true});
  CHECK(p.status().waiting_for.empty());
}

TEST_CASE("follow_machine: a node that cannot be reached fails the launch with its reason and code 4") {
  probe p;
  p.step(node_reached{node_at(0)});
  p.step(node_not_reached{one, "node b:7401 refuses connections; is dybw node running there?"});
  CHECK(p.phase() == cluster_phase::failed);
  CHECK(p.status().exit_code == 4);
  CHECK(p.status().failure == "node b:7401 refuses connections; is dybw node running there?");
  CHECK(p.all<hang_up>().size() == 2); // the one that answered, and the one still called
  p.step(node_reached{node_at(2)});
  CHECK(p.effects.empty());
}

TEST_CASE("follow_machine: a refusal names the node, keeps its exit code and makes every node let go") {
  probe p;
  p.all_reached();
  p.say(0, ready());
  prepare_run_reply refusal;
  refusal.refusal = "there are no files of mnist, --data is not given; start the node with --data DIR";
  refusal.exit_code = 3;
  p.say(1, refusal);
  CHECK(p.phase() == cluster_phase::failed);
  CHECK(p.status().exit_code == 3);
  CHECK(p.status().failure == "node b:7401: " + refusal.refusal);
  CHECK(p.told<abandon_request>() == everybody);
  CHECK(p.all<hang_up>().size() == 3);
  p.say(2, ready());
  CHECK(p.effects.empty());
}

TEST_CASE("follow_machine: nodes that differ are named, with how they differ") {
  const auto failure_with = [](prepare_run_reply odd) {
    probe p;
    p.all_reached();
    p.say(0, ready());
    p.say(1, ready());
    p.say(2, odd);
    CHECK(p.told<abandon_request>() == everybody);
    return p.status();
  };
  auto odd = ready();
  odd.data_hash = 0xdb;
  odd.training_samples = 50000;
  auto status = failure_with(odd);
  CHECK(status.exit_code == 2);
  CHECK(mentions(status.failure, "nodes a:7400 and c:7402 have different data (60000 training samples"));
  CHECK(mentions(status.failure, "and 50000"));

  odd = ready();
  odd.config_hash = 1;
  status = failure_with(odd);
  CHECK(status.exit_code == 2);
  CHECK(mentions(status.failure, "a:7400 and c:7402 understood the run differently"));

  odd = ready();
  odd.parameters = 7;
  status = failure_with(odd);
  CHECK(status.exit_code == 2);
  CHECK(mentions(status.failure, "7850 and 7 parameters"));
}

TEST_CASE("follow_machine: links that cannot be made fail the launch") {
  probe p;
  p.all_reached();
  p.all_say(ready());
  connect_reply refusal;
  refusal.refusal = "node b:7401 cannot be reached from here (connection refused); open its port";
  p.say(2, refusal);
  CHECK(p.status().exit_code == 4);
  CHECK(p.status().failure == "node c:7402: " + refusal.refusal);
  CHECK(p.told<abandon_request>() == everybody);
}

TEST_CASE("follow_machine: a node that is lost before the run begins fails the launch") {
  probe p;
  p.all_reached();
  p.say(0, ready());
  p.step(node_hung_up{one, "connection reset"});
  CHECK(p.status().exit_code == 4);
  CHECK(mentions(p.status().failure, "node b:7401 went away before the run began (connection reset)"));
  CHECK(p.told<abandon_request>() == nodes{0, 2});
}

TEST_CASE("follow_machine: each stage of a launch has its patience, loading the longest") {
  probe p;
  p.pass(seconds{9}, {});
  CHECK(p.phase() == cluster_phase::failed);
  CHECK(p.status().exit_code == 4);
  CHECK(mentions(p.status().failure, "for node a:7400 to answer"));

  probe loading;
  loading.all_reached();
  loading.say(0, ready());
  loading.pass(seconds{110}, everybody); // they answer, though they are not ready
  CHECK(loading.phase() == cluster_phase::preparing);
  loading.pass(seconds{20}, everybody);
  CHECK(loading.phase() == cluster_phase::failed);
  CHECK(mentions(loading.status().failure, "for node b:7401 to load its data"));
  CHECK(loading.told<abandon_request>() == everybody);

  probe dead;
  dead.all_reached();
  dead.pass(seconds{2}, everybody);
  CHECK(dead.told<node_status_request>().size() >= 3);
  dead.pass(seconds{9}, {0, 2});
  CHECK(dead.phase() == cluster_phase::failed);
  CHECK(dead.status().exit_code == 4);
  CHECK(mentions(dead.status().failure, "node b:7401 gave no sign of life for 8 s"));

  probe linking;
  linking.all_reached();
  linking.all_say(ready());
  linking.pass(seconds{9}, {});
  CHECK(linking.phase() == cluster_phase::failed);
}

TEST_CASE(
    "follow_machine: a stop before the run begins lets go of every node, with the code of an interrupt") {
  probe p;
  p.all_reached();
  p.step(stop_asked_for{});
  CHECK(p.phase() == cluster_phase::failed);
  CHECK(p.status().exit_code == 130);
  CHECK(p.told<abandon_request>() == everybody);
}

TEST_CASE("follow_machine: a node lost while the run begins is gone, and the run goes on") {
  probe p;
  p.all_reached();
  p.all_say(ready());
  p.all_say(connect_reply{});
  p.say(0, begin_reply{});
  p.say(1, batch_of({report_of(1, 1)})); // quicker than the third node's answer
  CHECK(p.news<round_report>().size() == 1);
  p.say(1, begin_reply{});
  p.step(node_hung_up{node_at(2), "connection reset"});
  CHECK(p.phase() == cluster_phase::running);
  REQUIRE(p.news<workers_gone>().size() == 1);
  CHECK(p.news<workers_gone>()[0].workers == std::vector<worker_id>{worker_id{2}, worker_id{5}});
}

TEST_CASE("follow_machine: a refusal to begin stops those that have begun") {
  probe p;
  p.all_reached();
  p.all_say(ready());
  p.all_say(connect_reply{});
  p.say(0, begin_reply{});
  p.say(1, begin_reply{"the run was abandoned"});
  CHECK(p.phase() == cluster_phase::failed);
  CHECK(p.told<stop_request>() == everybody);
  CHECK(p.told<abandon_request>() == everybody);
}

TEST_CASE("follow_machine: rounds pass once, in ascending order, whatever is told again after a reconnect") {
  probe p;
  p.begun();
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
  p.begun();
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
  p.begun();
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
  p.begun();
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
  p.begun();
  p.leap(seconds{60});
  p.step(time_passed{});
  CHECK(p.news<workers_gone>().empty());
  p.pass(seconds{4}, {});
  CHECK(p.news<workers_gone>().size() == 3);
}

TEST_CASE("follow_machine: a restarted node is called at the address that the others know") {
  probe p;
  p.begun();
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
  p.begun();
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
  p.begun();
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

TEST_CASE("follow_machine: reports that did not get through put their workers away for a moment") {
  probe p;
  p.begun();
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
  p.begun();
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
  p.begun();
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
  p.step(release_asked_for{});
  CHECK(p.told<run_over>() == everybody);
  p.step(node_hung_up{one, "bye"});
  p.pass(seconds{5}, {});
  CHECK(p.all<call_node>().empty()); // nobody is called any more
}

TEST_CASE("follow_machine: in a network that fell apart each part is released by who measured it") {
  for (const auto here : {std::optional<node_index>{}, std::optional{node_at(2)}}) {
    CAPTURE(here.has_value());
    probe p{!here, here};
    here ? p.all_reached() : p.begun();
    p.say(0, batch_of({}, 4, 0));
    p.say(1, batch_of({}, 4, 0));
    if (!here)
      p.say(2, batch_of({}, 2, 2));
    p.step(release_asked_for{});
    // The launcher has the result of the largest part; node c has that of its own, which is itself.
    CHECK(p.told<run_over>() == (here ? std::vector<std::size_t>{} : std::vector<std::size_t>{0, 1}));
  }
  probe p;
  p.begun();
  p.say(0, batch_of({}, 4, 0));
  p.say(1, batch_of({}, 2, 2)); // on whom nobody counts: node c follows node a itself
  p.say(2, batch_of({}, 4, 0));
  p.step(release_asked_for{});
  CHECK(p.told<run_over>() == std::vector<std::size_t>{0, 1, 2});
}

TEST_CASE("follow_machine: a lost node is waited for while others work, and a little longer") {
  probe p;
  p.begun();
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
  p.begun();
  for (std::size_t i = 0; i < 3; ++i)
    p.step(node_hung_up{node_at(i), "reset"});
  p.pass(seconds{9}, {});
  CHECK(p.phase() == cluster_phase::running);
  p.pass(seconds{2}, {});
  CHECK(p.phase() == cluster_phase::over);
  CHECK(p.status().exit_code == 4);
  CHECK(mentions(p.status().failure, "no node of the run answers any more"));
}

TEST_CASE("follow_machine: a stop reaches all nodes, also those that come back later") {
  probe p;
  p.begun();
  p.step(node_hung_up{one, "reset"});
  p.step(stop_asked_for{});
  CHECK(p.told<stop_request>() == nodes{0, 2});
  p.pass(seconds{1}, {0, 2});
  p.step(node_reached{one});
  CHECK(p.told<stop_request>() == nodes{1});
}

TEST_CASE("follow_machine: a node's failure is the run's, told once with its name") {
  probe p;
  p.begun();
  auto batch = batch_of({});
  batch.failure = "cannot write out/rounds.jsonl";
  p.say(1, batch);
  batch.failure = "something later";
  p.say(2, batch);
  CHECK(p.status().failure == "node b:7401: cannot write out/rounds.jsonl");
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

} // namespace dybw::test
