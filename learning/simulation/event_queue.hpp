#pragma once

#include "learning/base/types.hpp"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <utility>
#include <vector>

namespace dybw {

/// Virtual time: events in the order of their moments, those of one moment in the order in which they were
/// pushed. Deterministic: nothing else decides the order. A binary heap; push and pop take O(log size). Not
/// thread-safe.
template <class Event>
class event_queue {
public:
  /// REQUIRES: at >= now().
  void push(nanoseconds at, Event e) {
    assert(at >= now_);
    heap_.push_back(entry{at, pushed_++, std::move(e)});
    std::push_heap(heap_.begin(), heap_.end(), later{});
  }

  /// Takes the next event out and moves the time to it. REQUIRES: !empty().
  Event pop() {
    assert(!heap_.empty());
    std::pop_heap(heap_.begin(), heap_.end(), later{});
    auto next = std::move(heap_.back());
    heap_.pop_back();
    now_ = next.at;
    return std::move(next.what);
  }

  /// The moment of the event popped last; 0 before the first.
  nanoseconds now() const noexcept { return now_; }

  /// REQUIRES: !empty().
  nanoseconds next_at() const noexcept {
    assert(!heap_.empty());
    return heap_.front().at;
  }

  bool empty() const noexcept { return heap_.empty(); }
  std::size_t size() const noexcept { return heap_.size(); }
  std::uint64_t pushed() const noexcept { return pushed_; }

private:
  struct entry {
    nanoseconds at{0};
    std::uint64_t number = 0;
    Event what;
  };
  struct later {
    bool operator()(const entry& x, const entry& y) const {
      return x.at != y.at ? x.at > y.at : x.number > y.number;
    }
  };

  std::vector<entry> heap_;
  nanoseconds now_{0};
  std::uint64_t pushed_ = 0;
};

} // namespace dybw
