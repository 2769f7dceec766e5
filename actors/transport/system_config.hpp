#pragma once

#include "actors/transport/tls_channel.hpp"

#include <caf/actor_system_config.hpp>

#include <optional>

namespace dybw {

/// CAF's settings for this project: its message types, and the `sharing` scheduler, whose idle threads sleep
/// until there is work (the default one polls, which costs processor time and up to 10 ms per message).
class system_config : public caf::actor_system_config {
public:
  /// Without the network.
  system_config();
  /// With it, so that `open_gateway` works; through TLS if there are files (check them before, `check_tls`).
  explicit system_config(const std::optional<tls_files>& tls);
};

} // namespace dybw
