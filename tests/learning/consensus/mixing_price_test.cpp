#include "learning/consensus/mixing_price.hpp"

#include <doctest/doctest.h>

TEST_CASE("mixing_price: nothing before both are known, then the ratio of what they took lately") {
  using namespace std::chrono_literals;
  dybw::mixing_price price;
  CHECK(price.value() == 0);
  price.stepped(10ms);
  CHECK(price.value() == 0);
  price.averaged();
  price.spent(1500us);
  price.spent(500us); // for the same
  CHECK(price.value() == doctest::Approx(0.2));
  for (int i = 0; i < 200; ++i)
    price.stepped(4ms); // steps have become quicker
  CHECK(price.value() == doctest::Approx(0.5).epsilon(0.01));
  for (int i = 0; i < 200; ++i) {
    price.averaged();
    price.spent(1ms);
  }
  CHECK(price.value() == doctest::Approx(0.25).epsilon(0.01));
}
