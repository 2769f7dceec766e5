#pragma once

#include "learning/consensus/messages.hpp"
#include "learning/simulation/faults.hpp"
#include "learning/simulation/simulated_model.hpp"

#include <optional>
#include <variant>
#include <vector>

namespace dybw {

/// What shells send each other.
struct envelope {
  struct receipt { ///< flow control
    round_number round = 0;
  };
  struct sign_of_life {};
  struct connection_broken {}; ///< from the receiver's own side, ahead of a new connection's messages

  std::variant<sign_of_life, connection_broken, receipt, protocol_message> content;
  estimate_handle block;

  bool is_of_protocol() const { return std::holds_alternative<protocol_message>(content); }
  bool carries_parameters() const;
};

/// One direction of an edge: what is under way on it, in the order sent, and what becomes of it when the link
/// is cut. Knows no queue of events: whoever posts schedules a delivery, and takes the next message out when
/// it is due. Not thread-safe.
class simulated_link {
public:
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
  const envelope& newest() const { return under_way_.back(); }
  std::size_t messages_under_way() const noexcept { return messages_; } ///< of the protocol
  std::size_t blocks_under_way() const noexcept { return blocks_; }     ///< .. that carry parameters

private:
  std::vector<envelope> under_way_; ///< from first_ on: links are many, and mostly empty
  std::size_t first_ = 0;
  std::size_t messages_ = 0;
  std::size_t blocks_ = 0;
  nanoseconds last_arrival_{0};
  std::uint32_t connection_ = 0;
  std::optional<cut_fault::kind> cut_;
  std::size_t held_ = 0; ///< deliveries that came due, or were to be scheduled, while it was cut
};

} // namespace dybw
