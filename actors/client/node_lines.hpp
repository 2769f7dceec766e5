#pragma once

#include "actors/actors.hpp"

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace dybw {

// --- What happens to the control connections of a client: events ---

/// The connection to a node that was asked for is there.
struct node_reached {
  node_index node{};
};
/// It is not.
struct node_not_reached {
  node_index node{};
  std::string reason;
};
struct node_said {
  node_index node{};
  std::shared_ptr<const control_message> message;
};
struct node_hung_up {
  node_index node{};
  std::string reason;
};
using node_event = std::variant<node_reached, node_not_reached, node_said, node_hung_up>;

/// Comes about ten times a second.
struct time_passed {};

// --- What is to be done with them: effects, to be carried out in order ---

struct call_node {
  node_index node{};
  endpoint to;
  nanoseconds patience{0};
};
/// To a node that was reached and has not hung up.
struct tell_node {
  node_index node{};
  std::shared_ptr<const control_message> message;
};
/// Nothing of this connection is to be heard any more.
struct hang_up {
  node_index node{};
};

// --- What a machine keeps of them ---

/// How it stands with the connection to one node. Who changes it gets the effect that belongs to the change.
struct node_line {
  enum class state { closed, calling, open };

  static constexpr nanoseconds call_patience{std::chrono::seconds{5}};
  static constexpr nanoseconds call_again_after{std::chrono::seconds{1}};

  node_index node{};
  endpoint address; ///< where it listens as far as is known; a restarted node may have moved
  state now_is = state::closed;
  nanoseconds changed{0}; ///< when `now_is` did last
  nanoseconds heard{0};   ///< the last sign of life

  std::string name() const { return to_string(address); }
  bool is_open() const noexcept { return now_is == state::open; }
  bool is_closed() const noexcept { return now_is == state::closed; }
  bool may_be_called_again(nanoseconds now) const noexcept {
    return is_closed() && now - changed >= call_again_after;
  }

  call_node call(nanoseconds now, nanoseconds patience = call_patience) {
    change(state::calling, now);
    return {node, address, patience};
  }
  template <class Message>
  tell_node tell(Message message) const {
    return {node, std::make_shared<const control_message>(std::move(message))};
  }
  hang_up close(nanoseconds now) {
    change(state::closed, now);
    return {node};
  }

  /// The node was reached. False if it is not called any more.
  bool reached(nanoseconds now) {
    if (now_is != state::calling)
      return false;
    change(state::open, now);
    heard = now;
    return true;
  }
  /// It was not reached, or has hung up. False if there is no connection any more.
  bool lost(nanoseconds now) {
    if (is_closed())
      return false;
    change(state::closed, now);
    return true;
  }

private:
  void change(state to, nanoseconds now) {
    now_is = to;
    changed = now;
  }
};

/// One for each node, closed.
inline std::vector<node_line> lines_to(std::span<const endpoint> nodes) {
  std::vector<node_line> lines(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    lines[i].node = node_at(i);
    lines[i].address = nodes[i];
  }
  return lines;
}

/// How long a node of the run may be silent.
inline nanoseconds silence_max(const run_config& config) {
  return std::max<nanoseconds>(from_seconds(config.suspect_after_s), std::chrono::seconds{2});
}

/// What was not heard while this process was asleep itself, for half of `silence` or longer, is forgiven.
template <class Lines>
void forgive_silence(Lines& lines, nanoseconds& ticked, nanoseconds now, nanoseconds silence) {
  if (now - std::exchange(ticked, now) > silence / 2)
    for (auto& line : lines)
      line.heard = now;
}

} // namespace dybw
