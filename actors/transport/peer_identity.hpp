#pragma once

#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <string>

struct x509_st; // OpenSSL's X509

namespace dybw {

/// What the holder of a certificate may do.
enum class peer_role : std::uint8_t {
  monitor = 1,  ///< read how runs stand
  launcher = 2, ///< that, and begin, follow, collect and stop runs
  node = 4,     ///< that but for beginning, in runs of which it is part; have a place in a run
};

/// Whom a certificate names. Its roles are organizational units of its subject: OU=dybw-node, dybw-launcher,
/// dybw-monitor, any of them. (A standard field: every tool that makes certificates can write it, and every
/// one that shows them shows it; alternative names are the hosts', and other extensions would need a number
/// of our own.) Immutable; any thread.
struct peer_identity {
  std::string name;        ///< for messages: its common name, cleaned
  std::uint8_t roles = 0;  ///< sum of `peer_role`s
  std::time_t ends = 0;    ///< of its validity; 0: not known
  std::string fingerprint; ///< SHA-256 of the certificate, as bytes
  /// Whether an alternative name is this host's or address's. On loopback any name of loopback will do.
  std::function<bool(const std::string& host)> is_for;

  bool is(peer_role role) const noexcept { return (roles & static_cast<std::uint8_t>(role)) != 0; }
};

/// When a certificate ends that this process shows or was shown.
struct certificate_end {
  std::string name;
  std::time_t ends = 0;
};

/// "node and launcher", "no role".
std::string roles_text(const peer_identity& x);

/// Keeps the certificate.
std::shared_ptr<const peer_identity> identity_of(x509_st& certificate);

} // namespace dybw
