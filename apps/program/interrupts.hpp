#pragma once

#include <chrono>
#include <csignal>

namespace dybw {

/// Catches Ctrl-C, `kill` and the end of the terminal while it lives; one at a time. The first one is only
/// counted, for whoever looks; a second one ends the process at once with code 130, should it hang. Under
/// `nohup` the end of the terminal stays ignored.
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
  struct sigaction before_hup_ {};
};

/// A reader of our output that goes away and a limit on the size of files become writes that fail, which can
/// be told, instead of the end of the process. For the whole process, from then on.
void outlive_failed_writes() noexcept;

/// Ends the process with this code after this time, whatever still keeps it. Once.
void end_within(std::chrono::seconds time, int exit_code) noexcept;

} // namespace dybw
