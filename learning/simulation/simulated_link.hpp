#pragma once

#include "learning/consensus/messages.hpp"
#include "learning/simulation/faults.hpp"
#include "learning/simulation/simulated_model.hpp"

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace dybw {

/// What shells send each other.
struct envelope {
  struct receipt { ///< flow control
    round_number round = 0;
    bool kept = true; ///< what came can be counted from
  };
  struct sign_of_life {};
  struct connection_broken {}; ///< from the receiver's own side, ahead of a new connection's messages

  std::variant<sign_of_life, connection_broken, receipt, protocol_message> content;
  estimate_handle block;

  bool is_of_protocol() const { return std::holds_alternative<protocol_message>(content); }
  bool carries_parameters() const;
};

/// Room for what is under way in a network. Links are many and mostly empty: a place that a message has left
/// is the next to be taken, so those in use are few and stay in the processor's cache. Not thread-safe.
class envelope_pool {
public:
  static constexpr std::uint32_t nowhere = ~std::uint32_t{0};

  std::uint32_t put(envelope e);
  /// REQUIRES: something was put there; so for all that name a place.
  envelope take(std::uint32_t place);
  const envelope& at(std::uint32_t place) const { return places_[place].content; }
  /// What comes after it on its link.
  std::uint32_t next(std::uint32_t place) const { return places_[place].next; }
  void set_next(std::uint32_t place, std::uint32_t next) { places_[place].next = next; }
  std::size_t size() const noexcept { return places_.size(); } ///< places, in use or free

private:
  struct slot {
    envelope content;
    std::uint32_t next = nowhere;
  };
  std::vector<slot> places_;
  std::uint32_t free_ = nowhere; ///< the first of those that are free
};

/// One direction of an edge: what is under way on it, in the order sent, and what becomes of it when the link
/// is cut. Knows no queue of events: whoever posts schedules a delivery, and takes the next message out when
/// it is due. The pool outlives it. Not thread-safe.
class simulated_link {
public:
  explicit simulated_link(envelope_pool& pool) noexcept : pool_(&pool) {}

  /// Returns whether a delivery is to be scheduled: a cut link loses the message, or holds it back.
  bool post(envelope e);
  /// When what was posted last arrives if it takes so long: messages do not overtake each other.
  nanoseconds arrival(nanoseconds now, nanoseconds takes);
  /// Whether a delivery that comes due, scheduled on this connection, brings a message now. A cut link holds
  /// it back.
  bool brings(std::uint32_t connection);
  /// REQUIRES: something is under way.
  envelope take();

  void lose_under_way();
  void cut_off(cut_fault::kind how);
  /// Returns how many deliveries it held back, which are to be scheduled again.
  std::size_t mend();

  std::optional<cut_fault::kind> cut() const noexcept { return cut_; }
  /// Deliveries of an earlier connection are void.
  std::uint32_t connection() const noexcept { return connection_; }
  /// REQUIRES: something is under way.
  const envelope& newest() const { return pool_->at(last_); }
  std::size_t messages_under_way() const noexcept { return messages_; } ///< of the protocol
  std::size_t blocks_under_way() const noexcept { return blocks_; }     ///< .. that carry parameters

private:
  envelope_pool* pool_;
  std::uint32_t first_ = envelope_pool::nowhere; ///< of what is under way
  std::uint32_t last_ = envelope_pool::nowhere;
  std::uint32_t messages_ = 0;
  std::uint32_t blocks_ = 0;
  nanoseconds last_arrival_{0};
  std::uint32_t connection_ = 0;
  std::uint32_t held_ = 0; ///< deliveries that came due, or were to be scheduled, while it was cut
  std::optional<cut_fault::kind> cut_;
};

} // namespace dybw
