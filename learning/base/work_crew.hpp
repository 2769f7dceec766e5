#pragma once

#include <cstddef>
#include <functional>

namespace dybw {

/// Does independent pieces of work, perhaps several at a time. Who has threads supplies one; the core has
/// none.
class work_crew {
public:
  using piece = std::function<void(std::size_t index, std::size_t lane)>;

  virtual ~work_crew() = default;

  /// How many pieces may be under way at a time, at least 1.
  virtual std::size_t lanes() const = 0;

  /// Calls `work` for 0 .. count-1 in any order and returns when all are done. Calls with the same lane, 0 ..
  /// lanes()-1, do not overlap. REQUIRES: `work` does not throw.
  virtual void run(std::size_t count, const piece& work) = 0;
};

/// One piece after the other, in order.
class lone_crew final : public work_crew {
public:
  std::size_t lanes() const override { return 1; }
  void run(std::size_t count, const piece& work) override {
    for (std::size_t i = 0; i < count; ++i)
      work(i, 0);
  }
};

} // namespace dybw
