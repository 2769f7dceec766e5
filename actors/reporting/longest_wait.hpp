#pragma once

#include "actors/actors.hpp"

#include <string>

namespace dybw {

/// Who of several workers has waited longest, for whom and for what.
class longest_wait {
public:
  void add(const worker_status& status);

  /// One line; empty if nobody waits.
  const std::string& text() const noexcept { return text_; }

private:
  nanoseconds longest_{0};
  std::string text_;
};

} // namespace dybw
