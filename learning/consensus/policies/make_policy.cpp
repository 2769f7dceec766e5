#include "learning/consensus/policies/make_policy.hpp"

#include "learning/base/option_text.hpp"
#include "learning/consensus/policies/adaptive_policy.hpp"
#include "learning/consensus/policies/adpsgd_policy.hpp"
#include "learning/consensus/policies/barrier_policy.hpp"
#include "learning/consensus/policies/dtur_policy.hpp"
#include "learning/consensus/policies/full_policy.hpp"
#include "learning/consensus/policies/hop_policy.hpp"
#include "learning/consensus/policies/static_policy.hpp"

#include <cassert>
#include <span>

namespace dybw {

namespace {

using parameters = std::vector<std::size_t>;

struct entry {
  const char* name;
  const char* usage;
  std::size_t parameter_count;
  std::unique_ptr<policy> (*make)(const parameters&);
};

template <class Policy, std::size_t... I>
std::unique_ptr<policy> make([[maybe_unused]] const parameters& p) {
  return std::make_unique<Policy>(p[I]...);
}

/// The list of policies: one line each.
const entry entries[] = {
    {"full", "full", 0, make<full_policy>},
    {"static", "static:B", 1, make<static_policy, 0>},
    {"dtur", "dtur", 0, make<dtur_policy>},
    {"hop", "hop:B:GAP", 2, make<hop_policy, 0, 1>},
    {"barrier", "barrier", 0, make<barrier_policy>},
    {"adpsgd", "adpsgd", 0, make<adpsgd_policy>},
    {"adaptive", "adaptive", 0, make<adaptive_policy>},
};

const entry* find(const std::string& name) {
  for (const auto& e : entries)
    if (name == e.name)
      return &e;
  return nullptr;
}

std::string usages() {
  std::string list;
  for (const auto& e : entries)
    list += (list.empty() ? "" : ", ") + std::string{e.usage};
  return list;
}

[[noreturn]] void refuse(const std::string& text, const std::string& what, const std::string& mend) {
  throw input_error(input_fault::configuration, "--policy=" + text + " " + what, "", mend);
}

} // namespace

bool policy_spec::closes_by_threshold() const {
  return make_policy(*this)->closes_by_threshold();
}

bool policy_spec::waits_for_everybody() const {
  return make_policy(*this)->waits_for_everybody();
}

bool policy_spec::averages_in_pairs() const {
  return make_policy(*this)->averages_in_pairs();
}

bool policy_spec::weighs_mixing() const {
  return make_policy(*this)->weighs_mixing();
}

policy_spec parse_policy(const std::string& text, std::size_t smallest_degree, worker_id least_connected) {
  policy_spec spec;
  spec.text = text;
  const auto fields = split(text, ':');
  spec.name = std::string{fields.front()};
  const auto* e = find(spec.name);
  if (e == nullptr)
    refuse(text, "is not a policy", "choose from " + usages());
  for (const auto field : std::span{fields}.subspan(1)) {
    const auto value = parse_number<std::size_t>(field);
    if (!value)
      refuse(text, "has '" + std::string{field} + "' where a whole number belongs",
             std::string{"write it as "} + e->usage);
    spec.parameters.push_back(*value);
  }
  if (spec.parameters.size() != e->parameter_count)
    refuse(text, "takes " + std::to_string(e->parameter_count) + " parameters",
           std::string{"write it as "} + e->usage);
  if (spec.name == "hop" && spec.parameters[1] == 0)
    refuse(text, "lets nobody be behind", "choose GAP from 1 on");
  if ((spec.name == "static" || spec.name == "hop") && smallest_degree > 0 &&
      spec.parameters[0] >= smallest_degree)
    refuse(text,
           "must leave a neighbour to wait for: worker " + to_string(least_connected) + " has " +
               std::to_string(smallest_degree),
           smallest_degree > 1 ? "choose B up to " + std::to_string(smallest_degree - 1)
                               : "choose B = 0 or a denser --topology");
  return spec;
}

std::unique_ptr<policy> make_policy(const policy_spec& spec) {
  const auto* e = find(spec.name);
  assert(e != nullptr && spec.parameters.size() == e->parameter_count);
  return e->make(spec.parameters);
}

std::vector<std::string> policy_names() {
  std::vector<std::string> names;
  for (const auto& e : entries)
    names.emplace_back(e.usage);
  return names;
}

} // namespace dybw
