#include "actors/gateway/control_access.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

namespace {

constexpr run_id present = 7;
constexpr run_id earlier = 6;

peer_identity holder_of(peer_role role, const std::string& host) {
  peer_identity x;
  x.name = "n";
  x.roles = static_cast<std::uint8_t>(role);
  x.is_for = [host](const std::string& asked) { return asked == host; };
  return x;
}

const peer_identity at_a = holder_of(peer_role::node, "a");
const peer_identity at_b = holder_of(peer_role::node, "b");
const peer_identity launcher = holder_of(peer_role::launcher, "");

const std::vector<endpoint> only_a = {{"a", 1}};
const std::vector<node_index> placement = {node_index{0}};
const run_places here{present, node_index{0}, only_a, placement};
const past_run before{earlier, {{"b", 1}}};

bool may(const control_message& request, const peer_identity& who, const run_places* run,
         const past_run* past) {
  return refusal_of(request, who, run, past).empty();
}

} // namespace

TEST_CASE("control_access: a node stops and collects nothing of a run whose nodes are not known") {
  for (const run_id run : {run_id{0}, present, earlier}) {
    CAPTURE(run);
    CHECK_FALSE(may(stop_request{run}, at_a, nullptr, nullptr));
    CHECK_FALSE(may(result_request{run}, at_a, nullptr, nullptr));
    CHECK(may(stop_request{run}, launcher, nullptr, nullptr));
    CHECK(may(result_request{run}, launcher, nullptr, nullptr));
  }
  CHECK_FALSE(may(stop_request{present + 1}, at_a, &here, &before));
  CHECK_FALSE(may(result_request{present + 1}, at_a, &here, &before));
  CHECK_FALSE(may(stop_request{0}, at_b, nullptr, &before)); // the next one may be under way
}

TEST_CASE("control_access: the nodes of a run stop and collect it, also when it is over") {
  CHECK(may(stop_request{0}, at_a, &here, &before));
  CHECK(may(stop_request{present}, at_a, &here, &before));
  CHECK(may(result_request{present}, at_a, &here, &before));
  CHECK_FALSE(may(stop_request{0}, at_b, &here, &before));
  CHECK_FALSE(may(result_request{present}, at_b, &here, &before));
  for (const auto* run : {static_cast<const run_places*>(nullptr), &here}) {
    CHECK(may(result_request{earlier}, at_b, run, &before));
    CHECK_FALSE(may(result_request{earlier}, at_a, run, &before));
  }
}

} // namespace dybw::test
