#include "learning/simulation/fault_injection.hpp"

#include "learning/graph/topology.hpp"

#include <doctest/doctest.h>

using namespace dybw;
using namespace std::chrono_literals;

namespace {

const auto a = worker_at(0);
const auto b = worker_at(1);
const auto c = worker_at(2);

struct fixture {
  static simulation_options options() {
    simulation_options o;
    auto path = std::make_shared<const topology>(make_topology("path", 3, 1));
    o.machine.policy = parse_policy("full", 1, worker_id{});
    o.machine.graph = std::move(path);
    o.step_time = [](worker_id, nanoseconds) { return nanoseconds{1s}; };
    o.latency = [](const link_use&, nanoseconds) { return nanoseconds{100ms}; };
    return o;
  }

  simulated_link& way(worker_id from, worker_id to) {
    return network.links[network.link_between(from, to)].way;
  }
  void begin_all() {
    for (auto& s : network.shells)
      s.machine->step(0s, start{});
  }
  /// Gives the giver's link to `b` up, as a simulation does.
  void restart_b(std::vector<worker_id> asked) {
    crash(network, {b, false});
    restart(network, {b, std::move(asked), 5s}, [this](simulated_shell& giver, std::size_t slot) {
      CHECK(slot == 0);
      giver.machine->step(network.now(), neighbour_lost{b});
      ++given_up;
    });
  }

  simulated_network network{options()};
  int given_up = 0;
};

} // namespace

TEST_CASE_FIXTURE(fixture,
                  "fault_injection: a crash ends a worker once, and loses what it sent if asked to") {
  network.post(network.link_between(b, a), {envelope::sign_of_life{}, {}});
  way(b, a).post({protocol_message{leaving{}}, {}});
  CHECK(crash(network, {b, true}));
  CHECK_FALSE(network.at(b).alive);
  CHECK(network.unfinished == 2);
  CHECK(way(b, a).messages_under_way() == 0);
  CHECK_FALSE(crash(network, {b, true}));
  CHECK(network.unfinished == 2);
}

TEST_CASE_FIXTURE(fixture,
                  "fault_injection: a hang moves the end of the step, hangs that overlap add up once") {
  auto& s = network.at(a);
  s.step_due = 1s;
  hang(network, {a, 4s});
  CHECK(s.frozen_until == 4s);
  CHECK(s.step_due == 5s);
  hang(network, {a, 6s});
  CHECK(s.frozen_until == 6s);
  CHECK(s.step_due == 7s);
}

TEST_CASE_FIXTURE(fixture,
                  "fault_injection: a stall moves the end of the step, but not what the shell does") {
  auto& s = network.at(a);
  s.step_due = 1s;
  s.ticket = 3;
  stall(network, {a, 4s, 2s});
  stall(network, {a, 3s, 2s}); // within the first
  CHECK(s.frozen_until == 0s);
  CHECK(s.stalled_until == 4s);
  CHECK(s.step_due == 5s);
  while (network.queue.next_at() == 0s) // the workers' starts
    network.queue.pop();
  CHECK(network.queue.next_at() == 2s);
  CHECK(network.queue.pop().what == occurrence::kind::stalled);
}

TEST_CASE_FIXTURE(fixture, "fault_injection: on waking the overdue check comes first, last or in its place") {
  using kind = occurrence::kind;
  auto& s = network.at(a);
  const auto order = [&](hang_fault::wake how) {
    s.wake_order = how;
    s.mail = {{kind::timer}, {kind::pulse}, {kind::step}};
    std::vector<kind> kinds;
    for (const auto& o : take_mail(network, s))
      kinds.push_back(o.what);
    return kinds;
  };
  CHECK(order(hang_fault::wake::check_first) == std::vector{kind::pulse, kind::timer, kind::step});
  CHECK(order(hang_fault::wake::in_due_order) == std::vector{kind::timer, kind::pulse, kind::step});
  CHECK(order(hang_fault::wake::check_last) == std::vector{kind::timer, kind::step, kind::pulse});
  s.frozen_until = 1s; // another hang
  CHECK(order(hang_fault::wake::check_first).empty());
  CHECK(s.mail.size() == 3);
}

TEST_CASE_FIXTURE(fixture,
                  "fault_injection: a cut goes both ways, and the first one stands until it is mended") {
  cut(network, {make_edge(a, b), cut_fault::kind::holds});
  cut(network, {make_edge(a, b), cut_fault::kind::loses});
  CHECK(way(a, b).cut() == cut_fault::kind::holds);
  CHECK(way(b, a).cut() == cut_fault::kind::holds);
  CHECK_FALSE(way(b, c).cut());
  const auto due = network.queue.size();
  network.post(network.link_between(a, b), {envelope::sign_of_life{}, {}});
  CHECK(network.queue.size() == due);
  mend(network, {make_edge(a, b)});
  CHECK_FALSE(way(a, b).cut());
  CHECK(network.queue.size() == due + 1);
}

TEST_CASE_FIXTURE(fixture,
                  "fault_injection: each end learns of a broken connection ahead of the new one's mail") {
  cut(network, {make_edge(a, b), cut_fault::kind::loses});
  mend(network, {make_edge(a, b)});
  for (auto* link : {&way(a, b), &way(b, a)})
    CHECK(std::holds_alternative<envelope::connection_broken>(link->take().content));
}

TEST_CASE_FIXTURE(fixture, "fault_injection: a worker is born again with what its neighbours tell it") {
  begin_all();
  restart_b({a, c});
  CHECK(given_up == 2);
  CHECK(network.unfinished == 3);
  CHECK(network.at(b).incarnation == 1);
  CHECK(way(a, b).cut() == cut_fault::kind::loses);
  CHECK(give_birth(network, network.at(b)) == round_number{0});
  CHECK(network.at(b).alive);
  CHECK(network.at(b).incarnation == 1);
  CHECK_FALSE(network.at(b).machine->facts().link_up(make_edge(a, b)));
  CHECK(network.at(b).detector.is_lost(0));
  CHECK_FALSE(give_birth(network, network.at(b)));
}

TEST_CASE_FIXTURE(fixture,
                  "fault_injection: without a welcome a worker stays away, and a crash calls a birth off") {
  begin_all();
  hang(network, {a, 1s});
  restart_b({a});
  CHECK(given_up == 0);
  CHECK(network.unfinished == 2);
  CHECK_FALSE(give_birth(network, network.at(b)));
  mend(network, {make_edge(b, c)});
  restart_b({c});
  CHECK(network.unfinished == 3);
  CHECK_FALSE(crash(network, {b, false}));
  CHECK(network.unfinished == 2);
  CHECK_FALSE(give_birth(network, network.at(b)));
}
