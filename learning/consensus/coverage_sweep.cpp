#include "learning/consensus/coverage_sweep.hpp"

#include "learning/consensus/mutation.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace dybw {

void coverage_sweep::reset(std::uint64_t generation, edge_set connecting, sweep_end ends) {
  assert(connecting && std::is_sorted(connecting->begin(), connecting->end()));
  generation_ = generation;
  connecting_ = std::move(connecting);
  ends_ = ends;
  to_cover_ = connecting_->size();
  if (ends_ == sweep_end::all_joined) {
    std::size_t workers = 0;
    for (const auto& e : *connecting_)
      workers = std::max(workers, index_of(e.b) + 1);
    joined_ = worker_sets{workers};
    to_cover_ = static_cast<std::size_t>(
        std::ranges::count_if(*connecting_, [this](edge e) { return joined_.join(e); }));
  }
  begin_sweep(0, 0);
}

bool coverage_sweep::advances(edge e, round_number round) {
  if (round <= begun_in_)
    return false;
  const auto i = find(e);
  return i < connecting_->size() && is_of_use(i);
}

bool coverage_sweep::is_of_use(std::size_t index) {
  if (is_covered(index))
    return false;
  const auto& e = (*connecting_)[index];
  return ends_ == sweep_end::all_covered || mutated(mutation::covers_within_parts) ||
         !joined_.together(e.a, e.b);
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
  if (t.covered) {
    const auto i = find(*t.covered);
    if (i < connecting_->size() && is_of_use(i)) {
      mark(i, t.round);
      is_news = true;
    }
  }
  if (t.more && t.sweep == sweep_)
    is_news = learn(*t.more, t.round) || is_news;
  return is_news;
}

bool coverage_sweep::learn(const covered_edges& more, round_number round) {
  bits told(covered_.size());
  add(told, more);
  std::size_t news = 0;
  for (std::size_t i = 0; i < told.size(); ++i) {
    auto fresh = told[i] & ~covered_[i];
    if (ends_ == sweep_end::all_joined)
      for (auto left = fresh; left != 0; left &= left - 1) {
        const auto bit = left & ~(left - 1);
        if (!joined_.join((*connecting_)[64 * i + static_cast<std::size_t>(std::countr_zero(bit))]))
          fresh ^= bit;
      }
    covered_[i] |= fresh;
    news += static_cast<std::size_t>(std::popcount(fresh));
  }
  uncovered_ -= news;
  if (news > 0 && uncovered_ == 0)
    complete(round);
  return news > 0;
}

void coverage_sweep::add_to(bits& covered, const threshold& t) const {
  assert(t.generation == generation_);
  covered.resize(covered_.size());
  if (t.covered)
    if (const auto i = find(*t.covered); i < connecting_->size())
      set(covered, i);
  if (t.more)
    add(covered, *t.more);
}

void coverage_sweep::add(bits& to, const covered_edges& more) const {
  if (more.of == connecting_ && more.bits.size() == to.size()) { // of this process: word by word
    for (std::size_t i = 0; i < to.size(); ++i)
      to[i] |= more.bits[i];
    return;
  }
  for_each_edge(more, [&](edge e) {
    if (const auto i = find(e); i < connecting_->size())
      set(to, i);
  });
}

std::size_t coverage_sweep::find(edge e) const {
  const auto i = std::lower_bound(connecting_->begin(), connecting_->end(), e);
  return i != connecting_->end() && *i == e ? static_cast<std::size_t>(i - connecting_->begin())
                                            : connecting_->size();
}

void coverage_sweep::mark(std::size_t index, round_number round) {
  set(covered_, index);
  if (ends_ == sweep_end::all_joined)
    joined_.join((*connecting_)[index]);
  if (--uncovered_ == 0)
    complete(round);
}

void coverage_sweep::complete(round_number round) {
  ++sweeps_completed_;
  begin_sweep(sweep_ + 1, round);
}

void coverage_sweep::begin_sweep(std::uint64_t number, round_number round) {
  sweep_ = number;
  begun_in_ = round;
  covered_.assign((connecting_->size() + 63) / 64, 0);
  joined_.part_all();
  uncovered_ = to_cover_;
}

} // namespace dybw
