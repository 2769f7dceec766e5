#pragma once

#include "actors/actors.hpp"

#include <memory>
#include <string>

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

} // namespace dybw
