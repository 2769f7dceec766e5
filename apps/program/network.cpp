#include "apps/program/network.hpp"

namespace dybw {

network::network(const std::optional<tls_files>& tls) : system_(config_) {
  gateway_options options;
  if (tls)
    options.tls = tls_ = std::make_shared<tls_context>(*tls);
  gateway_ = open_gateway(system_, options).handle;
}

network::~network() {
  caf::anon_send_exit(gateway_, caf::exit_reason::user_shutdown);
}

} // namespace dybw
