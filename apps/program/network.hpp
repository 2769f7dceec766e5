#pragma once

#include "actors/gateway/gateway.hpp"
#include "actors/transport/system_config.hpp"
#include "actors/transport/tls_context.hpp"

#include <optional>

namespace dybw {

/// An actor system with a gateway that only dials: what a command needs that talks to nodes.
class network {
public:
  explicit network(const std::optional<tls_files>& tls);
  ~network();
  network(const network&) = delete;
  network& operator=(const network&) = delete;

  caf::actor_system& system() noexcept { return system_; }
  const gateway_actor& gateway() const noexcept { return gateway_; }
  /// Of the certificates that are shown on its connections; null without TLS. May outlive this.
  std::function<std::vector<certificate_end>()> certificates() const { return ends_of(tls_); }

private:
  network_config config_;
  caf::actor_system system_;
  std::shared_ptr<tls_context> tls_;
  gateway_actor gateway_;
};

} // namespace dybw
