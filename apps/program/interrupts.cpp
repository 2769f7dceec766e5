#include "apps/program/interrupts.hpp"

#include <atomic>

#include <unistd.h>

namespace dybw {

namespace {

std::atomic<int> interrupts{0};
std::atomic<int> exit_code_of_alarm{0};

extern "C" void on_alarm(int) {
  _exit(exit_code_of_alarm);
}

extern "C" void on_interrupt(int) {
  if (interrupts.fetch_add(1) > 0)
    _exit(interrupt_guard::exit_code);
}

/// A terminal that goes says so more than once: none of it is the user's second word.
extern "C" void on_hangup(int) {
  int none = 0;
  interrupts.compare_exchange_strong(none, 1);
}

/// Returns what was before.
struct sigaction catch_signal(int number, void (*handler)(int)) {
  struct sigaction before {};
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, &before);
  return before;
}

} // namespace

interrupt_guard::interrupt_guard() {
  interrupts = 0;
  before_int_ = catch_signal(SIGINT, on_interrupt);
  before_term_ = catch_signal(SIGTERM, on_interrupt);
  before_hup_ = catch_signal(SIGHUP, on_hangup);
  if (before_hup_.sa_handler == SIG_IGN) // as `nohup` wants it
    sigaction(SIGHUP, &before_hup_, nullptr);
}

interrupt_guard::~interrupt_guard() {
  sigaction(SIGINT, &before_int_, nullptr);
  sigaction(SIGTERM, &before_term_, nullptr);
  sigaction(SIGHUP, &before_hup_, nullptr);
}

bool interrupt_guard::interrupted() noexcept {
  return interrupts > 0;
}

void outlive_failed_writes() noexcept {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

void end_within(std::chrono::seconds time, int exit_code) noexcept {
  exit_code_of_alarm = exit_code;
  catch_signal(SIGALRM, on_alarm);
  alarm(static_cast<unsigned>(time.count()));
}

} // namespace dybw
