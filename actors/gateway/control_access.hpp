#pragma once

#include "actors/transport/peer_identity.hpp"
#include "messages/control.hpp"

#include <string>
#include <vector>

namespace dybw {

/// The run that this process takes part in, as far as rights depend on it.
struct run_places {
  run_id run = 0;
  node_index self{};
  const std::vector<endpoint>& nodes;       ///< [nodes], where each is now
  const std::vector<node_index>& placement; ///< [workers]
};

/// The run that it took part in before.
struct past_run {
  run_id run = 0;
  std::vector<endpoint> nodes;
};

/// Why the holder of this certificate may not ask for this, in one line; empty if it may. With TLS a place in
/// a run belongs to its host: whoever speaks for a place shows a certificate for that host, and nobody else
/// can take the place, move it, or begin in the name of its workers. A node may stop or collect only what is
/// known to have a place for it. `here`, `before`: null without such a run. Pure.
std::string refusal_of(const control_message& request, const peer_identity& who, const run_places* here,
                       const past_run* before);

/// Why the holder may not be at the other end of a connection that was dialled to this host as a node's;
/// empty if it may.
std::string refusal_as_node(const peer_identity& who, const std::string& host);

} // namespace dybw
