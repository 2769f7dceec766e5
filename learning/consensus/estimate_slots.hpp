#pragma once

#include "learning/base/types.hpp"

#include <cassert>
#include <utility>

namespace dybw {

/// The parameter blocks a shell keeps of one neighbour: the newest that came, and the one that counts for the
/// round in progress. Never more, so memory stays bounded however far a neighbour runs ahead. `Block` is a
/// cheap handle (a shared pointer) whose default value means "none".
template <class Block>
class estimate_slots {
public:
  /// Blocks older than the newest are not kept: no honest neighbour sends them out of order.
  void offer(round_number round, Block block) {
    if (round < newest_round_)
      return;
    newest_round_ = round;
    newest_ = std::move(block);
  }

  /// The newest now counts for `round`. REQUIRES: it is of that round.
  void use(round_number round) {
    assert(newest_round_ == round);
    used_round_ = round;
    used_ = newest_;
  }

  /// REQUIRES: `use(round)` came before.
  const Block& used(round_number round) const {
    assert(used_round_ == round);
    (void)round;
    return used_;
  }

  /// Lets go of blocks of `round` and before.
  void release(round_number round) {
    if (used_round_ <= round)
      used_ = Block{};
    if (newest_round_ <= round)
      newest_ = Block{};
  }

private:
  round_number newest_round_ = 0;
  round_number used_round_ = 0;
  Block newest_{};
  Block used_{};
};

} // namespace dybw
