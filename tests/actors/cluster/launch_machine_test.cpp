#include "actors/cluster/launch_machine.hpp"
#include "tests/actors/cluster/machine_probe.hpp"

namespace dybw::test {

namespace {

using std::chrono::seconds;

constexpr auto one = node_index{1};

prepare_run_reply ready() {
  prepare_run_reply reply;
  reply.parameters = 7850;
  reply.config_hash = 0xc0;
  reply.data_hash = 0xda;
  reply.training_samples = 60000;
  return reply;
}

struct probe : machine_probe<launch_machine, launch_event, launch_effect> {
  probe() : machine_probe(three_nodes()) {}
};

} // namespace

TEST_CASE("launch_machine: a launch calls, prepares, links and begins, each when all are ready") {
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
  CHECK(p.told<begin_request>() == everybody);
  CHECK(
      std::holds_alternative<run_begins>(p.effects.front())); // who follows subscribes before the first begin
  p.all_say(begin_reply{});
  CHECK(p.phase() == cluster_phase::running);
  CHECK(p.status().reachable == std::vector<bool>{true, true, true});
  CHECK(p.status().waiting_for.empty());
}

TEST_CASE("launch_machine: a node that cannot be reached fails the launch with its reason and code 4") {
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

TEST_CASE("launch_machine: a refusal names the node, keeps its exit code and makes every node let go") {
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

TEST_CASE("launch_machine: nodes that differ are named, with how they differ") {
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
  CHECK(mentions(status.failure,
                 "nodes a:7400 and c:7402 have different data or step times (60000 training samples"));
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

  odd = ready();
  odd.arrays = {{"w", "float32", false, 0, {7850}}};
  odd.data_hash = 1; // follows from them
  status = failure_with(odd);
  CHECK(status.exit_code == 2);
  CHECK(mentions(status.failure,
                 "those of node a:7400 here and those of node c:7402 there: w is missing here"));
}

TEST_CASE("launch_machine: trainers start as long as they like, as long as their nodes answer") {
  auto spec = three_nodes();
  spec.config.trainer = "resnet";
  machine_probe<launch_machine, launch_event, launch_effect> p{spec};
  p.all_reached();
  p.say(0, ready());
  p.pass(seconds{3600}, everybody);
  CHECK(p.phase() == cluster_phase::preparing);
  CHECK(p.status().waiting_for.front() == "node b:7401 to start its trainers");
  p.pass(seconds{9}, {0, 2});
  CHECK(p.phase() == cluster_phase::failed);
}

TEST_CASE("launch_machine: where starting values travel first, linking may take as long as they do") {
  auto spec = three_nodes();
  spec.config.trainer = "resnet";
  machine_probe<launch_machine, launch_event, launch_effect> p{spec};
  p.all_reached();
  auto large = ready();
  large.parameters = 10'000'000;
  p.all_say(large);
  p.pass(seconds{200}, everybody); // they are asked, so that none thinks the launcher gone
  CHECK(p.told<node_status_request>().size() >= 3);
  CHECK(p.phase() == cluster_phase::linking);
  p.pass(seconds{70}, everybody);
  CHECK(p.phase() == cluster_phase::failed);
}

TEST_CASE("launch_machine: links that cannot be made fail the launch") {
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

TEST_CASE("launch_machine: a node that is lost before the run begins fails the launch") {
  probe p;
  p.all_reached();
  p.say(0, ready());
  p.step(node_hung_up{one, "connection reset"});
  CHECK(p.status().exit_code == 4);
  CHECK(mentions(p.status().failure, "node b:7401 went away before the run began (connection reset)"));
  CHECK(p.told<abandon_request>() == nodes{0, 2});
}

TEST_CASE("launch_machine: each stage of a launch has its patience, loading the longest") {
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
    "launch_machine: a stop before the run begins lets go of every node, with the code of an interrupt") {
  probe p;
  p.all_reached();
  p.step(stop_work{});
  CHECK(p.phase() == cluster_phase::failed);
  CHECK(p.status().exit_code == 130);
  CHECK(p.told<abandon_request>() == everybody);
}

TEST_CASE("launch_machine: a refusal to begin stops those that have begun") {
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

TEST_CASE("launch_machine: a node lost while the run begins is not waited for") {
  probe p;
  p.all_reached();
  p.all_say(ready());
  p.all_say(connect_reply{});
  p.say(0, begin_reply{});
  p.say(1, begin_reply{});
  p.step(node_hung_up{node_at(2), "connection reset"});
  CHECK(p.machine().has_begun());
  CHECK(p.status().reachable == std::vector<bool>{true, true, false});
}

TEST_CASE("launch_machine: once the run begins a stop is no end of the launch, a release is") {
  probe p;
  p.all_reached();
  p.all_say(ready());
  p.all_say(connect_reply{});
  p.step(stop_work{});
  CHECK(p.effects.empty());
  CHECK(p.phase() == cluster_phase::linking);
  p.step(release_run{});
  CHECK(p.machine().has_failed());
  CHECK(p.status().exit_code == 130);
  CHECK(p.told<stop_request>() == everybody);
  CHECK(p.told<abandon_request>() == everybody);
}

} // namespace dybw::test
