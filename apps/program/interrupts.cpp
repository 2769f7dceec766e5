#include "apps/program/interrupts.hpp"

#include <atomic>

#include <unistd.h>

namespace dybw {

namespace {

std::atomic<int> interrupts{0};

extern "C" void on_interrupt(int) {
  if (interrupts.fetch_add(1) > 0)
    _exit(interrupt_guard::exit_code);
}

} // namespace

interrupt_guard::interrupt_guard() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  interrupts = 0;
  sigaction(SIGINT, &action, &before_int_);
  sigaction(SIGTERM, &action, &before_term_);
}

interrupt_guard::~interrupt_guard() {
  sigaction(SIGINT, &before_int_, nullptr);
  sigaction(SIGTERM, &before_term_, nullptr);
}

bool interrupt_guard::interrupted() noexcept {
  return interrupts > 0;
}

} // namespace dybw
