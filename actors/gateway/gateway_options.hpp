#pragma once

#include "actors/actors.hpp"
#include "messages/limits.hpp"

#include <memory>
#include <optional>

namespace dybw {

class tls_context;

/// Part of the reason of a `link_changed` when the other end knows a newer process in this node's place.
inline constexpr auto* place_taken_reason = "this place has a new process";

struct gateway_options {
  std::optional<endpoint> listen;    ///< port 0: any free one; none: dials only
  std::optional<endpoint> advertise; ///< where others reach this node; none: where it listens
  std::shared_ptr<tls_context> tls;  ///< none: connections without TLS
  control_client_actor
      acceptor; ///< gets what arrives on accepted control connections; may be null without `listen`
  nanoseconds hello_within{hello_time}; ///< whoever connects has to say hello in this time
};

} // namespace dybw
