#pragma once

#include "learning/consensus/policies/policy.hpp"

#include <algorithm>

namespace dybw {

/// `static:B`: wait until all neighbours but B are in or past the round, and for at least one to be in. Who
/// is past the round counts as in: it cannot be averaged with any more, and waiting for a straggler in its
/// place would undo what B is for. Persistent stragglers drop out of their neighbours' averages: nothing
/// covers their edges again.
class static_policy final : public policy {
public:
  explicit static_policy(std::size_t backup_workers) : backup_workers_(backup_workers) {}

  bool quorum_is_met(const round_view& view) const override {
    return view.still_to_come <= backup_workers_ && view.accepted >= std::min<std::size_t>(1, view.degree);
  }

private:
  std::size_t backup_workers_;
};

} // namespace dybw
