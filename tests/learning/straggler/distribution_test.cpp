#include "learning/straggler/distribution.hpp"

#include "tests/learning/graph/support.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

using namespace dybw;
using dybw::testing::refusal;
using dybw::testing::text_file;

namespace {

std::vector<double> sample(const std::string& text, std::size_t count, std::uint64_t seed = 1) {
  auto generator = make_generator(seed, random_stream::step_time);
  const auto distribution = parse_distribution(text, "--step-time");
  std::vector<double> draws(count);
  for (auto& draw : draws)
    draw = distribution->draw(generator);
  return draws;
}

double share_above(const std::vector<double>& draws, double limit) {
  return static_cast<double>(std::count_if(draws.begin(), draws.end(), [&](double x) { return x > limit; })) /
         static_cast<double>(draws.size());
}

/// Five standard deviations of a share of `count` draws.
double margin(double share, std::size_t count) {
  return 5 * std::sqrt(share * (1 - share) / static_cast<double>(count));
}

std::string refused(const std::string& text) {
  return refusal([&] { parse_distribution(text, "--step-time"); });
}

} // namespace

TEST_CASE("distribution: the mean is the formula's, and the draws have it") {
  struct expectation {
    std::string text;
    double mean;
  };
  const std::vector<expectation> all{{"const:0.25", 0.25},
                                     {"exp:0.05", 0.05},
                                     {"shifted-exp:0.04,0.01", 0.05},
                                     {"uniform:0.5,2", 1.25},
                                     {"uniform:1,1", 1},
                                     {"pareto:0.1,3", 0.15},
                                     {"lognormal:-3,0.5", std::exp(-3 + 0.125)}};
  constexpr std::size_t count = 200'000;
  for (const auto& [text, mean] : all) {
    CAPTURE(text);
    CHECK(parse_distribution(text, "--step-time")->mean() == doctest::Approx(mean).epsilon(1e-12));
    const auto draws = sample(text, count);
    double sum = 0;
    double squares = 0;
    for (const auto x : draws) {
      sum += x;
      squares += (x - mean) * (x - mean);
    }
    const auto deviation_of_mean = std::sqrt(squares) / static_cast<double>(count);
    CHECK(std::abs(sum / count - mean) <= 5 * deviation_of_mean + 1e-9);
  }
}

TEST_CASE("distribution: the draws have the shape that the name promises") {
  constexpr std::size_t count = 100'000;
  const auto check = [&](const std::string& text, double limit, double share) {
    CAPTURE(text);
    CHECK(std::abs(share_above(sample(text, count), limit) - share) <= margin(share, count));
  };
  check("exp:2", 2, std::exp(-1.0));
  check("shifted-exp:1,2", 3, std::exp(-1.0));
  check("uniform:1,3", 2.5, 0.25);
  check("pareto:1,0.5", 100, 0.1); // P(X > x) = (SCALE/x)^SHAPE
  check("pareto:2,3", 4, 0.125);
  check("lognormal:1,2", std::exp(1.0), 0.5);
  check("lognormal:0,2", std::exp(2.0), 0.158655); // one sigma

  const auto least = [](const std::string& text) {
    const auto draws = sample(text, count);
    return *std::min_element(draws.begin(), draws.end());
  };
  CHECK(least("shifted-exp:1,2") >= 1);
  CHECK(least("pareto:2,3") >= 2);
  CHECK(least("uniform:1,3") >= 1);
  CHECK(share_above(sample("uniform:1,3", count), 3) == 0);
}

TEST_CASE("distribution: the heaviest tails allowed stay finite") {
  CHECK(parse_distribution("pareto:1,1", "--step-time")->mean() == std::numeric_limits<double>::infinity());
  CHECK(parse_distribution("pareto:1,1.5", "--step-time")->mean() == doctest::Approx(3));
  for (const auto* text : {"pareto:1000000000,0.1", "lognormal:100,10"})
    for (const auto x : sample(text, 100'000))
      REQUIRE(std::isfinite(x));
}

TEST_CASE("distribution: the seed alone decides the draws") {
  for (const auto* text : {"exp:1", "shifted-exp:1,1", "uniform:0,1", "pareto:1,2", "lognormal:0,1"}) {
    CHECK(sample(text, 100, 1) == sample(text, 100, 1));
    CHECK(sample(text, 100, 1) != sample(text, 100, 2));
  }
}

TEST_CASE("distribution: a trace is used in turn and over again, from the line asked for") {
  const text_file file{"# measured on a quiet machine\n0.5\n\n0.25 # fast\n 3e-1 \r\n"};
  const auto draws = [&](std::size_t first_line) {
    random_generator generator;
    const auto trace = parse_distribution("trace:" + file.path(), "--step-time", first_line);
    CHECK(trace->mean() == doctest::Approx(0.35));
    std::vector<double> found(5);
    for (auto& x : found)
      x = trace->draw(generator);
    return found;
  };
  CHECK(draws(0) == std::vector{0.5, 0.25, 0.3, 0.5, 0.25});
  CHECK(draws(2) == std::vector{0.3, 0.5, 0.25, 0.3, 0.5});
  CHECK(draws(4) == draws(1));
}

TEST_CASE("distribution: wrong parameters are refused in a line that names value, constraint and mend") {
  CHECK(refused("exp:-1") ==
        "2 --step-time=exp:-1 must have MEAN from 1e-09 to 1e+09, found \"-1\"; choose for "
        "example --step-time exp:0.05");
  CHECK(refused("uniform:3,1") ==
        "2 --step-time=uniform:3,1 must have A at most B, 3 above 1; choose --step-time uniform:1,3");
  CHECK(refused("gauss:1,2") ==
        "2 --step-time=gauss:1,2 must be const:T, exp:MEAN, shifted-exp:BASE,MEAN, uniform:A,B, "
        "pareto:SCALE,SHAPE, "
        "lognormal:MU,SIGMA, or trace:FILE, found \"gauss:1,2\"; choose for example --step-time exp:0.05");
  CHECK(refusal([] {
          parse_distribution("exp:x", "--link-latency");
        }).starts_with("2 --link-latency=exp:x must "));
  for (const std::string text : {"",
                                 "exp",
                                 "exp:",
                                 "exp:0",
                                 "exp:nan",
                                 "exp:inf",
                                 "exp:1e999",
                                 "exp:1s",
                                 "exp: 1",
                                 "exp:1 ",
                                 "exp:+1",
                                 "exp:1,2",
                                 "Exp:1",
                                 "const",
                                 "const:-0.1",
                                 "const:2e9",
                                 "const:1:2",
                                 "shifted-exp:1",
                                 "shifted-exp:,1",
                                 "uniform:1",
                                 "uniform:-1,1",
                                 "pareto:0,1",
                                 "pareto:1,0",
                                 "pareto:1,-2",
                                 "pareto:1",
                                 "lognormal:0,0",
                                 "lognormal:0,",
                                 "lognormal:0,11",
                                 "trace",
                                 "trace:",
                                 "0.5"}) {
    const auto message = refused(text);
    CAPTURE(text);
    CAPTURE(message);
    CHECK(message.starts_with("2 --step-time=" + text + " must "));
    CHECK(message.find("; choose for example --step-time ") != std::string::npos);
  }
}

TEST_CASE("distribution: a trace may have comments of any kind, commas at line ends and plus signs") {
  const text_file file{"% seconds\n; more\n+0.5,\r\n1.000000000000000000e+00\n2 # two\n3 ; three\n"};
  const auto trace = parse_distribution("trace:" + file.path(), "--step-time", 0);
  random_generator generator{1};
  for (const auto expected : {0.5, 1.0, 2.0, 3.0})
    CHECK(trace->draw(generator) == expected);
}

TEST_CASE("distribution: a malformed trace is a data fault that names file and line") {
  for (const auto* line : {"-1", "x", "0.5 0.5", "0,5", "nan", "inf", "2e9"}) {
    const text_file file{"0.5\n" + std::string{line} + "\n"};
    const auto message = refused("trace:" + file.path());
    CAPTURE(message);
    CHECK(message.starts_with("3 a duration must be a number of seconds from 0 to 1e+09"));
    CHECK(message.find("in " + file.path() + ":2; ") != std::string::npos);
  }
  const text_file zipped{"\x1f\x8b\x08"};
  CHECK(refused("trace:" + zipped.path()).find("the trace file is gzip'ed data") != std::string::npos);
  const text_file units{"0.5s\n"};
  CHECK(refused("trace:" + units.path()).find("without their unit") != std::string::npos);
  const text_file empty{"# nothing\n"};
  CHECK(refused("trace:" + empty.path()).starts_with("3 a trace must have at least one duration"));
  CHECK(refused("trace:no/such/file")
            .starts_with("3 cannot read the trace file \"no/such/file\", there is no such"));
}
