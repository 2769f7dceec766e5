#pragma once

#include "messages/endpoint.hpp"

#include <string>

namespace dybw {

/// Where the web page and the metrics of a run are served.
struct http_options {
  endpoint address; ///< port 0: any free one
  std::string
      token; ///< what a visitor must know; empty only on loopback: whoever is on this machine may look
};

} // namespace dybw
