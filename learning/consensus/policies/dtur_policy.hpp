#pragma once

#include "learning/consensus/policies/policy.hpp"

namespace dybw {

/// `dtur` (arXiv 2102.06280): a round closes for everybody at the threshold theta(k), the first moment at
/// which a connecting edge that the present sweep has not covered is committed. Who finished by then mixes;
/// how many neighbours that leaves out is the number of backup workers of the round, retuned each time.
class dtur_policy final : public policy {
public:
  weight_rule default_weights() const override { return weight_rule::active; }
  bool closes_by_threshold() const override { return true; }
};

} // namespace dybw
