#include "learning/consensus/make_machine.hpp"

#include "learning/consensus/pairwise_machine.hpp"
#include "learning/consensus/round_machine.hpp"

namespace dybw {

std::unique_ptr<worker_machine> make_machine(machine_options options) {
  if (options.policy.averages_in_pairs())
    return std::make_unique<pairwise_machine>(std::move(options));
  return std::make_unique<round_machine>(std::move(options));
}

} // namespace dybw
