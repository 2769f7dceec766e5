#include "actors/monitor/monitor_machine.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace dybw::test {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr run_id this_run = 42;

/// Four workers on a ring over two nodes, a:7400 and b:7401.
run_spec ring_spec(std::size_t self, run_id run = this_run) {
  run_spec spec;
  spec.run = run;
  spec.self = node_at(self);
  spec.name = "r" + std::to_string(run);
  spec.config.policies = {"full"};
  spec.nodes = {{"a", 7400}, {"b", 7401}};
  spec.placement = {node_at(0), node_at(1), node_at(0), node_at(1)};
  for (std::uint32_t i = 0; i < 4; ++i)
    spec.edges.push_back(make_edge(worker_id{i}, worker_id{(i + 1) % 4}));
  return spec;
}

metrics_reply metrics_of(std::size_t node, std::uint64_t rounds, run_id run = this_run) {
  metrics_reply reply;
  reply.run = run;
  reply.metrics.elapsed = milliseconds{100} * rounds;
  for (auto id : {node, node + 2}) {
    worker_metrics w;
    w.worker = worker_at(id);
    w.answers = true;
    w.rounds = w.round = w.local_steps = rounds;
    w.component = 4;
    reply.metrics.workers.push_back(w);
  }
  return reply;
}

constexpr run_id other_run = 77;

/// Another run, which b and a third node serve.
run_spec other_spec() {
  auto spec = ring_spec(0, other_run);
  spec.nodes = {{"b", 7401}, {"c", 7402}};
  return spec;
}

/// A monitor that was given node a, and what it asks of whom.
class probe {
public:
  probe() : machine_({"a", 7400}) { take(machine_.open(now_)); }

  void step(const monitor_event& e) { take(machine_.step(now_, e)); }
  void say(std::size_t node, control_message message) {
    step(node_said{node_at(node), std::make_shared<const control_message>(std::move(message))});
  }
  /// Time goes by; whoever is asked and `answers` does so at once.
  template <class Answers>
  void go_on(nanoseconds time, Answers answers) {
    for (auto passed = nanoseconds{0}; passed < time; passed += milliseconds{50}) {
      now_ += milliseconds{50};
      step(time_passed{});
      answer(answers);
    }
  }
  void go_on(nanoseconds time) {
    go_on(time, [](std::size_t) { return true; });
  }
  template <class Answers>
  void answer(Answers answers) {
    for (auto all = std::exchange(questions, {}); !all.empty(); all = std::exchange(questions, {}))
      for (const auto& [node, question] : all)
        if (++asked; answers(node)) {
          if (node == elsewhere && std::holds_alternative<describe_request>(*question))
            say(node, describe_reply{true, other_spec(), 10});
          else if (node == elsewhere)
            say(node, metrics_of(node, 5, other_run));
          else if (std::holds_alternative<describe_request>(*question))
            say(node, describe_reply{run != 0, ring_spec(node, run), 10});
          else
            say(node, run == 0 ? metrics_reply{} : metrics_of(node, ++rounds, run));
        }
  }
  void reach(std::size_t node) {
    std::erase(called, node);
    step(node_reached{node_at(node)});
  }
  /// Both nodes are known and answer.
  void attach() {
    reach(0);
    answer([](std::size_t) { return true; });
    reach(1);
    answer([](std::size_t) { return true; });
  }
  std::size_t questions_to(std::size_t node) const {
    return static_cast<std::size_t>(
        std::count_if(questions.begin(), questions.end(), [&](const auto& q) { return q.first == node; }));
  }
  run_view view() const { return machine_.view(now_); }
  void look(bool closely) { machine_.looked_at(closely); }

  run_id run = this_run;
  std::uint64_t rounds = 0;
  std::optional<std::size_t> elsewhere; ///< a node that serves another run
  std::size_t asked = 0;                ///< questions
  std::vector<std::size_t> called;
  std::vector<endpoint> addresses;
  std::vector<std::size_t> hung_up;
  std::vector<std::pair<std::size_t, std::shared_ptr<const control_message>>> questions;

private:
  void take(const std::vector<monitor_effect>& effects) {
    for (const auto& x : effects)
      std::visit([this](const auto& todo) { perform(todo); }, x);
  }
  void perform(const call_node& x) {
    called.push_back(index_of(x.node));
    addresses.push_back(x.to);
  }
  void perform(const tell_node& x) { questions.emplace_back(index_of(x.node), x.message); }
  void perform(const hang_up& x) { hung_up.push_back(index_of(x.node)); }

  nanoseconds now_{seconds{100}};
  monitor_machine machine_;
};

} // namespace

TEST_CASE("monitor_machine: finds the other nodes from the one it is given") {
  probe m;
  CHECK(m.called == std::vector<std::size_t>{0});
  CHECK(m.view().now == run_view::state::attaching);
  m.reach(0);
  CHECK(m.view().now == run_view::state::attaching); // until it has said what it does
  m.answer([](std::size_t) { return true; });
  CHECK(m.called == std::vector<std::size_t>{1});
  CHECK(m.addresses.back() == endpoint{"b", 7401});
  m.reach(1);
  m.go_on(seconds{1});
  const auto v = m.view();
  CHECK(v.now == run_view::state::running);
  CHECK(v.name == "r42");
  CHECK(v.nodes[1].address == "b:7401");
  for (const auto& w : v.workers)
    CHECK(w.standing == worker_standing::working);
}

TEST_CASE("monitor_machine: asks the next question only when the last is answered") {
  probe m;
  m.attach();
  m.go_on(seconds{4}, [](std::size_t node) { return node == 0; });
  CHECK(m.questions_to(1) == 0); // the probe drops what it does not answer
  CHECK(m.view().workers[1].standing == worker_standing::silent);
  CHECK(m.view().workers[0].standing == worker_standing::working);
  CHECK(m.hung_up.empty());
  m.go_on(seconds{2}, [](std::size_t node) { return node == 0; });
  CHECK(m.hung_up == std::vector<std::size_t>{1}); // no answer for five seconds
  m.go_on(seconds{2}, [](std::size_t node) { return node == 0; });
  CHECK(m.called == std::vector<std::size_t>{1});
  CHECK(m.view().workers[1].standing == worker_standing::lost);
}

TEST_CASE("monitor_machine: asks four times per second while somebody looks, and seldom otherwise") {
  probe m;
  m.attach();
  m.rounds = 0;
  m.go_on(seconds{4});
  CHECK(m.rounds >= 26);
  CHECK(m.rounds <= 34);
  m.look(false);
  m.go_on(seconds{1});
  m.rounds = 0;
  m.go_on(seconds{20});
  CHECK(m.rounds <= 10);
}

TEST_CASE("monitor_machine: survives the loss of the node it was given, and calls it again") {
  probe m;
  m.attach();
  m.step(node_hung_up{node_at(0), "closed"});
  m.go_on(milliseconds{500});
  CHECK(m.view().now == run_view::state::running);
  CHECK(m.view().workers[0].standing == worker_standing::lost);
  CHECK(m.view().workers[1].standing == worker_standing::working);
  m.go_on(seconds{1});
  CHECK(m.called == std::vector<std::size_t>{0});
  m.step(node_not_reached{node_at(0), "refused"});
  m.called.clear();
  m.go_on(milliseconds{1100});
  CHECK(m.called == std::vector<std::size_t>{0});
  m.reach(0);
  m.go_on(milliseconds{500});
  CHECK(m.view().workers[0].standing == worker_standing::working);
}

TEST_CASE("monitor_machine: a first node that cannot be reached is said with its reason") {
  probe m;
  m.step(node_not_reached{node_at(0), "nothing listens, at a:7400"});
  CHECK(m.view().now == run_view::state::attaching);
  CHECK(m.view().trouble == "nothing listens, at a:7400");
}

TEST_CASE("monitor_machine: a first node that hangs up before it has said what it does is lost until it is "
          "reached again") {
  probe m;
  m.reach(0);
  m.step(node_hung_up{node_at(0), "closed"});
  CHECK(m.view().now == run_view::state::lost);
  CHECK(m.view().trouble == "closed");
  m.go_on(milliseconds{1100});
  REQUIRE(m.called == std::vector<std::size_t>{0});
  CHECK(m.view().now == run_view::state::lost);
  m.reach(0);
  CHECK(m.view().now == run_view::state::attaching);
  CHECK(m.view().trouble.empty());
}

TEST_CASE("monitor_machine: without a run it is idle, asks once per second, and sees the run that begins") {
  probe m;
  m.run = 0;
  m.reach(0);
  m.answer([](std::size_t) { return true; });
  CHECK(m.view().now == run_view::state::idle);
  CHECK(m.view().trouble == "no run is going on at a:7400");
  m.go_on(seconds{3});
  m.run = this_run;
  m.go_on(seconds{2});
  CHECK(m.view().now == run_view::state::running);
}

TEST_CASE("monitor_machine: a run is over when its nodes have let go of it, and the next one follows") {
  probe m;
  m.attach();
  m.go_on(seconds{1});
  m.run = 0;
  m.go_on(seconds{1});
  CHECK(m.view().now == run_view::state::over);
  CHECK(m.view().name == "r42");
  m.run = 43;
  m.rounds = 0;
  m.go_on(seconds{3});
  CHECK(m.view().now == run_view::state::running);
  CHECK(m.view().name == "r43");
  CHECK(m.view().newest_round > 0);
}

TEST_CASE("monitor_machine: goes on to the next policy's run without a pause between them") {
  probe m;
  m.attach();
  m.go_on(seconds{1});
  m.run = 43;
  m.go_on(seconds{2});
  CHECK(m.view().name == "r43");
  CHECK(m.view().workers[1].standing == worker_standing::working);
}

TEST_CASE("monitor_machine: a node that was started again elsewhere is called there") {
  probe m;
  m.attach();
  m.step(node_hung_up{node_at(1), "closed"});
  auto moved = ring_spec(0);
  moved.nodes[1] = {"c", 7500};
  m.say(0, describe_reply{true, moved, 10});
  CHECK(m.addresses.back() == endpoint{"c", 7500});
  CHECK(m.view().nodes[1].address == "c:7500");
}

TEST_CASE("monitor_machine: a description that does not fit together is ignored") {
  for (const auto spoil :
       {+[](run_spec& s) { s.placement[0] = node_at(7); },
        +[](run_spec& s) {
          s.edges[0] = {worker_at(0), worker_at(9)};
        },
        +[](run_spec& s) { s.self = node_at(5); }, +[](run_spec& s) { s.config.policies.clear(); },
        +[](run_spec& s) { s.nodes.clear(); }}) {
    probe m;
    m.reach(0);
    auto spec = ring_spec(0);
    spoil(spec);
    m.say(0, describe_reply{true, spec, 10});
    CHECK(m.view().workers.empty());
    CHECK(m.called.empty());
  }
}

TEST_CASE("monitor_machine: the address it was given may be another name of a node") {
  probe m;
  m.reach(0);
  auto spec = ring_spec(1); // we call it a:7400, it calls itself the second, b:7401
  m.say(0, describe_reply{true, spec, 10});
  CHECK(m.addresses.back() == endpoint{"a", 7400}); // the first, a connection of its own
  m.say(0, metrics_of(1, 5));
  CHECK(m.view().workers[1].rounds == 5);
}

TEST_CASE("monitor_machine: a node that was started again and serves another run turns nobody's view away") {
  probe m;
  m.attach();
  m.go_on(seconds{2});
  const auto rounds = m.view().workers[0].rounds;
  const auto calls = m.addresses.size();
  m.elsewhere = 1;
  m.asked = 0;
  m.go_on(seconds{2});
  CHECK(m.view().name == "r42");
  CHECK(m.view().now == run_view::state::running);
  CHECK(m.view().workers[0].rounds > rounds);
  CHECK(m.addresses.size() == calls); // nobody new is called
  CHECK(m.asked > 8);
  CHECK(m.asked <= 2 * 10); // of two nodes, about four questions a second each
}

TEST_CASE("monitor_machine: the node that it was given takes it along to another run, also after a restart") {
  probe m;
  m.attach();
  m.go_on(seconds{1});
  m.say(0, metrics_of(0, 1, 77));
  m.say(0, describe_reply{true, ring_spec(0, 77), 10});
  CHECK(m.view().name == "r77");
}

TEST_CASE("monitor_machine: without that node the others lead on to the next run, once this one is over") {
  probe m;
  m.attach();
  m.go_on(seconds{1});
  m.step(node_hung_up{node_at(0), "closed"});
  m.run = 43;
  m.go_on(seconds{3}, [](std::size_t node) { return node == 1; });
  CHECK(m.view().name == "r43");
}

} // namespace dybw::test
