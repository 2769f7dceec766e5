#include "learning/consensus/policies/make_policy.hpp"

#include "learning/base/error.hpp"

#include <doctest/doctest.h>

using namespace dybw;

namespace {

std::string complaint(const std::string& text, std::size_t smallest_degree = 4) {
  try {
    parse_policy(text, smallest_degree, worker_at(2));
  } catch (const input_error& e) {
    CHECK(e.exit_code() == 2);
    return e.what();
  }
  return {};
}

} // namespace

TEST_CASE("policy: full waits for all, static for all but B, dtur for a threshold") {
  const auto make = [](const char* text) { return make_policy(parse_policy(text, 4, worker_id{})); };
  CHECK_FALSE(make("full")->quorum_is_met({1, 4, 3, 1}));
  CHECK(make("full")->quorum_is_met({1, 4, 4, 0}));
  CHECK_FALSE(make("static:1")->quorum_is_met({1, 4, 2, 2}));
  CHECK(make("static:1")->quorum_is_met({1, 4, 3, 1}));
  CHECK_FALSE(make("dtur")->quorum_is_met({1, 4, 4, 0}));
  CHECK(make("dtur")->closes_by_threshold());
  CHECK_FALSE(make("full")->closes_by_threshold());
}

TEST_CASE("policy: static waits for at least one neighbour") {
  const auto p = make_policy(parse_policy("static:3", 4, worker_id{}));
  CHECK_FALSE(p->quorum_is_met({1, 2, 0, 2}));
  CHECK(p->quorum_is_met({1, 2, 1, 1}));
}

TEST_CASE("policy: static does not wait for a straggler in place of a neighbour past the round") {
  const auto p = make_policy(parse_policy("static:1", 4, worker_id{}));
  CHECK(p->quorum_is_met({1, 4, 2, 1}));       // one past, one straggler
  CHECK_FALSE(p->quorum_is_met({1, 4, 1, 2})); // one past, two to come
}

TEST_CASE("policy: dtur mixes with the active degrees, local quorums with those of the graph") {
  CHECK(make_policy(parse_policy("dtur", 2, worker_id{}))->default_weights() == weight_rule::active);
  CHECK(make_policy(parse_policy("full", 2, worker_id{}))->default_weights() == weight_rule::graph);
  CHECK(make_policy(parse_policy("static:1", 2, worker_id{}))->default_weights() == weight_rule::graph);
}

TEST_CASE("policy: b_j = d_j - p_j after every round") {
  for (const auto* text : {"full", "static:1", "dtur"})
    CHECK(make_policy(parse_policy(text, 4, worker_id{}))->retune({7, 4, 3}) == 1);
}

TEST_CASE("policy: what is wrong is said in one line, with the worker that has too few neighbours") {
  CHECK(complaint("static:5").find("worker 2 has 4") != std::string::npos);
  CHECK(complaint("static:4") != "");
  CHECK(complaint("static:3") == "");
  CHECK(complaint("statik").find("--policy=statik") != std::string::npos);
  CHECK(complaint("static").find("static:B") != std::string::npos);
  CHECK(complaint("static:x").find("'x'") != std::string::npos);
  CHECK(complaint("static:-1") != "");
  CHECK(complaint("static:1:2") != "");
  CHECK(complaint("full:1") != "");
  CHECK(complaint("") != "");
}
