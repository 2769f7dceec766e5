#include "learning/consensus/worker_machine.hpp"

#include "learning/consensus/pairwise_machine.hpp"
#include "learning/consensus/round_machine.hpp"

namespace dybw {

std::string_view to_string(phase p) {
  switch (p) {
  case phase::idle:
    return "idle";
  case phase::computing:
    return "computing";
  case phase::gathering:
    return "gathering";
  case phase::settling:
    return "settling";
  case phase::left:
    return "left";
  }
  return "?";
}

std::string_view to_string(wait_cause::kind k) {
  switch (k) {
  case wait_cause::kind::estimate:
    return "estimate";
  case wait_cause::kind::answer:
    return "accept or closed";
  case wait_cause::kind::closing:
    return "closed";
  case wait_cause::kind::threshold:
    return "threshold";
  }
  return "?";
}

std::unique_ptr<worker_machine> make_machine(machine_options options) {
  if (options.policy.averages_in_pairs())
    return std::make_unique<pairwise_machine>(std::move(options));
  return std::make_unique<round_machine>(std::move(options));
}

} // namespace dybw
