#pragma once

#include "learning/consensus/policies/policy.hpp"

namespace dybw {

/// `barrier`: everybody waits for everybody, as an all-reduce does. It has only the timing of one: workers
/// mix with their neighbours, as under `full`, so that the waiting alone differs. Who has all its neighbours'
/// estimates says so, along a tree, once all its tree neighbours but one have; who has heard it from all of
/// them knows that everybody is in, and floods a threshold.
class barrier_policy final : public policy {
public:
  bool closes_by_threshold() const override { return true; }
  bool waits_for_everybody() const override { return true; }
};

} // namespace dybw
