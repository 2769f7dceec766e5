#pragma once

#include <caf/actor_system_config.hpp>

namespace dybw {

/// CAF's settings for this project: its message types, and the `sharing` scheduler, whose idle threads sleep
/// until there is work (the default one polls, which costs processor time and up to 10 ms per message).
class system_config : public caf::actor_system_config {
public:
  system_config();
};

/// With the network besides, so that `open_gateway` works.
class network_config : public system_config {
public:
  network_config();
};

} // namespace dybw
