#pragma once

#include <string>

namespace dybw {

/// Whether an address of this host name is loopback only ("localhost", 127.0.0.0/8, ::1).
bool is_loopback(const std::string& host);

/// Whether a listener on this host name takes connections on every address of the machine ("0.0.0.0", "::",
/// "*").
bool is_any_address(const std::string& host);

/// Whether two host names or addresses are written alike, whatever the case; all names of loopback are one.
bool same_host(const std::string& x, const std::string& y);

/// Of an address in numbers the part that counts where its holder is to be held to account: whoever has one
/// of IPv6 has the 2^64 beside it, too. An IPv4 address is itself in either form; anything else as it is.
std::string source_of(const std::string& address);

/// This machine's name, "localhost" if it has none.
std::string own_name();

} // namespace dybw
