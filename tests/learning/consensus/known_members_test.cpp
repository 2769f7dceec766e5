#include "learning/consensus/known_members.hpp"

#include "tests/learning/consensus/worker_probe.hpp"

#include <doctest/doctest.h>

using namespace dybw;
using namespace dybw::test;

namespace {

const auto self = worker_at(1);
const auto left = worker_at(0);
const auto right = worker_at(2);

struct fixture {
  std::shared_ptr<const topology> graph = path_of_three();
  known_parts parts{graph, nullptr};
  known_members members{*graph, self, parts};
};

} // namespace

TEST_CASE_FIXTURE(fixture, "known_members: everybody is up until something else is said") {
  CHECK(members.facts().empty());
  CHECK(members.usable(left));
  CHECK(members.component() == 3);
  CHECK(members.lowest() == left);
}

TEST_CASE_FIXTURE(fixture, "known_members: of facts only those come back that are of the graph and news") {
  const auto down = link_fact(0, 1, 1, false);
  CHECK(members.learn({down, link_fact(0, 2, 1, false), worker_fact(7, 1, false)}) == std::vector{down});
  CHECK(members.learn({down}).empty());
  CHECK_FALSE(members.usable(left));
}

TEST_CASE_FIXTURE(fixture, "known_members: it finds the part of the network that the facts leave it in") {
  members.learn({worker_fact(0, 1, false)});
  const auto changed = members.look_at_part();
  CHECK(changed.generation == members.facts().generation());
  CHECK(changed.component == 2);
  CHECK(changed.lowest == self);
  CHECK(members.link_up(left)); // only its end is down
  CHECK_FALSE(members.usable(left));
}

TEST_CASE_FIXTURE(fixture, "known_members: its word on a neighbour is one fact, once") {
  CHECK(members.word_of_return(left).empty());
  const auto loss = members.word_of_loss(left, false);
  CHECK(loss == std::vector{link_fact(0, 1, 1, false)});
  members.learn(loss);
  CHECK(members.word_of_loss(left, false).empty());
  CHECK(members.word_of_return(left) == std::vector{link_fact(0, 1, 2, true)});
  const auto crash = members.word_of_loss(right, true);
  CHECK(crash == std::vector{worker_fact(2, 1, false)});
  members.learn(crash);
  CHECK(members.word_of_loss(right, true).empty());
}

TEST_CASE_FIXTURE(fixture, "known_members: a word of its own is added to the news unless it is known") {
  std::vector<fact> news;
  members.say(worker_fact(1, 1, true), news);
  members.say(worker_fact(1, 1, true), news);
  CHECK(news == std::vector{worker_fact(1, 1, true)});
}

TEST_CASE_FIXTURE(fixture, "known_members: a joiner has every link down and contradicts that it is") {
  members.take_over({worker_fact(1, 3, false), link_fact(0, 1, 1, false), link_fact(0, 5, 1, false)});
  CHECK(members.facts().facts() ==
        std::vector{link_fact(0, 1, 1, false), worker_fact(1, 4, true), link_fact(1, 2, 1, false)});
  CHECK(members.component() == 1);
  CHECK(members.lowest() == self);
}
