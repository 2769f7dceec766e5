#pragma once

#include "learning/base/types.hpp"

#include <cassert>
#include <cstddef>
#include <optional>

namespace dybw {

/// What one neighbour still keeps the round in progress open for.
struct neighbour_standing {
  bool to_come = false;      ///< its estimate may still be accepted
  bool owes_answer = false;  ///< settling: its word whether it accepts ours
  bool owes_closing = false; ///< settling, weights active: its degree
  bool owes_branch = false;  ///< barrier, a tree neighbour: that everybody behind it is in
  round_number in = 0;       ///< the newest round it is known to be in
};

/// How many neighbours the round in progress still waits for, and for what. Kept as they change, so that a
/// message costs the same however many neighbours there are. Not thread-safe; deterministic.
class round_tally {
public:
  /// The neighbour at this place stood so and stands otherwise now. At first everybody stands as
  /// `neighbour_standing{}`.
  void change(std::size_t place, const neighbour_standing& was, const neighbour_standing& is) noexcept {
    add(to_come_, was.to_come, is.to_come);
    add(answers_owed_, was.owes_answer, is.owes_answer);
    add(closings_owed_, was.owes_closing, is.owes_closing);
    if (was.owes_branch != is.owes_branch) {
      add(branches_owed_, was.owes_branch, is.owes_branch);
      branches_ ^= place;
    }
    if (was.to_come && !(is.to_come && is.in == was.in))
      leaves(was.in);
    if (is.to_come && !(was.to_come && is.in == was.in))
      comes(is.in);
  }

  std::size_t to_come() const noexcept { return to_come_; }
  std::size_t answers_owed() const noexcept { return answers_owed_; }
  std::size_t closings_owed() const noexcept { return closings_owed_; }
  std::size_t branches_owed() const noexcept { return branches_owed_; }

  /// The place of the one that owes its branch. REQUIRES: branches_owed() == 1.
  std::size_t last_branch() const noexcept {
    assert(branches_owed_ == 1);
    return branches_;
  }

  /// The lowest round that one of those to come is known to be in. Nothing if that has to be looked up again:
  /// the last that was in it has gone on.
  std::optional<round_number> slowest() const noexcept {
    return at_slowest_ > 0 ? std::optional{slowest_} : std::nullopt;
  }
  /// It was looked up: so many are in it.
  void set_slowest(round_number slowest, std::size_t count) noexcept {
    slowest_ = slowest;
    at_slowest_ = count;
    known_ = true;
  }

private:
  static void add(std::size_t& count, bool was, bool is) noexcept {
    count += is ? 1U : 0U;
    count -= was ? 1U : 0U;
  }
  void leaves(round_number in) noexcept {
    if (known_ && in == slowest_ && --at_slowest_ == 0)
      known_ = false;
  }
  void comes(round_number in) noexcept {
    if (!known_)
      return;
    if (in < slowest_) {
      slowest_ = in;
      at_slowest_ = 0;
    }
    at_slowest_ += in == slowest_ ? 1U : 0U;
  }

  std::size_t to_come_ = 0;
  std::size_t answers_owed_ = 0;
  std::size_t closings_owed_ = 0;
  std::size_t branches_owed_ = 0;
  std::size_t branches_ = 0; ///< exclusive or of their places
  round_number slowest_ = 0;
  std::size_t at_slowest_ = 0;
  bool known_ = false;
};

} // namespace dybw
