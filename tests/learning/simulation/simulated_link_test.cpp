#include "learning/simulation/simulated_link.hpp"

#include <doctest/doctest.h>

using namespace dybw;
using namespace std::chrono_literals;

namespace {

envelope message(round_number round) {
  return {protocol_message{estimate{round}}, {}};
}

round_number round_of(const envelope& e) {
  return std::get<estimate>(std::get<protocol_message>(e.content)).round;
}

} // namespace

TEST_CASE("simulated_link: messages come out in the order sent, and do not overtake each other") {
  envelope_pool pool;
  simulated_link link{pool};
  CHECK(link.post(message(1)));
  CHECK(link.arrival(1s, 5s) == 6s);
  CHECK(link.post(message(2)));
  CHECK(link.arrival(2s, 0s) == 6s);
  CHECK(link.post(message(3)));
  CHECK(link.arrival(3s, 4s) == 7s);
  for (round_number round = 1; round <= 3; ++round)
    CHECK(round_of(link.take()) == round);
}

TEST_CASE("simulated_link: it counts the protocol's messages under way, and the blocks that they carry") {
  envelope_pool pool;
  simulated_link link{pool};
  link.post({envelope::sign_of_life{}, {}});
  link.post({protocol_message{estimate{1, false}}, {}});
  link.post({protocol_message{offer{}}, {}});
  link.post({protocol_message{answer{1, false}}, {}});
  CHECK(link.messages_under_way() == 3);
  CHECK(link.blocks_under_way() == 1);
  for (auto i = 0; i < 3; ++i)
    link.take();
  CHECK(link.messages_under_way() == 1);
  CHECK(link.blocks_under_way() == 0);
}

TEST_CASE("simulated_link: one that holds gives everything after the mending") {
  envelope_pool pool;
  simulated_link link{pool};
  link.post(message(1));
  link.cut_off(cut_fault::kind::holds);
  CHECK_FALSE(link.brings(link.connection())); // what was under way comes due
  CHECK_FALSE(link.post(message(2)));
  CHECK(link.mend() == 2);
  CHECK_FALSE(link.cut());
  CHECK(link.brings(link.connection()));
  CHECK(round_of(link.take()) == 1);
  CHECK(round_of(link.take()) == 2);
  CHECK(link.mend() == 0);
}

TEST_CASE("simulated_link: one that loses forgets what is under way, and deliveries of before are void") {
  envelope_pool pool;
  simulated_link link{pool};
  const auto before = link.connection();
  link.post(message(1));
  link.cut_off(cut_fault::kind::loses);
  CHECK_FALSE(link.post(message(2)));
  CHECK(link.messages_under_way() == 0);
  CHECK(link.mend() == 0);
  CHECK_FALSE(link.brings(before));
  CHECK(link.post(message(3)));
  CHECK(link.brings(link.connection()));
  CHECK(round_of(link.take()) == 3);
}

TEST_CASE("simulated_link: links of one pool keep their messages apart, and places are used again") {
  envelope_pool pool;
  simulated_link one{pool};
  simulated_link other{pool};
  for (round_number round = 1; round <= 3; ++round) {
    one.post(message(round));
    other.post(message(10 + round));
  }
  CHECK(round_of(one.take()) == 1);
  one.post(message(4));
  other.lose_under_way();
  other.post(message(20));
  for (round_number round = 2; round <= 4; ++round)
    CHECK(round_of(one.take()) == round);
  CHECK(round_of(other.take()) == 20);
  CHECK(other.messages_under_way() == 0);
  CHECK(pool.size() == 6); // what was under way at once, at most
}
