#include "actors/node/run_loader.hpp"
#include "tests/actors/support/small_table.hpp"
#include "tests/actors/support/test_system.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

namespace {

run_loader_client_actor::behavior_type remembering(run_loader_client_actor::pointer, run_prepared* last) {
  return {[last](const run_prepared& x) { *last = x; }};
}

/// What comes of a run that goes on from checkpoints which this node does not have.
run_prepared prepared(
    run_start how, const std::function<void(run_config&)>& change = [](run_config&) {}) {
  const temporary_directory place;
  preparation what;
  what.how = how;
  what.data = write_table(place);
  auto& spec = what.spec;
  spec.run = 9;
  spec.config = table_config(place);
  spec.config.workers = 2;
  spec.config.topology = "path";
  spec.config.policies = {"full"};
  change(spec.config);
  spec.edges = {edge{worker_at(0), worker_at(1)}};
  spec.nodes = {{"here", 1}};
  spec.placement = {node_at(0), node_at(0)};
  spec.name = "evening";
  spec.resume = "morning";
  node_writer files;
  files.open = [&](const run_spec&, run_start) {
    run_place there;
    there.resume = place.path() / "checkpoints";
    return there;
  };
  test_system system;
  run_prepared last;
  const auto client = system.spawn(remembering, &last);
  const auto loader = system.spawn(run_loader, client, files);
  system.tell(loader, std::make_shared<const preparation>(what));
  REQUIRE(last.run == 9);
  return last;
}

} // namespace

TEST_CASE("run_loader: who joins a run needs no checkpoints, who goes on with one does") {
  const auto joined = prepared(run_start::joined);
  CHECK(joined.reply.refusal == "");
  CHECK(joined.inputs);
  CHECK(joined.resumed.empty());
  CHECK(prepared(run_start::resumed).reply.refusal != "");
}

TEST_CASE("run_loader: a launcher cannot have a command run here") {
  const auto asked = prepared(run_start::joined, [](run_config& c) { c.trainer = "true"; });
  CHECK(asked.reply.refusal ==
        "it offers no trainer \"true\", it offers none; start it with --trainer true=COMMAND");
  CHECK_FALSE(asked.inputs);
  for (const auto& change : std::vector<std::function<void(run_config&)>>{
           [](run_config& c) { c.own_learner = true; }, [](run_config& c) { c.attach = "/tmp/socket"; }})
    CHECK(prepared(run_start::joined, change).reply.refusal.find("has a model that is not built in") !=
          std::string::npos);
}

} // namespace dybw::test
