#pragma once

#include "actors/transport/channel.hpp"

#include <memory>

namespace dybw {

class tls_context;

/// One end of a TLS connection. The handshake goes on with every `read` and `write`; for a connection that we
/// accepted nothing is set up before the other side has begun it.
std::unique_ptr<channel> make_tls_channel(std::shared_ptr<tls_context> context, bool accepted);

} // namespace dybw
