#include "actors/transport/tls_channel.hpp"

#include <caf/openssl/manager.hpp>
#include <caf/openssl/session.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <optional>
#include <sys/socket.h>

namespace dybw {

namespace {

constexpr auto one_authority =
    "use certificates that one authority has signed on all nodes (scripts/make-certs)";
constexpr auto both_or_none = "give --tls-cert, --tls-key and --tls-ca on both sides or on neither";
constexpr auto new_certificate = "make a new one (scripts/make-certs) and start again";

/// CAF's session keeps its objects to itself, but OpenSSL tells of every one that is made.
struct newest_objects {
  SSL_CTX* context = nullptr;
  SSL* ssl = nullptr;
};
thread_local newest_objects newest;

void note_context(void* x, void*, CRYPTO_EX_DATA*, int, long, void*) {
  newest.context = static_cast<SSL_CTX*>(x);
}
void forget_context(void* x, void*, CRYPTO_EX_DATA*, int, long, void*) {
  if (newest.context == x)
    newest.context = nullptr;
}
void note_ssl(void* x, void*, CRYPTO_EX_DATA*, int, long, void*) {
  newest.ssl = static_cast<SSL*>(x);
}

void watch_new_objects() {
  [[maybe_unused]] static const auto watching =
      SSL_CTX_get_ex_new_index(0, nullptr, note_context, nullptr, forget_context) >= 0 &&
      SSL_get_ex_new_index(0, nullptr, note_ssl, nullptr, nullptr) >= 0;
  newest = {};
}

struct explanation {
  std::string what;
  std::string remedy;
  bool certain = true; ///< not only that the connection is gone
};

/// We do not accept the other side's certificate.
explanation explain_verification(long result) {
  switch (result) {
  case X509_V_ERR_CERT_HAS_EXPIRED:
    return {"the other side's certificate has expired", new_certificate};
  case X509_V_ERR_CERT_NOT_YET_VALID:
    return {"the other side's certificate is not valid yet", "set the clocks of both machines"};
  case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
  case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
  case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
  case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    return {"the other side's certificate is not signed by our authority", one_authority};
  default:
    return {std::string{"the other side's certificate is refused: "} + X509_verify_cert_error_string(result),
            one_authority};
  }
}

/// What OpenSSL's queue says, if it is something that a user can mend.
std::optional<explanation> explain_error(unsigned long error) {
  switch (ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0) {
  case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    return explanation{"our certificate has expired, says the other side", new_certificate};
  case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
  case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
    return explanation{"our certificate is not signed by the other side's authority", one_authority};
  case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
  case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
  case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
  case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    return explanation{"the other side refuses our certificate", one_authority};
  case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
  case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    return explanation{"the other side wants a certificate", "give --tls-cert and --tls-key"};
  case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    return explanation{"the other side shows no certificate", "give it --tls-cert and --tls-key"};
  case SSL_R_WRONG_VERSION_NUMBER:
  case SSL_R_HTTP_REQUEST:
  case SSL_R_UNKNOWN_PROTOCOL:
  case SSL_R_PACKET_LENGTH_TOO_LONG:
  case SSL_R_RECORD_TOO_SMALL:
    return explanation{"the other side does not speak TLS", both_or_none};
  case SSL_R_UNSUPPORTED_PROTOCOL:
  case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    return explanation{"the other side speaks no TLS from version 1.2 upwards",
                       "install the same version on all machines"};
  default:
    return std::nullopt;
  }
}

/// Why the call that has just failed did. Takes the errors out of the thread's queue.
explanation explain_failure(SSL* ssl) {
  std::optional<explanation> known;
  const auto last = ERR_peek_last_error();
  for (auto error = ERR_get_error(); error != 0; error = ERR_get_error())
    if (!known)
      known = explain_error(error);
  if (const auto verification = SSL_get_verify_result(ssl); verification != X509_V_OK)
    return explain_verification(verification);
  if (known)
    return *known;
  if (last == 0 ||
      (ERR_GET_LIB(last) == ERR_LIB_SSL && ERR_GET_REASON(last) == SSL_R_UNEXPECTED_EOF_WHILE_READING)) {
    if (SSL_is_init_finished(ssl) == 0)
      return {"the other side closed the connection during the TLS handshake", both_or_none, false};
    return {"the other side closed the connection", {}, false};
  }
  std::array<char, 256> text{};
  ERR_error_string_n(last, text.data(), text.size());
  return {std::string{"TLS failed: "} + text.data(), {}};
}

class tls_channel final : public channel {
public:
  explicit tls_channel(caf::actor_system& system) : session_(system) {}

  /// Begins the handshake. Returns whether it can go on; throws if the files cannot be read.
  bool start(int socket, bool accepted) {
    watch_new_objects();
    try {
      if (!session_.init())
        return false;
    } catch (...) { // before the session took it over
      SSL_CTX_free(newest.context);
      throw;
    }
    ssl_ = newest.ssl;
    if (ssl_ == nullptr || SSL_set_min_proto_version(ssl_, TLS1_2_VERSION) != 1)
      return false;
    // A block is written record by record, straight from its buffer.
    SSL_set_mode(ssl_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    ERR_clear_error();
    return accepted ? session_.try_accept(socket) : session_.try_connect(socket);
  }

  SSL* ssl() const noexcept { return ssl_; }

  outcome read(int socket, std::span<const std::span<char>> places) override {
    // What an earlier call of another connection left in the thread's queue would be taken for ours.
    ERR_clear_error();
    const auto place = places.front();
    std::size_t bytes = 0;
    if (session_.read_some(bytes, socket, place.data(), place.size()) == caf::io::network::rw_state::failure)
      return failed();
    return {bytes, false, bytes == 0};
  }

  outcome write(int socket, std::span<const std::span<const char>> pieces) override {
    ERR_clear_error();
    const auto piece =
        pieces.size() > 1 && pieces.front().size() < record_.size() ? gather(pieces) : pieces.front();
    std::size_t bytes = 0;
    if (session_.write_some(bytes, socket, piece.data(), piece.size()) == caf::io::network::rw_state::failure)
      return failed();
    return {bytes, false, false};
  }

  bool has_pending() const override { return SSL_pending(ssl_) > 0; }
  bool must_read_first() const override { return SSL_want_read(ssl_); }

private:
  /// A reason stands, whatever fails because of it afterwards.
  outcome failed() {
    auto [what, remedy, certain] = explain_failure(ssl_);
    if (std::exchange(known_, known_ || certain))
      return {0, true, true};
    return fail(std::move(what), std::move(remedy));
  }

  /// Small pieces share a record. Repeated after a write that could not be finished, it gives the same again
  /// or more, as OpenSSL wants.
  std::span<const char> gather(std::span<const std::span<const char>> pieces) {
    std::size_t filled = 0;
    for (const auto& piece : pieces) {
      const auto count = std::min(piece.size(), record_.size() - filled);
      std::memcpy(record_.data() + filled, piece.data(), count);
      filled += count;
    }
    return std::span<const char>{record_}.first(filled);
  }

  caf::openssl::session session_;
  SSL* ssl_ = nullptr; ///< the session's
  bool known_ = false; ///< why it failed
  std::array<char, SSL3_RT_MAX_PLAIN_LENGTH> record_{};
};

/// Null if it failed at once.
std::unique_ptr<tls_channel> open_session(caf::actor_system& system, int socket, bool accepted,
                                          std::string& reason) {
  try {
    auto channel = std::make_unique<tls_channel>(system);
    if (channel->start(socket, accepted))
      return channel;
    reason = channel->ssl() != nullptr ? explain_failure(channel->ssl()).what : "TLS cannot be set up";
  } catch (const std::exception& e) { // CAF throws when the files cannot be read any more
    ERR_clear_error();
    reason = std::string{"TLS cannot be set up ("} + e.what() +
             "); check the files of --tls-cert, --tls-key and --tls-ca";
  }
  return nullptr;
}

/// Opens the session when the first byte of a handshake is there.
class accepting_tls_channel final : public channel {
public:
  explicit accepting_tls_channel(caf::actor_system& system) : system_(system) {}

  outcome read(int socket, std::span<const std::span<char>> places) override {
    if (!session_) {
      const auto early = begin(socket);
      if (!session_)
        return early;
    }
    const auto result = session_->read(socket, places);
    return result.failed ? fail(session_->failure(), session_->remedy()) : result;
  }

  outcome write(int socket, std::span<const std::span<const char>> pieces) override {
    if (!session_)
      return {};
    const auto result = session_->write(socket, pieces);
    return result.failed ? fail(session_->failure(), session_->remedy()) : result;
  }

  bool has_pending() const override { return session_ && session_->has_pending(); }
  bool must_read_first() const override { return !session_ || session_->must_read_first(); }

private:
  /// Looks at the first byte without taking it.
  outcome begin(int socket) {
    constexpr char handshake = 0x16;
    char first = 0;
    const auto bytes = ::recv(socket, &first, 1, MSG_PEEK);
    if (bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
      return {0, false, true};
    if (bytes <= 0)
      return fail("the other side closed the connection during the TLS handshake", both_or_none);
    if (first != handshake)
      return fail("the other side does not speak TLS", both_or_none);
    std::string reason;
    session_ = open_session(system_, socket, true, reason);
    return session_ ? outcome{} : fail(std::move(reason));
  }

  caf::actor_system& system_;
  std::unique_ptr<tls_channel> session_;
};

} // namespace

void load_tls(caf::actor_system_config& config, const tls_files& files) {
  config.load<caf::openssl::manager>();
  config.openssl_certificate = files.certificate.string();
  config.openssl_key = files.key.string();
  config.openssl_cafile = files.authority.string();
}

std::unique_ptr<channel> make_tls_channel(caf::actor_system& system, int socket, std::string& reason) {
  return open_session(system, socket, false, reason);
}

std::unique_ptr<channel> make_accepting_tls_channel(caf::actor_system& system) {
  return std::make_unique<accepting_tls_channel>(system);
}

} // namespace dybw
