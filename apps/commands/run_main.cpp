#include "apps/commands/commands.hpp"
#include "apps/options/run_options.hpp"
#include "apps/program/descriptors.hpp"
#include "apps/program/interrupts.hpp"
#include "learning/api/learner.hpp"

#include <array>
#include <iostream>

namespace dybw {

int run_main(int count, char** words, const learner_maker& make) {
  outlive_failed_writes();
  raise_descriptor_limit();
  std::vector<std::string> arguments(words + (count > 0 ? 1 : 0), words + count);
  if (arguments.empty() || arguments.front() != "--version")
    arguments.insert(arguments.begin(), "run");
  const std::array commands = {command{
      "run", "", run_help, [&](std::span<const std::string> options) { return run_command(options, make); }}};
  return dispatch(arguments, commands, std::cout, std::cerr);
}

} // namespace dybw
