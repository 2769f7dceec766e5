#include "apps/view_text.hpp"

#include "apps/text_table.hpp"

#include <algorithm>

namespace dybw {

namespace {

/// What is waited for, of whom and for which round.
std::string awaited_text(const wait_view& w) {
  const auto round = std::to_string(w.round);
  if (w.whom == w.who)
    return "a threshold for round " + round + " from any worker";
  const auto whom = "worker " + to_string(w.whom);
  switch (w.what) {
  case wait_cause::kind::estimate:
    return whom + "'s estimate of round " + round;
  case wait_cause::kind::answer:
    return whom + " to accept or close round " + round;
  case wait_cause::kind::closing:
    return whom + " to close round " + round;
  case wait_cause::kind::threshold:
    return whom + "'s threshold for round " + round;
  }
  return whom;
}

} // namespace

std::string wait_text(const wait_view& w) {
  auto text = "worker " + to_string(w.who) + " waits for " + awaited_text(w) + ", " +
              fixed_text(w.waited_s, 1) + " s";
  if (w.timeout_in_s)
    return text + "; goes on without it in " + fixed_text(std::max(*w.timeout_in_s, 0.0), 1) + " s";
  return text + "; ends with the answer, or when it is declared down";
}

} // namespace dybw
