#include "learning/consensus/record/event_replay.hpp"

#include "learning/base/random.hpp"
#include "learning/graph/topology.hpp"
#include "learning/simulation/network_simulation.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>

using namespace dybw;
using namespace std::chrono_literals;

namespace {

class recorder final : public simulation_observer {
public:
  explicit recorder(machine_options machine) : machine_(std::move(machine)) {}
  void stepped(nanoseconds now, worker_id id, const event& e, const std::vector<effect>& effects) override {
    std::string line;
    if (std::holds_alternative<start>(e)) {
      machine_.self = id;
      append_new_worker(line, now, machine_);
      lines.push_back(line.substr(0, line.size() - 1));
      line.clear();
    }
    append_event(line, now, id, e, effects);
    REQUIRE(line.back() == '\n');
    lines.push_back(line.substr(0, line.size() - 1));
  }
  std::vector<std::string> lines;

private:
  machine_options machine_;
};

machine_options machine_of(const std::string& policy) {
  machine_options o;
  auto graph = std::make_shared<const topology>(make_topology("circulant:1,2", 8, 1));
  o.policy = parse_policy(policy, graph->smallest_degree(), worker_id{});
  o.graph = std::move(graph);
  o.last_round = 60;
  return o;
}

/// A run in which links break, hang and heal, so that every kind of event happens.
std::vector<std::string> eventful_run(const std::string& policy) {
  simulation_options o;
  o.machine = machine_of(policy);
  o.suspect_after = 3s;
  auto generator = make_generator(7, random_stream::straggler, 0);
  o.step_time = [&](worker_id, nanoseconds) {
    return from_seconds(0.5 + static_cast<double>(generator() % 1000) / 1000);
  };
  o.latency = [&](const link_use&, nanoseconds) {
    return from_seconds(static_cast<double>(generator() % 1000) / 10'000);
  };
  recorder observer{o.machine};
  network_simulation sim{o, nullptr, &observer};
  const auto link = make_edge(worker_id{2}, worker_id{3});
  sim.schedule(5s, crash_fault{worker_id{5}, false});
  sim.schedule(6s, suspicion_fault{worker_id{4}, worker_id{5}, neighbour_lost::cause::crashed});
  sim.schedule(10s, cut_fault{link, cut_fault::kind::loses});
  sim.schedule(18s, mend_fault{link});
  sim.schedule(20s, hang_fault{worker_id{1}, 6s});
  sim.schedule(40s, stop_fault{worker_id{7}});
  CHECK(sim.run(1h));
  return observer.lines;
}

} // namespace

TEST_CASE("event_replay: machines that are told the same do the same, whatever happened to them") {
  std::string all;
  for (const auto* policy : {"full", "static:1", "dtur", "hop:1:2", "barrier", "adpsgd", "adaptive"}) {
    CAPTURE(policy);
    const auto lines = eventful_run(policy);
    event_replay again{machine_of(policy)};
    std::size_t rounds = 0;
    for (const auto& line : lines) {
      const auto differs = again.take(line);
      if (differs)
        FAIL_CHECK(line, "\n replayed: ", differs->replayed);
      rounds += again.ended() != nullptr ? 1 : 0;
      all += line + '\n';
    }
    CHECK(again.events() + 8 == lines.size());
    CHECK(again.workers_seen() == 8);
    CHECK(rounds > 100);
  }
  for (const auto* word :
       {" start |",   " step ",        " timer |",  " lost ",     " crashed |", " silent |",
        " heard ",    " stop |",       " paused |", " bare",      " closed ",   " threshold ",
        ":down",      ":up",           " offer ",   " answer ",   " refused ",  " leaving",
        "absorb own", "absorb theirs", "edge-lost", " departed ", "take "})
    CHECK_MESSAGE(all.find(word) != std::string::npos, word);
}

TEST_CASE("event_replay: what is read is what was written") {
  const std::vector<event> events{
      start{},
      step_done{7},
      step_done{8, 0.0625},
      step_done{8, 0.0625, 3.5},
      step_done{8, 0, 1.0 / 3},
      step_done{8, 0, 0, 16},
      step_done{8, 0.0625, 3.5, 16},
      timer_expired{},
      paused{},
      stop_requested{},
      step_stalled{},
      step_resumed{},
      neighbour_heard{worker_id{3}},
      neighbour_lost{worker_id{4}, neighbour_lost::cause::crashed},
      neighbour_lost{worker_id{4}, neighbour_lost::cause::silent},
      message_received{worker_id{1}, estimate{5, true}},
      message_received{worker_id{1}, estimate{5, false}},
      message_received{worker_id{1}, estimate{5, true, 12345678901234567890U}},
      message_received{worker_id{1}, estimate{5, false, 123456}},
      message_received{worker_id{1}, accept{~round_number{0}}},
      message_received{worker_id{1}, closed{6, 3}},
      message_received{worker_id{1}, threshold{12, 4, 9, edge{worker_id{2}, worker_id{6}}}},
      message_received{worker_id{1}, threshold{12, 4, 9, std::nullopt}},
      message_received{worker_id{1},
                       threshold{12, 4, 9, std::nullopt,
                                 std::make_shared<const covered_edges>(covered_edges{
                                     std::make_shared<const std::vector<edge>>(std::vector{
                                         edge{worker_id{1}, worker_id{2}}, edge{worker_id{2}, worker_id{6}}}),
                                     {0b11}})}},
      message_received{worker_id{1}, leaving{}},
      message_received{worker_id{1}, membership_news{std::make_shared<const std::vector<fact>>(
                                         std::vector<fact>{{worker_id{2}, worker_id{2}, 3, false},
                                                           {worker_id{2}, worker_id{5}, 1, true},
                                                           {worker_id{3}, worker_id{3}, 2, true, true}})}},
      message_received{worker_id{1}, membership_news{std::make_shared<const std::vector<fact>>()}},
      message_received{worker_id{1}, offer{3, 8, 0.1, {1, 2}}},
      message_received{worker_id{1}, answer{8, true, -1e-300, {3, 4}}},
      message_received{worker_id{1}, answer{8, false, 1.0 / 3, {3, 4}}},
      message_received{worker_id{1}, offer{3, 8, 0.1, {1, 2}, 123456}},
      message_received{worker_id{1}, answer{8, true, -1e-300, {3, 4}, 123456}},
  };
  for (const auto& e : events) {
    std::string line;
    append_event(line, 12345ns, worker_id{9}, e, {});
    line.pop_back();
    CAPTURE(line);
    const auto read = parse_event_line(line);
    REQUIRE(read);
    CHECK(read->at == 12345ns);
    CHECK(read->worker == worker_id{9});
    REQUIRE(read->what);
    CHECK(read->what->index() == e.index());
    std::string again;
    append_event(again, read->at, read->worker, *read->what, {});
    CHECK(again == line + "\n");
    if (const auto* done = std::get_if<step_done>(&e))
      CHECK(std::get<step_done>(*read->what).gradients == done->gradients);
    CHECK_FALSE(parse_event_line(line.substr(0, line.size() - 3)));
  }
}

TEST_CASE("event_replay: logs from before workers minded how far apart they are can be read") {
  const auto read = parse_event_line("5 3 step 8 0.25 | ");
  REQUIRE(read);
  REQUIRE(read->what);
  const auto& e = std::get<step_done>(*read->what);
  CHECK(e.ticket == 8);
  CHECK(e.mixing_price == 0.25);
  CHECK(e.strides_apart == 0);
}

TEST_CASE("event_replay: another effect is found, and where") {
  auto lines = eventful_run("dtur");
  event_replay again{machine_of("dtur")};
  const auto changed = lines.size() / 2;
  lines[changed] += "; send 0 leaving";
  for (std::size_t i = 0; i < changed; ++i)
    REQUIRE_FALSE(again.take(lines[i]));
  const auto differs = again.take(lines[changed]);
  REQUIRE(differs);
  CHECK(differs->recorded.ends_with("send 0 leaving"));
  CHECK_FALSE(differs->replayed.ends_with("send 0 leaving"));

  event_replay otherwise{machine_of("full")};
  auto different = false;
  for (const auto& line : eventful_run("dtur"))
    different = different || otherwise.take(line).has_value();
  CHECK(different);
}

TEST_CASE("event_replay: a line that is no event of the run is refused, and said why") {
  const auto why = [](std::vector<std::string> lines) {
    event_replay again{machine_of("full")};
    std::string said;
    try {
      for (const auto& line : lines)
        again.take(line);
    } catch (const std::invalid_argument& e) {
      said = e.what();
    }
    return said;
  };
  const std::string born = "0 3 new 0 | ";
  CHECK(why({born, "0 3 start | compute 1"}).empty());
  for (const auto* line : {"",
                           "|",
                           " | ",
                           "0 3 start",
                           "0 3 jump | ",
                           "x 3 start | ",
                           "-1 3 start | ",
                           "0 3 step | ",
                           "0 3 step x | ",
                           "0 3 step 1 2 3 4 5 | ",
                           "0 3 step 1 x | ",
                           "0 3 from 2 | ",
                           "0 3 from 2 estimate | ",
                           "0 3 from 2 estimate 1 clothed | ",
                           "0 3 from 2 membership 1-2:3 | ",
                           "0 3 from 2 membership 1:3:up | ",
                           "0 3 from 2 threshold 1 2 3 4 | ",
                           "0 3 lost 2 happy | ",
                           "0 99999999999 start | ",
                           "0 3 from 2 closed 1 99999999999 | ",
                           "0 3 from 2 offer 1 2 nan 0 0 | "})
    CHECK_MESSAGE(why({born, line}) == "is no event", line);
  CHECK(why({"0 8 new 0 | "}) == "names worker 8, which the run has not");
  CHECK(why({"0 3 start | "}) == "is of worker 3, which is not there yet");
  CHECK(why({born, "5 3 start | ", "4 3 step 1 | "}) == "goes back in time");
  CHECK(why({born, "0 3 start | ", "0 3 heard 7 | "}) == "names worker 7, which is no neighbour of 3");
}
