#include "learning/consensus/policies/adaptive_policy.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace {

using namespace dybw;

struct world {
  adaptive_policy policy;
  std::vector<worker_id> neighbours;
  random_generator generator{1};

  explicit world(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i)
      neighbours.push_back(worker_id{3 * i});
  }
  std::vector<worker_id> choose(double price, double strides_apart = 0) {
    std::vector<worker_id> chosen;
    policy.choose(neighbours, {price, strides_apart, 1, neighbours.size()}, generator, chosen);
    return chosen;
  }
};

} // namespace

TEST_CASE("adaptive: where averaging costs nothing, all neighbours are averaged with after every step") {
  world w{5};
  for (int step = 0; step < 40; ++step) {
    CHECK(w.choose(0) == w.neighbours);
    for (std::size_t i = 0; i < 2 * w.neighbours.size(); ++i)
      w.policy.averaged();
  }
}

TEST_CASE(
    "adaptive: averaging costs its share of what steps cost, whoever offers, and neighbours take turns") {
  for (const double price : {0.02, 0.08, 0.3, 0.7})
    for (const int from_others : {0, 1}) { // for each of our offers one comes
      CAPTURE(price);
      CAPTURE(from_others);
      world w{4};
      std::map<worker_id, int> turns;
      constexpr int steps = 4000;
      int averagings = 0;
      for (int step = 0; step < steps; ++step)
        for (const auto id : w.choose(price)) {
          ++turns[id];
          for (int i = 0; i <= from_others; ++i, ++averagings)
            w.policy.averaged();
        }
      CHECK(averagings * price / steps == doctest::Approx(adaptive_policy::share_first).epsilon(0.02));
      REQUIRE(turns.size() == 4);
      auto least = steps;
      auto most = 0;
      for (const auto& [id, count] : turns) {
        least = std::min(least, count);
        most = std::max(most, count);
      }
      CHECK(most - least <= 1);
    }
}

namespace {

/// After many steps of workers whose data drives them apart by `drift` steps per step: steps between two
/// averagings over an edge, and the share.
std::pair<double, double> settled(double drift, double price) {
  world w{2};
  double per_step = 2;
  int averagings = 0;
  constexpr int steps = 4000;
  for (int step = 0; step < steps; ++step) {
    const auto k = 2 / per_step;
    const auto now =
        2 * w.choose(price, std::sqrt(1.5 * k + drift * k * drift * k)).size(); // others offer, too
    for (std::size_t i = 0; i < now; ++i)
      w.policy.averaged();
    per_step += 0.02 * (static_cast<double>(now) - per_step);
    averagings += step >= steps / 2 ? static_cast<int>(now) : 0;
  }
  return {2.0 * (steps / 2) / averagings, w.policy.mixing_share()};
}

} // namespace

TEST_CASE("adaptive: averages the more the more neighbours' data drives them apart, and the less the more it "
          "costs") {
  const auto [alike, least] = settled(0, 0.3);
  CHECK(least == adaptive_policy::share_min);
  CHECK(alike > 10);
  double before = alike;
  for (const double drift : {1.0, 1.7, 3.0}) {
    const auto [k, share] = settled(drift, 0.3);
    CHECK(k < before);
    CHECK(share > least);
    before = k;
  }
  CHECK(settled(1.7, 0.07).first < settled(1.7, 0.3).first);
}

TEST_CASE("adaptive: the share stays within its bounds, whatever it is told, and where nothing is known") {
  const auto share_after = [](double price, double strides_apart) {
    world w{2};
    for (int step = 0; step < 1000; ++step) {
      w.policy.averaged();
      w.choose(price, strides_apart);
    }
    return w.policy.mixing_share();
  };
  using policy = adaptive_policy;
  CHECK(share_after(0.3, 0) == policy::share_first);
  CHECK(share_after(0, 9) == policy::share_first);
  CHECK(share_after(0.3, 1e-300) == policy::share_min);
  CHECK(share_after(1e-300, 1e300) == policy::share_max);
  CHECK(share_after(1e300, 1e300) == policy::share_max);
}

TEST_CASE("adaptive: what was found once moves the share once") {
  world w{2};
  w.policy.averaged();
  w.choose(0.3, 90);
  const auto share = w.policy.mixing_share();
  CHECK(share > adaptive_policy::share_first);
  for (int step = 0; step < 50; ++step)
    w.choose(0.3, 90);
  CHECK(w.policy.mixing_share() == share);
}

TEST_CASE("adaptive: who is next to a hub leaves it to the others, too") {
  const auto averagings = [](double evenness) {
    world w{1};
    int count = 0;
    for (int step = 0; step < 8000; ++step) {
      std::vector<worker_id> chosen;
      w.policy.choose(w.neighbours, {0.3, 0, evenness, 1}, w.generator, chosen);
      for ([[maybe_unused]] const auto id : chosen) {
        w.policy.averaged();
        ++count;
      }
    }
    return count;
  };
  CHECK(averagings(1) == doctest::Approx(8000 * adaptive_policy::share_first / 0.3).epsilon(0.02));
  CHECK(averagings(0.25) == doctest::Approx(2000 * adaptive_policy::share_first / 0.3).epsilon(0.02));
}

TEST_CASE("adaptive: every neighbour has its turn, whatever the price") {
  world w{3};
  std::map<worker_id, int> last;
  for (int step = 1; step <= 1000; ++step) {
    for (const auto id : w.choose(1e6)) {
      last[id] = step;
      for (int i = 0; i < 9; ++i) // and others come all the time
        w.policy.averaged();
    }
    for (const auto id : w.neighbours)
      CHECK(step - last[id] <= static_cast<int>(3 * adaptive_policy::steps_between_max));
  }
}

TEST_CASE("adaptive: what was saved while averaging was cheap is not spent at once when it is dear") {
  world w{2};
  for (int step = 0; step < 100; ++step)
    w.choose(1e-3);
  int offers = 0;
  for (int step = 0; step < 10; ++step)
    for (const auto id : w.choose(1)) {
      static_cast<void>(id);
      ++offers;
      w.policy.averaged();
    }
  CHECK(offers <= 5);
}
