#pragma once

#include "learning/base/types.hpp"
#include "learning/graph/mixing.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace dybw {

/// What a policy may look at while a worker gathers.
struct round_view {
  round_number round = 0;
  std::size_t degree = 0;   ///< planned neighbours
  std::size_t accepted = 0; ///< whose estimates count so far
  /// Who is neither accepted nor past this round nor gone: whose estimates may still count.
  std::size_t still_to_come = 0;
  /// The lowest round that one of these is known to be in; the own round if there is none.
  round_number slowest_in = 0;
};

/// What a policy learns when a round is done.
struct round_outcome {
  round_number round = 0;
  std::size_t degree = 0;    ///< planned neighbours
  std::size_t committed = 0; ///< neighbours mixed with
};

/// When a round closes, and how many neighbours the next one does not wait for. One file per policy; a policy
/// touches no other. Deterministic; one instance per worker. (Every round also closes when nobody is left to
/// wait for.)
class policy {
public:
  virtual ~policy() = default;

  virtual std::string_view name() const = 0;
  virtual weight_rule default_weights() const = 0;

  /// Local quorums: whether enough estimates are in to close the round.
  virtual bool quorum_is_met(const round_view& view) const = 0;

  /// Called once per round when it is done: retunes the number of backup workers and returns it, b_j = d_j -
  /// p_j.
  virtual std::size_t retune(const round_outcome& outcome) = 0;

  /// Whether rounds close by flooded thresholds and advance while a worker computes. Otherwise each worker
  /// closes its own. A threshold comes when a connecting edge is covered (DTUR) or, if the policy
  /// `waits_for_everybody`, when everybody is in the round.
  virtual bool closes_by_threshold() const { return false; }

  virtual bool waits_for_everybody() const { return false; }

  /// Whether workers average in pairs, each at its own pace, instead of in rounds that neighbours share: then
  /// it is a `pairwise_policy`.
  virtual bool averages_in_pairs() const { return false; }
};

/// A parsed value of `--policy`.
struct policy_spec {
  std::string text; ///< as given, for example "static:1"
  std::string name; ///< "static"
  std::vector<std::size_t> parameters;

  bool closes_by_threshold() const;
  bool waits_for_everybody() const;
  bool averages_in_pairs() const;
};

/// Parses and checks against the planned graph's smallest degree; throws `input_error` (configuration fault).
/// `least_connected` names a worker of that degree in the message.
policy_spec parse_policy(const std::string& text, std::size_t smallest_degree, worker_id least_connected);

std::unique_ptr<policy> make_policy(const policy_spec& spec);

/// The names `--policy` takes, for help and messages.
std::vector<std::string> policy_names();

} // namespace dybw
