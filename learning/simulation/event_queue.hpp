#pragma once

#include "learning/base/types.hpp"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace dybw {

/// Virtual time: events in the order of their moments, those of one moment in the order in which they were
/// pushed. Deterministic: nothing else decides the order. A binary heap; push and pop take O(log size), for
/// what is due at once O(1). Not thread-safe.
template <class Event>
class event_queue {
public:
  /// REQUIRES: at >= now().
  void push(nanoseconds at, Event e) {
    assert(at >= now_);
    ++pushed_;
    if (at == now_) {
      at_once_.push_back(std::move(e));
      return;
    }
    heap_.push_back(entry{at, pushed_, std::move(e)});
    std::push_heap(heap_.begin(), heap_.end(), later{});
  }

  /// Takes the next event out and moves the time to it. REQUIRES: !empty().
  Event pop() {
    assert(!empty());
    if (!at_once_.empty() && !heap_has_now()) {
      auto next = std::move(at_once_.front());
      at_once_.pop_front();
      return next;
    }
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
    assert(!empty());
    return at_once_.empty() ? heap_.front().at : now_;
  }

  bool empty() const noexcept { return heap_.empty() && at_once_.empty(); }
  std::size_t size() const noexcept { return heap_.size() + at_once_.size(); }
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

  bool heap_has_now() const noexcept { return !heap_.empty() && heap_.front().at == now_; }

  std::vector<entry> heap_;
  std::deque<Event> at_once_; ///< pushed for now(): after those that were due now already
  nanoseconds now_{0};
  std::uint64_t pushed_ = 0;
};

} // namespace dybw
