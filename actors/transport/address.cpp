#include "actors/transport/address.hpp"

#include <arpa/inet.h>
#include <array>
#include <netinet/in.h>
#include <strings.h>
#include <unistd.h>

namespace dybw {

bool is_loopback(const std::string& host) {
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1)
    return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  if (::inet_pton(AF_INET6, host.c_str(), &v6) == 1)
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
  return host == "localhost";
}

bool is_any_address(const std::string& host) {
  return host == "0.0.0.0" || host == "::" || host == "*";
}

bool same_host(const std::string& x, const std::string& y) {
  return ::strcasecmp(x.c_str(), y.c_str()) == 0 || (is_loopback(x) && is_loopback(y));
}

std::string own_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string{name.data()} : "localhost";
}

} // namespace dybw
