#include "learning/consensus/disagreement.hpp"

#include <doctest/doctest.h>

#include <limits>

TEST_CASE("disagreement: nothing before the first, then a smoothed mean, the same once remembered") {
  dybw::disagreement apart;
  CHECK(apart.value() == 0);
  apart.observe(0); // no step was made yet
  CHECK(apart.value() == 0);
  apart.observe(4);
  CHECK(apart.value() == 4);
  apart.observe(8);
  CHECK(apart.value() > 4);
  CHECK(apart.value() < 5);
  for (int i = 0; i < 100; ++i)
    apart.observe(8);
  CHECK(apart.value() == doctest::Approx(8).epsilon(1e-3));
  CHECK(dybw::disagreement{apart.value()}.value() == apart.value());
}

TEST_CASE("disagreement: one exchange alone does not count for much") {
  dybw::disagreement apart{2};
  apart.observe(1e20);
  CHECK(apart.value() < 3);
  dybw::disagreement first;
  first.observe(1e20);
  CHECK(first.value() <= 10);
  for (int i = 0; i < 30; ++i)
    first.observe(1);
  CHECK(first.value() < 2);
}

TEST_CASE("disagreement: what is no number leaves no trace") {
  dybw::disagreement apart{2};
  for (const double odd :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN(), -1.0})
    apart.observe(odd);
  CHECK(apart.value() == 2);
}
