#pragma once

#include "learning/consensus/policies/policy.hpp"

namespace dybw {

/// `dtur` (arXiv 2102.06280): a round closes for everybody at the threshold theta(k), the first moment at
/// which a connecting edge that the present sweep has not covered is committed. Who finished by then mixes;
/// how many neighbours that leaves out is the number of backup workers of the round, retuned each time.
class dtur_policy final : public policy {
public:
  std::string_view name() const override { return "dtur"; }
  weight_rule default_weights() const override { return weight_rule::active; }
  bool quorum_is_met(const round_view&) const override { return false; } // only a threshold closes
  std::size_t retune(const round_outcome& outcome) override { return outcome.degree - outcome.committed; }
  bool closes_by_threshold() const override { return true; }
};

} // namespace dybw
