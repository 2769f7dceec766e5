#pragma once

#include "learning/base/types.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace dybw {

/// A block with the number that it was sent under, of which there is one on a link; 0: none. `Block` is a
/// cheap handle.
template <class Block>
struct numbered_block {
  round_number number = 0;
  Block block{};
};

/// One direction of a link on which changes travel, the sender's side: which blocks of ours the other end is
/// known to have, from the one on from which the newest change counts.
template <class Block>
class told_blocks {
public:
  static constexpr std::size_t under_way_max = 2; ///< as many as a `flow_window` lets go
  /// Blocks that may be counted from. As many as can be ahead on one link of what another acknowledges late:
  /// then both have one in common, and what counts from it serves both.
  static constexpr std::size_t known_max = under_way_max + 1;

  /// It goes out.
  void told(round_number number, Block block) {
    if (under_way_.size() == under_way_max)
      under_way_.erase(under_way_.begin());
    under_way_.push_back({number, std::move(block)});
  }
  /// The other end says that it has kept it.
  void kept(round_number number) {
    const auto found = std::ranges::find(under_way_, number, &numbered_block<Block>::number);
    if (found == under_way_.end())
      return; // of before a reset
    if (known_.size() == known_max)
      known_.erase(known_.begin());
    known_.push_back(std::move(*found));
    under_way_.erase(under_way_.begin(), found + 1);
  }
  /// The link broke, or is out of step: the other end may have nothing.
  void reset() {
    known_.clear();
    under_way_.clear();
  }

  /// Oldest first.
  const std::vector<numbered_block<Block>>& known() const noexcept { return known_; }
  bool knows(const Block& block) const {
    return std::ranges::any_of(known_, [&](const auto& x) { return is_same(x.block, block); });
  }
  /// A change counts from this one, which is known: older ones are let go of.
  numbered_block<Block> use(const Block& block) {
    known_.erase(known_.begin(),
                 std::ranges::find_if(known_, [&](const auto& x) { return is_same(x.block, block); }));
    return known_.front();
  }

  static bool is_same(const Block& x, const Block& y) {
    if constexpr (requires { x.values(); })
      return x.values().data() == y.values().data();
    else
      return x == y;
  }

private:
  std::vector<numbered_block<Block>> known_;
  std::vector<numbered_block<Block>> under_way_;
};

/// .. and the receiver's: blocks from which changes may still count.
template <class Block>
class heard_blocks {
public:
  /// What the sender may count from, what is under way, and the newest.
  static constexpr std::size_t kept_max =
      told_blocks<Block>::known_max + told_blocks<Block>::under_way_max + 1;

  /// Null: never came, or is let go of.
  const Block* find(round_number number) const {
    const auto found = std::ranges::find(kept_, number, &numbered_block<Block>::number);
    return found == kept_.end() ? nullptr : &found->block;
  }

  /// It came, as a change since the block `base`, which is here, or whole (0). The sender does not go back
  /// behind that: what came before it is let go of.
  void keep(round_number number, Block block, round_number base) {
    if (base != 0)
      kept_.erase(kept_.begin(), std::ranges::find(kept_, base, &numbered_block<Block>::number));
    if (number != base)
      std::erase_if(kept_, [number](const auto& x) { return x.number == number; }); // of a process before
    if (kept_.size() == kept_max)
      kept_.erase(kept_.begin());
    kept_.push_back({number, std::move(block)});
  }

private:
  std::vector<numbered_block<Block>> kept_;
};

/// What a worker keeps of a neighbour to which its blocks travel coded.
template <class Block>
struct coded_link {
  told_blocks<Block> told;
  heard_blocks<Block> heard;
  numbered_block<Block> base; ///< from which the estimate to come is coded
  Block sent{};               ///< what the neighbour makes of the newest that went there; none: it is mixed

  /// The link is lost, or out of step: the next block goes whole.
  void reset() {
    told.reset();
    base = {};
  }
};

/// Chooses from what the next estimate is coded for each of these links: where it can be from one block for
/// all, so that it is coded once and goes once to those who live together. Who knows none gets whole what
/// the others make of it, and is one of them from then on.
template <class Block>
void choose_bases(const std::vector<coded_link<Block>*>& links) {
  const auto all_know = [&](const Block& block) {
    return std::ranges::all_of(
        links, [&](const auto* x) { return x->told.known().empty() || x->told.knows(block); });
  };
  const numbered_block<Block>* common = nullptr;
  for (const auto* x : links) {
    const auto& known = x->told.known();
    if (known.empty())
      continue;
    for (auto i = known.size(); i > 0 && common == nullptr; --i)
      if (all_know(known[i - 1].block))
        common = &known[i - 1];
    break; // what this one does not know is not known to all
  }
  const auto shared = common != nullptr ? common->block : Block{};
  for (auto* x : links) {
    const auto& known = x->told.known();
    x->base = {};
    if (known.empty())
      continue;
    const auto before = std::ranges::find_if(links, [&](const auto* y) {
      return y == x || (y->base.number != 0 && x->told.knows(y->base.block));
    });
    x->base = x->told.use(common != nullptr ? shared
                          : *before != x    ? (*before)->base.block
                                            : known.back().block);
  }
}

} // namespace dybw
