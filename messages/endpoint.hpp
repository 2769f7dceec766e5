#pragma once

#include <cstdint>
#include <string>

namespace dybw {

/// Where a node listens, as given on the command line: HOST:PORT.
struct endpoint {
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const endpoint&, const endpoint&) = default;
};

/// "host:port", "[::1]:port" for a host with colons.
std::string to_string(const endpoint& x);

/// Reads HOST:PORT, [HOST]:PORT for IPv6. Throws `input_error` (configuration fault), naming the text.
endpoint parse_endpoint(const std::string& text);

} // namespace dybw
