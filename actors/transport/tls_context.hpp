#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

struct ssl_ctx_st; // OpenSSL's SSL_CTX

namespace dybw {

/// Files of `--tls-cert`, `--tls-key` and `--tls-ca`, all PEM: both ends of every connection show a
/// certificate that this authority signed.
struct tls_files {
  std::filesystem::path certificate; ///< with intermediate ones behind it, if there are any
  std::filesystem::path key;         ///< without a passphrase
  std::filesystem::path authority;
};

/// Reads and checks them: readable, key fits certificate, certificate in its time, for both ends of a
/// connection and signed by the authority. Throws `input_error` (configuration fault).
void check_tls(const tls_files& files);

/// What all TLS connections of a process share, opened or accepted: the content of the files, TLS 1.2 at
/// least, a certificate wanted of the other side. Made anywhere, then for the multiplexer's thread only.
class tls_context {
public:
  /// Throws `input_error` (configuration fault) if a file cannot be read or the key does not fit the
  /// certificate. For the rest there is `check_tls`.
  explicit tls_context(tls_files files);

  /// For a new connection. Looks, at most once a second, whether the files have changed, and then reads them
  /// again; unless all is well with them, what was read before stays in use, and the log says why, once.
  ssl_ctx_st& current();

private:
  tls_files files_;
  std::vector<std::int64_t> seen_; ///< of the files
  std::chrono::steady_clock::time_point next_look_;
  std::shared_ptr<ssl_ctx_st> context_;
};

} // namespace dybw
