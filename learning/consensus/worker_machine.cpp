#include "learning/consensus/worker_machine.hpp"

#include "learning/base/enum_text.hpp"
#include "learning/consensus/pairwise_machine.hpp"
#include "learning/consensus/round_machine.hpp"

namespace dybw {

std::string_view to_string(phase p) {
  return enum_text<phase::left>(p, {"idle", "computing", "gathering", "settling", "left"});
}

std::string_view to_string(wait_cause::kind k) {
  return enum_text<wait_cause::kind::threshold>(k, {"estimate", "accept or closed", "closed", "threshold"});
}

std::unique_ptr<worker_machine> make_machine(machine_options options) {
  if (options.policy.averages_in_pairs())
    return std::make_unique<pairwise_machine>(std::move(options));
  return std::make_unique<round_machine>(std::move(options));
}

} // namespace dybw
