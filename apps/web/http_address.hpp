#pragma once

#include "actors/transport/peer_identity.hpp"
#include "messages/endpoint.hpp"

#include <functional>
#include <string>
#include <vector>

namespace dybw {

/// A token that may be guessed at from other machines has at least so many characters.
inline constexpr std::size_t remote_token_bytes_min = 16;

/// When the certificates end that this process shows or was shown; may be called from any thread. Null: there
/// are none.
using certificate_source = std::function<std::vector<certificate_end>()>;

/// Where the web page and the metrics of a run are served.
struct http_options {
  endpoint address; ///< port 0: any free one
  std::string
      token; ///< what a visitor must know; empty only on loopback: whoever is on this machine may look
  certificate_source certificates = {}; ///< for `/metrics`
};

} // namespace dybw
