#pragma once

#include "learning/base/work_crew.hpp"

namespace dybw::test {

/// Takes the pieces of a call backwards and on three lanes in turn: whatever the order, nothing may change.
class contrary_crew final : public work_crew {
public:
  std::size_t lanes() const override { return 3; }
  void run(std::size_t count, const piece& work) override {
    for (std::size_t i = count; i-- > 0;)
      work(i, next_++ % lanes());
  }

private:
  std::size_t next_ = 0;
};

} // namespace dybw::test
