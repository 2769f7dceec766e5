#include "learning/consensus/worker_machine.hpp"

#include "learning/base/enum_text.hpp"

namespace dybw {

std::shared_ptr<const connect_spec> connecting_rule(const machine_options& options) {
  const auto is_tree = !options.connect || options.connect->how == connect_spec::kind::tree;
  return !is_tree && options.policy.waits_for_everybody() ? nullptr : options.connect;
}

sweep_end sweeps_end(const machine_options& options) {
  const auto rule = connecting_rule(options);
  return rule && rule->how == connect_spec::kind::any ? sweep_end::all_joined : sweep_end::all_covered;
}

std::unique_ptr<known_parts> parts_for(const machine_options& options) {
  return std::make_unique<known_parts>(options.graph, connecting_rule(options));
}

std::string_view to_string(phase p) {
  return enum_text<phase::left>(p, {"idle", "computing", "gathering", "settling", "left"});
}

std::string_view to_string(wait_cause::kind k) {
  return enum_text<wait_cause::kind::step>(k,
                                           {"estimate", "accept or closed", "closed", "threshold", "step"});
}

} // namespace dybw
