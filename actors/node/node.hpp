#pragma once

#include "actors/node/node_options.hpp"

namespace dybw {

struct opened_node {
  node_actor handle;
  gateway_actor gateway;
  endpoint advertised; ///< with the real port
};

/// The node alone. Its gateway is introduced to it by `gateway_opened`.
node_actor spawn_node(caf::actor_system& system, node_options options);

/// Opens the port, then serves until the node is told to stop. Throws `input_error` (network fault) if the
/// port cannot be opened. The middleman must be loaded.
opened_node open_node(caf::actor_system& system, node_options options);

} // namespace dybw
