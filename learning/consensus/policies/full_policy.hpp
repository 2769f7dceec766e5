#pragma once

#include "learning/consensus/policies/policy.hpp"

namespace dybw {

/// `full` (cb-Full): wait for every neighbour; no backup workers.
class full_policy final : public policy {
public:
  std::string_view name() const override { return "full"; }
  weight_rule default_weights() const override { return weight_rule::graph; }
  bool quorum_is_met(const round_view& view) const override { return view.accepted == view.degree; }
  std::size_t retune(const round_outcome& outcome) override { return outcome.degree - outcome.committed; }
};

} // namespace dybw
