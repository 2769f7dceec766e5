#pragma once

#include "learning/base/types.hpp"

#include <semaphore>

namespace dybw {

/// The turn of one among many, if it has come to that; given back at the end.
class turn {
public:
  explicit turn(std::binary_semaphore& free) : free_(free), has_it_(true) { free_.acquire(); }
  turn(std::binary_semaphore& free, nanoseconds patience)
      : free_(free), has_it_(free.try_acquire_for(patience)) {}
  ~turn() {
    if (has_it_)
      free_.release();
  }
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;
  explicit operator bool() const noexcept { return has_it_; }

private:
  std::binary_semaphore& free_;
  bool has_it_;
};

} // namespace dybw
