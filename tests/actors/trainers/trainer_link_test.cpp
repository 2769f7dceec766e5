#include "actors/trainers/trainer_link.hpp"
#include "messages/trainer_protocol.h"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dybw::test {

namespace {

/// A link and, on a thread of the test, the other side of its socket.
struct pair_of_sides {
  pair_of_sides() {
    std::array<int, 2> ends{};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    link.emplace(0, std::make_unique<trainer_socket>(ends[0]),
                 std::make_shared<trainer_process>("sleep 60", std::map<std::string, std::string>{},
                                                   "/dev/null", "/dev/null"));
    there = std::make_unique<trainer_socket>(ends[1]);
  }
  /// Through the opening of a conversation, with `count` parameters in one array.
  void open(std::uint64_t count) {
    there->send(DYBW_LAYOUT,
                trainer_body(std::uint32_t{DYBW_EVALUATES}, std::uint32_t{1}, std::string{"w"},
                             std::string{"float32"}, false, std::uint32_t{0}, std::uint32_t{1}, count));
    link->prepare([](std::uint64_t, std::span<const std::int32_t>) { return std::vector<std::uint32_t>{}; });
    link->share();
    CHECK(there->receive(-1).type == DYBW_SLOTS);
    there->send(DYBW_READY, trainer_body(std::string{"cpu"}));
    link->starting_values();
  }

  std::optional<trainer_link> link;
  std::unique_ptr<trainer_socket> there;
};

} // namespace

TEST_CASE("trainer_link: a step reads and writes in place where blocks are shared, by copies elsewhere") {
  pair_of_sides sides;
  sides.open(3);
  const auto& slots = sides.link->slots();
  std::vector<std::pair<std::uint32_t, std::uint32_t>> told;
  std::thread trainer{[&] {
    for (auto i = 0; i < 2; ++i) {
      std::uint64_t ticket = 0;
      std::uint64_t completed = 0;
      std::uint32_t in = 0;
      std::uint32_t out = 0;
      read_trainer_body(sides.there->receive(-1).body, ticket, completed, in, out);
      told.emplace_back(in, out);
      for (std::size_t k = 0; k < 3; ++k)
        slots->values(out)[k] = slots->values(in)[k] + 1;
      sides.there->send(DYBW_DONE, trainer_body(ticket, 0.25, std::uint64_t{7}));
    }
  }};
  const auto in = slots->acquire();
  const auto out = slots->acquire();
  std::ranges::fill(in->values(), 2.0F);
  const auto done = sides.link->step({{}, 5, nullptr}, in->values(), out->values());
  CHECK(done.loss == 0.25);
  CHECK(done.samples == 7);
  CHECK(out->values()[2] == 3);
  const std::vector<float> w{1, 2, 3};
  std::vector<float> next(3);
  sides.link->step({{}, 6, nullptr}, w, next);
  CHECK(next == std::vector<float>{2, 3, 4});
  trainer.join();
  CHECK(told[0] == std::pair{slots->slot_of(in->values()).value(), slots->slot_of(out->values()).value()});
  CHECK(told[1] == std::pair{shared_slots::for_w, shared_slots::for_next});
}

TEST_CASE("trainer_link: what is not finite moves nothing, and three times in a row is the end") {
  pair_of_sides sides;
  sides.open(3);
  std::thread trainer{[&] {
    // finite after two that are not: the count begins anew
    for (const auto finite : {false, false, true, false, false, false}) {
      std::uint64_t ticket = 0;
      std::uint64_t completed = 0;
      std::uint32_t in = 0;
      std::uint32_t out = 0;
      read_trainer_body(sides.there->receive(-1).body, ticket, completed, in, out);
      const auto to = sides.link->slots()->values(out);
      std::ranges::fill(to, 9.0F);
      if (!finite)
        to[1] = ticket % 2 == 0 ? std::numeric_limits<float>::infinity() : std::nanf("");
      sides.there->send(DYBW_DONE, trainer_body(ticket, 0.5, std::uint64_t{1}));
    }
  }};
  const std::vector<float> w{1, 2, 3};
  std::vector<float> next(3);
  for (const auto finite : {false, false, true, false, false}) {
    sides.link->step({}, w, next);
    CHECK(next == (finite ? std::vector<float>{9, 9, 9} : w));
  }
  CHECK_THROWS_WITH_AS(sides.link->step({}, w, next),
                       "its trainer's steps were not finite 3 times in a row, in w", learner_failed);
  CHECK(sides.link->has_failed());
  CHECK_THROWS_AS(sides.link->step({}, w, next), learner_failed);
  trainer.join();
}

TEST_CASE("trainer_link: bodies that are too long, too short or of another type are its trainer's end") {
  const auto ends_with = [](std::uint16_t type, const std::vector<char>& body) {
    pair_of_sides sides;
    sides.open(1);
    std::thread trainer{[&] {
      sides.there->receive(-1);
      sides.there->send(type, body);
    }};
    std::vector<float> next(1);
    std::string why;
    try {
      sides.link->step({}, std::vector<float>{1}, next);
    } catch (const learner_failed& failed) {
      why = failed.what();
    }
    trainer.join();
    return why;
  };
  CHECK(ends_with(DYBW_DONE, trainer_body(std::uint64_t{2}, 0.5, std::uint64_t{1}))
            .find("answers step 2, not 1") != std::string::npos);
  CHECK_FALSE(ends_with(DYBW_DONE, trainer_body(std::uint64_t{1})).empty());
  CHECK_FALSE(ends_with(DYBW_DONE, std::vector<char>(25)).empty());
  CHECK(ends_with(DYBW_READY, {}).find("message of type 8") != std::string::npos);
  CHECK_FALSE(ends_with(999, {}).empty());
  CHECK(ends_with(DYBW_FAILED, trainer_body(std::string{"ValueError"}, std::string{"no rows"},
                                            std::string{"train.py:31"}, std::string{"Traceback"})) ==
        "ValueError: no rows (train.py:31)");
}

} // namespace dybw::test
