#pragma once

#include "learning/base/types.hpp"

#include <algorithm>
#include <array>

namespace dybw {

/// Flow control of one link, the sender's side: at most two parameter blocks unacknowledged. When it is full
/// an estimate travels without its parameters; nothing else is ever withheld (holding back whole messages
/// stalls the protocol and makes edges one-sided, docs/protocol.md).
class flow_window {
public:
  static constexpr std::size_t blocks_max = 2;

  /// Whether the parameters of `round` may go; if so they count as under way. REQUIRES: round >= 1.
  bool try_send(round_number round) noexcept {
    const auto slot = std::find(under_way_.begin(), under_way_.end(), round_number{0});
    if (slot == under_way_.end())
      return false;
    *slot = round;
    return true;
  }

  /// The other shell has received the block of `round`. Unknown rounds (from before a `reset`) are ignored.
  void received(round_number round) noexcept {
    std::replace(under_way_.begin(), under_way_.end(), round, round_number{0});
  }

  /// The link broke: what was under way is gone.
  void reset() noexcept { under_way_.fill(0); }

private:
  std::array<round_number, blocks_max> under_way_{};
};

} // namespace dybw
