#include "learning/consensus/coverage_sweep.hpp"

#include <algorithm>
#include <cassert>

namespace dybw {

void coverage_sweep::reset(std::uint64_t generation, edge_set connecting) {
  assert(connecting && std::is_sorted(connecting->begin(), connecting->end()));
  generation_ = generation;
  connecting_ = std::move(connecting);
  begin_sweep(0, 0);
}

bool coverage_sweep::advances(edge e, round_number round) const {
  if (round <= begun_in_)
    return false;
  const auto i = find(e);
  return i < connecting_->size() && !covered_[i];
}

void coverage_sweep::cover(edge e, round_number round) {
  assert(advances(e, round));
  mark(find(e), round);
}

bool coverage_sweep::learn(const threshold& t) {
  if (t.generation != generation_ || t.sweep < sweep_)
    return false;
  auto is_news = false;
  if (t.sweep > sweep_) { // somebody saw the present sweep completed
    sweeps_completed_ += t.sweep - sweep_;
    begin_sweep(t.sweep, t.round - 1); // at the latest: it has an edge of this round already
    is_news = true;
  }
  if (!t.covered)
    return is_news;
  const auto i = find(*t.covered);
  if (i == connecting_->size() || covered_[i])
    return is_news;
  mark(i, t.round);
  return true;
}

std::size_t coverage_sweep::find(edge e) const {
  const auto i = std::lower_bound(connecting_->begin(), connecting_->end(), e);
  return i != connecting_->end() && *i == e ? static_cast<std::size_t>(i - connecting_->begin())
                                            : connecting_->size();
}

void coverage_sweep::mark(std::size_t index, round_number round) {
  covered_[index] = true;
  if (--uncovered_ > 0)
    return;
  ++sweeps_completed_;
  begin_sweep(sweep_ + 1, round);
}

void coverage_sweep::begin_sweep(std::uint64_t number, round_number round) {
  sweep_ = number;
  begun_in_ = round;
  covered_.assign(connecting_->size(), false);
  uncovered_ = connecting_->size();
}

} // namespace dybw
