#pragma once

#include "actors/transport/peer_identity.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

struct ssl_ctx_st; // OpenSSL's SSL_CTX

namespace dybw {

/// Files of `--tls-cert`, `--tls-key`, `--tls-ca` and `--tls-crl`, all PEM: both ends of every connection
/// show a certificate that this authority signed and has not revoked.
struct tls_files {
  std::filesystem::path certificate; ///< with intermediate ones behind it, if there are any
  std::filesystem::path key;         ///< without a passphrase, closed to other users
  std::filesystem::path authority;
  std::filesystem::path revoked{}; ///< lists of revoked certificates, one of each authority; empty: none
};

/// Reads and checks them: readable, key closed to others, key fits certificate, certificate in its time, for
/// both ends of a connection, signed by the authority and not revoked. Returns whom the certificate names.
/// Throws `input_error` (configuration fault).
std::shared_ptr<const peer_identity> check_tls(const tls_files& files);

/// What all TLS connections of a process share, opened or accepted: the content of the files, TLS 1.2 at
/// least, a certificate wanted of the other side. Made anywhere, then for the multiplexer's thread only.
class tls_context {
public:
  /// How long before a certificate ends the log begins to say so.
  static constexpr std::chrono::days warn_before{14};

  /// Throws `input_error` (configuration fault) if a file cannot be read, others may read the key, or it does
  /// not fit the certificate. For the rest there is `check_tls`.
  explicit tls_context(tls_files files);

  /// For a new connection. Looks, at most once a second, whether the files have changed, and then reads them
  /// again; unless all is well with them, what was read before stays in use, and the log says why, once.
  ssl_ctx_st& current();

  /// Whether it is the certificate that we show: the other end is this process, or one beside it.
  bool is_own(const peer_identity& who) const { return who.fingerprint == fingerprint_; }

  /// Somebody has shown a certificate.
  void note_peer(const peer_identity& who);
  /// Warns in the log, once a day for each, of what will end within `warn_before`: our certificate (or one
  /// that it hangs on), the revocation list, and others' certificates. To be called often.
  void remind();
  /// Of ours, of the revocation list if there is one (by this name), and of the certificates that were shown
  /// last. Any thread.
  std::vector<certificate_end> ends() const;

private:
  void take(std::shared_ptr<ssl_ctx_st> context, const peer_identity& own, std::vector<certificate_end> ends);
  void publish_ends();

  tls_files files_;
  std::vector<std::int64_t> seen_; ///< of the files
  std::chrono::steady_clock::time_point next_look_;
  std::shared_ptr<ssl_ctx_st> context_;
  std::string fingerprint_; ///< of our certificate
  std::chrono::steady_clock::time_point next_reminder_;
  std::map<std::string, std::time_t> reminded_;                           ///< of names
  std::vector<certificate_end> own_;                                      ///< of what the files hold
  std::map<std::string, std::time_t> peers_;                              ///< the end for each name, bounded
  std::atomic<std::shared_ptr<const std::vector<certificate_end>>> ends_; ///< of both, for other threads
};

/// `ends` of it, for who does not know it; null without one.
std::function<std::vector<certificate_end>()> ends_of(std::shared_ptr<const tls_context> context);

} // namespace dybw
