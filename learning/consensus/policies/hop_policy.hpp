#pragma once

#include "learning/consensus/policies/static_policy.hpp"

namespace dybw {

/// `hop:B:GAP`: `static:B` with a bounded gap and skipping (after Luo, Lin, Zhuo, Qian: Hop:
/// Heterogeneity-aware decentralized training, ASPLOS 2019). A round does not close while a neighbour is more
/// than GAP rounds behind; who is behind joins the newest round of its neighbours and skips those in between,
/// as under every local quorum. So a straggler is averaged with at least once in GAP rounds of its
/// neighbours. Nobody waits for who is ahead, so the worker that is furthest behind never waits for the gap:
/// it cannot end in a circle.
class hop_policy final : public policy {
public:
  hop_policy(std::size_t backup_workers, std::size_t gap) : quorum_(backup_workers), gap_(gap) {}

  bool quorum_is_met(const round_view& view) const override {
    return quorum_.quorum_is_met(view) && view.round <= view.slowest_in + gap_;
  }
  bool looks_at_the_slowest() const override { return true; }

private:
  static_policy quorum_;
  std::size_t gap_;
};

} // namespace dybw
