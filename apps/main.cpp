// Built for the plainest processor of its kind (see CMakeLists.txt), so that the check runs on any.
#include "apps/commands/commands.hpp"
#include "apps/options/run_options.hpp"
#include "apps/program/descriptors.hpp"
#include "apps/program/interrupts.hpp"
#include "apps/program/processor.hpp"

#include <array>
#include <cstdio>
#include <iostream>
#include <vector>

#include <unistd.h>

#if defined(__x86_64__)
// Before the static initialisers of all other objects, which may hold instructions that this processor lacks.
[[gnu::constructor(101)]] static void check_processor() {
  const auto* missing =
      dybw::missing_processor_feature(dybw::processor_features_needed, dybw::processor_features_present());
  if (missing == nullptr)
    return;
  std::fprintf(stderr,
               "dybw: error: this processor has no %s, which the program was built for (%s); build it again "
               "with -DDYBW_ARCH=x86-64\n",
               missing, DYBW_ARCH);
  _exit(1);
}
#endif

int main(int count, char** words) {
  dybw::outlive_failed_writes();
  dybw::raise_descriptor_limit(); // monitors and launchers hold connections as nodes do
  const std::vector<std::string> arguments(words + (count > 0 ? 1 : 0), words + count);
  const std::array commands = {
      dybw::command{"run", "train on this host or on nodes, and compare policies", dybw::run_help,
                    [](std::span<const std::string> options) { return dybw::run_command(options); }},
      dybw::command{"node", "offer this machine to runs", dybw::node_help, dybw::node_command},
      dybw::command{"monitor", "attach to a live run and watch it", dybw::monitor_help,
                    dybw::monitor_command},
      dybw::command{"report", "compare what runs wrote: a table, a page with charts", dybw::report_help,
                    dybw::report_command},
      dybw::command{"replay", "play a recorded run again, and see whether it does the same",
                    dybw::replay_help, dybw::replay_command},
      dybw::command{"status", "show what a node is doing", dybw::status_help, dybw::status_command},
      dybw::command{"stop", "end the run that a node serves", dybw::stop_help, dybw::stop_command},
  };
  return dybw::dispatch(arguments, commands, std::cout, std::cerr);
}
