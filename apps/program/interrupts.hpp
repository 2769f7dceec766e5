#pragma once

#include <csignal>

namespace dybw {

/// Catches Ctrl-C and `kill` while it lives; one at a time. The first one is only counted, for whoever looks;
/// a second one ends the process at once with code 130, should it hang.
class interrupt_guard {
public:
  static constexpr int exit_code = 130;

  interrupt_guard();
  ~interrupt_guard();
  interrupt_guard(const interrupt_guard&) = delete;
  interrupt_guard& operator=(const interrupt_guard&) = delete;

  /// Whether the user wants an end.
  static bool interrupted() noexcept;

private:
  struct sigaction before_int_ {};
  struct sigaction before_term_ {};
};

} // namespace dybw
