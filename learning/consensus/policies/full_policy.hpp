#pragma once

#include "learning/consensus/policies/policy.hpp"

namespace dybw {

/// `full` (cb-Full): wait for every neighbour; no backup workers.
class full_policy final : public policy {
public:
  bool quorum_is_met(const round_view& view) const override { return view.accepted == view.degree; }
};

} // namespace dybw
