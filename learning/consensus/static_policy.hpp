#pragma once

#include "learning/consensus/policy.hpp"

#include <algorithm>

namespace dybw {

/// `static:B`: wait for all neighbours but B, and for at least one. Persistent stragglers drop out of their
/// neighbours' averages: nothing covers their edges again.
class static_policy final : public policy {
public:
  explicit static_policy(std::size_t backup_workers) : backup_workers_(backup_workers) {}

  std::string_view name() const override { return "static"; }
  weight_rule default_weights() const override { return weight_rule::graph; }

  bool quorum_is_met(const round_view& view) const override {
    const auto wanted = view.degree > backup_workers_ ? view.degree - backup_workers_ : std::size_t{1};
    return view.accepted >= std::min(wanted, view.degree);
  }

  std::size_t retune(const round_outcome& outcome) override { return outcome.degree - outcome.committed; }

private:
  std::size_t backup_workers_;
};

} // namespace dybw
