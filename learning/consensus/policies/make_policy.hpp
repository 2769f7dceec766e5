#pragma once

#include "learning/consensus/policies/policy.hpp"

#include <memory>
#include <string>
#include <vector>

namespace dybw {

/// A parsed value of `--policy`.
struct policy_spec {
  std::string text; ///< as given, for example "static:1"
  std::string name; ///< "static"
  std::vector<std::size_t> parameters;

  bool closes_by_threshold() const;
  bool waits_for_everybody() const;
  bool averages_in_pairs() const;
  bool weighs_mixing() const;
};

/// Parses and checks against the planned graph's smallest degree; throws `input_error` (configuration fault).
/// `least_connected` names a worker of that degree in the message.
policy_spec parse_policy(const std::string& text, std::size_t smallest_degree, worker_id least_connected);

std::unique_ptr<policy> make_policy(const policy_spec& spec);

/// The names `--policy` takes, for help and messages.
std::vector<std::string> policy_names();

} // namespace dybw
