#include "learning/base/number_text.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <limits>

namespace dybw {

TEST_CASE("number_text: the shortest text that reads back as the same number") {
  CHECK(number_text(0.1) == "0.1");
  CHECK(number_text(0.1F) == "0.1");
  CHECK(number_text(1.0 / 3) == "0.3333333333333333");
  CHECK(number_text(2.0) == "2");
  CHECK(number_text(std::uint64_t{18'446'744'073'709'551'615U}) == "18446744073709551615");
  CHECK(number_text(-7) == "-7");
}

TEST_CASE("number_text: fixed and significant digits are those of printf") {
  for (const auto x : {0.0, -0.0, 0.5, 2.5, -1.005, 0.00099995, 9.995, 1234.5678, 1e-7, 3.14159e-5, 1e15,
                       1e22, std::numeric_limits<double>::max(), std::numeric_limits<double>::denorm_min()})
    for (int n = 0; n < 8; ++n) {
      CAPTURE(x);
      CAPTURE(n);
      char expected[400];
      std::snprintf(expected, sizeof expected, "%.*f", n, x);
      CHECK(fixed_text(x, n) == expected);
      std::snprintf(expected, sizeof expected, "%.*g", n, x);
      CHECK(short_text(x, n) == expected);
    }
}

TEST_CASE("number_text: what is not finite is a dash") {
  for (const auto x : {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(fixed_text(x, 1) == "-");
    CHECK(short_text(x) == "-");
    CHECK(seconds_text(x) == "-");
    CHECK(percent_text(x) == "-");
  }
  CHECK(or_dash(std::nullopt, percent_text) == "-");
}

TEST_CASE("number_text: numbers come in a readable unit") {
  CHECK(seconds_text(0) == "0.00 s");
  CHECK(seconds_text(0.00078) == "0.78 ms");
  CHECK(seconds_text(0.9999) == "1.00 s");
  CHECK(seconds_text(123.4) == "123 s");
  CHECK(percent_text(0.912) == "91.2 %");
  CHECK(or_dash(0.912, percent_text) == "91.2 %");
  CHECK(count_text(0) == "0");
  CHECK(count_text(999) == "999");
  CHECK(count_text(1'234'567) == "1,234,567");
  CHECK(counted(1, "worker") == "1 worker");
  CHECK(counted(7850, "worker") == "7,850 workers");
  CHECK(megabytes_text(12'345'678) == "12.3 MB");
  CHECK(megabytes_text(12'345'678, 0) == "12 MB");
}

} // namespace dybw
