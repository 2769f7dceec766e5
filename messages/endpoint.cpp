#include "messages/endpoint.hpp"

#include "learning/base/error.hpp"

#include <charconv>

namespace dybw {

namespace {

[[noreturn]] void refuse(const std::string& text, const std::string& what) {
  throw input_error{input_fault::configuration, "the address \"" + text + "\" " + what, "",
                    "give HOST:PORT, for example 127.0.0.1:7400"};
}

} // namespace

std::string to_string(const endpoint& x) {
  const auto host = x.host.find(':') == std::string::npos ? x.host : "[" + x.host + "]";
  return host + ":" + std::to_string(x.port);
}

endpoint parse_endpoint(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos)
    refuse(text, "has no port");
  auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']'))
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string::npos)
    refuse(text, "has more than one colon");
  if (host.empty() || host.find_first_of(" \t/[]") != std::string::npos)
    refuse(text, "has no valid host");
  std::uint16_t port = 0;
  const auto* const end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data() + colon + 1, end, port);
  if (error != std::errc{} || last != end)
    refuse(text, "has no port from 0 to 65535");
  return endpoint{std::move(host), port};
}

} // namespace dybw
