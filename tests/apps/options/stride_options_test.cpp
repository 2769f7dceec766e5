#include "apps/options/run_options.hpp"
#include "learning/base/error.hpp"

#include <doctest/doctest.h>

#include <iterator>
#include <sstream>

namespace dybw {

namespace {

run_config config_of(const std::string& line) {
  std::istringstream in(line);
  const std::vector<std::string> words{std::istream_iterator<std::string>(in), {}};
  return read_run_options(words, "20260131-142500").config;
}

std::string refused(const std::string& line) {
  try {
    config_of(line);
  } catch (const input_error& error) {
    CHECK(error.exit_code() == 2);
    return error.what();
  }
  return {};
}

} // namespace

TEST_CASE("stride_options: local steps and the outer step are off until asked for") {
  const auto none = config_of("");
  CHECK(none.local_steps == 1);
  CHECK_FALSE(none.local_time_s);
  CHECK_FALSE(none.outer.is_on());

  const auto some = config_of("--local-steps 16 --outer-momentum 0.25");
  CHECK(some.local_steps == 16);
  CHECK(some.outer.momentum == 0.25);
  CHECK(some.outer.step == outer_standard.step);
  CHECK(config_of("--outer-step 0.5").outer.momentum == outer_standard.momentum);
  CHECK_FALSE(config_of("--outer-step 1 --outer-momentum 0").outer.is_on());
  CHECK(config_of("--local-time 2.5").local_time_s == 2.5);
  CHECK(none.correction == 0);
  CHECK(config_of("--correction 0.05").correction == 0.05);
  CHECK(config_of("--correction 0 --model none").correction == 0);
  CHECK(none.send == block_format::float32);
  for (const auto send :
       {block_format::float32, block_format::float16, block_format::bfloat16, block_format::int8})
    CHECK(config_of("--send " + std::string{to_string(send)}).send == send);
}

TEST_CASE("stride_options: values that cannot be, and contradictions, are refused in one line") {
  for (const auto& [line, said] : std::initializer_list<std::pair<std::string, std::string>>{
           {"--local-steps 0", "is out of range"},
           {"--local-steps 1000000", "is out of range"},
           {"--local-time 0", "is out of range"},
           {"--local-steps 2 --local-time 3", "contradicts --local-steps"},
           {"--local-time 3 --step-decay 0.5", "contradicts --step-decay"},
           {"--outer-momentum 1", "is out of range"},
           {"--outer-step 0", "is out of range"},
           {"--outer-step 0.7 --model none", "contradicts --model=none"},
           {"--correction 1.5", "is out of range"},
           {"--correction 0.05 --model none", "contradicts --model=none"},
           {"--correction 0.05 --step-size 0", "contradicts --step-size=0"},
           {"--send int4", "is unknown; give float32, float16, bfloat16 or int8"},
           {"--send int8 --model none", "contradicts --model=none"},
           {"--outer-momentum 0.5 --step-size 0", "contradicts --step-size=0"}}) {
    INFO(line);
    const auto got = refused(line);
    CHECK_MESSAGE(got.find(said) != std::string::npos, got);
    CHECK(got.find('\n') == std::string::npos);
  }
}

} // namespace dybw
