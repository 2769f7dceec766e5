#include "apps/options/stride_options.hpp"

#include "learning/straggler/step_time.hpp"

namespace dybw {

namespace {

void read_correction(const option_values& given, run_config& config) {
  if (!given.given("correction"))
    return;
  config.correction = given.real(
      "correction", [](double x) { return x >= 0 && x <= 1; }, "a number from 0 to 1");
  if (config.correction == 0)
    return;
  if (config.model == "none")
    given.refuse("correction", "contradicts --model=none, which learns nothing", "leave it out");
  if (config.sgd.step_size == 0)
    given.refuse("correction", "contradicts --step-size=0: it goes with steps, and there are none",
                 "leave it out");
}

} // namespace

void read_strides(const option_values& given, run_config& config) {
  config.local_steps = static_cast<std::uint32_t>(given.whole("local-steps", 1, stride_rule::gradients_max));
  if (given.given("local-time")) {
    if (given.given("local-steps"))
      given.refuse("local-time", "contradicts --local-steps: how many there are depends on the time",
                   "leave out one of the two");
    if (config.sgd.step_decay != 1)
      given.refuse("local-time", "contradicts --step-decay: nobody knows how many rounds make a pass",
                   "leave out one of the two");
    config.local_time_s = given.real("local-time", fits_duration, a_duration);
  }
  config.send = static_cast<block_format>(given.choice("send", {"float32", "float16", "bfloat16", "int8"}));
  if (config.send != block_format::float32 && config.model == "none")
    given.refuse("send", "contradicts --model=none, which has no parameters to send", "leave it out");
  read_correction(given, config);
  if (!given.given("outer-momentum") && !given.given("outer-step"))
    return;
  const std::string name = given.given("outer-step") ? "outer-step" : "outer-momentum";
  if (config.model == "none")
    given.refuse(name, "contradicts --model=none, which learns nothing", "leave it out");
  if (config.sgd.step_size == 0)
    given.refuse(name, "contradicts --step-size=0: a run that only averages takes no steps", "leave it out");
  config.outer = outer_standard;
  if (given.given("outer-momentum"))
    config.outer.momentum = given.real(
        "outer-momentum", [](double x) { return x >= 0 && x < 1; }, "a number from 0 on, below 1");
  if (given.given("outer-step"))
    config.outer.step = given.real(
        "outer-step", [](double x) { return x > 0 && x <= 2; }, "a number above 0, at most 2");
}

} // namespace dybw
