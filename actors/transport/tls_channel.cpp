#include "actors/transport/tls_channel.hpp"

#include "actors/transport/openssl_objects.hpp"
#include "actors/transport/tls_context.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <sys/socket.h>
#include <utility>

namespace dybw {

namespace {

constexpr auto one_authority =
    "use certificates that one authority has signed on all nodes (scripts/make-certs)";
constexpr auto both_or_none = "give --tls-cert, --tls-key and --tls-ca on both sides or on neither";
constexpr auto new_list =
    "give --tls-crl a list that is in force, of each authority (scripts/make-certs renews ca.crl)";
constexpr auto new_certificate = "make a new one (scripts/make-certs) and start again";

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
  case X509_V_ERR_CERT_REVOKED:
    return {"the other side's certificate is revoked", new_certificate};
  case X509_V_ERR_CRL_HAS_EXPIRED:
    return {"our revocation list is out of date, so nobody's certificate can be checked", new_list};
  case X509_V_ERR_UNABLE_TO_GET_CRL:
  case X509_V_ERR_CRL_NOT_YET_VALID:
  case X509_V_ERR_CRL_SIGNATURE_FAILURE:
  case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    return {"our revocation list says nothing about the authority of the other side's certificate", new_list};
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
    return explanation{"the other side refuses our certificate", one_authority};
  case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    return explanation{"our certificate is revoked, says the other side", new_certificate};
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

/// Why the call that has just failed did, on a connection whose handshake was over (`greeted`) or not. Takes
/// the errors out of the thread's queue.
explanation explain_failure(SSL* ssl, bool greeted) {
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
    if (!greeted)
      return {"the other side closed the connection during the TLS handshake", both_or_none, false};
    return {"the other side closed the connection", {}, false};
  }
  return {"TLS failed: " + error_text(last), {}};
}

class tls_channel final : public channel {
public:
  tls_channel(std::shared_ptr<tls_context> context, bool accepted)
      : context_(std::move(context)), accepted_(accepted) {}

  outcome read(int socket, std::span<const std::span<char>> places) override {
    const auto early = begin(socket);
    return early ? *early : transfer<SSL_read_ex>(places.front());
  }

  /// Small pieces share a record. Repeated after a write that could not be finished, it gives the same again
  /// or more, as OpenSSL wants.
  outcome write(int socket, std::span<const std::span<const char>> pieces) override {
    if (const auto early = begin(socket))
      return *early;
    std::array<char, SSL3_RT_MAX_PLAIN_LENGTH> record;
    if (pieces.size() == 1 || pieces.front().size() >= record.size())
      return transfer<SSL_write_ex>(pieces.front());
    std::size_t filled = 0;
    for (const auto& piece : pieces) {
      const auto count = std::min(piece.size(), record.size() - filled);
      std::ranges::copy(piece.first(count), record.data() + filled);
      filled += count;
    }
    return transfer<SSL_write_ex>(std::span{record}.first(filled));
  }

  bool has_pending() const override { return session_ && SSL_pending(session_.get()) > 0; }
  bool must_read_first() const override { return !session_ || SSL_want_read(session_.get()); }

  std::shared_ptr<const peer_identity> peer() override {
    if (!peer_ && session_ && SSL_is_init_finished(session_.get()) == 1)
      if (auto* certificate = SSL_get0_peer_certificate(session_.get()); certificate != nullptr) {
        peer_ = identity_of(*certificate);
        context_->note_peer(*peer_);
      }
    return peer_;
  }

private:
  /// Unless there is a session by now: why not. On an accepted connection the first byte is only looked at.
  std::optional<outcome> begin(int socket) {
    if (session_)
      return std::nullopt;
    char first = SSL3_RT_HANDSHAKE;
    const auto bytes = accepted_ ? ::recv(socket, &first, 1, MSG_PEEK) : 1;
    if (bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
      return outcome{0, false, true};
    if (bytes <= 0)
      return fail("the other side closed the connection during the TLS handshake", both_or_none);
    if (first != SSL3_RT_HANDSHAKE)
      return fail("the other side does not speak TLS", both_or_none);
    sigset_t broken_pipe; // OpenSSL writes to sockets without MSG_NOSIGNAL
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr); // on this thread, from now on
    session_.reset(SSL_new(&context_->current()));
    if (!session_ || SSL_set_fd(session_.get(), socket) != 1)
      throw std::bad_alloc{};
    // Whose certificate this may be depends on what is asked for: the gateway looks at `peer`.
    (accepted_ ? SSL_set_accept_state : SSL_set_connect_state)(session_.get());
    return std::nullopt;
  }

  /// One record, or a step of the handshake.
  template <auto Transfer, class Bytes>
  outcome transfer(std::span<Bytes> place) {
    std::size_t bytes = 0;
    ERR_clear_error(); // the thread's queue, which SSL_get_error looks at
    greeted_ = greeted_ || SSL_is_init_finished(session_.get()) == 1; // after a failure it is not, any more
    if (Transfer(session_.get(), place.data(), place.size(), &bytes) == 1)
      return {bytes, false, false};
    const auto error = SSL_get_error(session_.get(), 0);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
      return {0, false, true};
    auto [what, remedy, certain] = explain_failure(session_.get(), greeted_);
    if (std::exchange(known_, known_ || certain)) // a reason stands, whatever fails because of it afterwards
      return {0, true, true};
    return fail(std::move(what), std::move(remedy));
  }

  std::shared_ptr<tls_context> context_;
  bool accepted_;
  session_ptr session_;
  std::shared_ptr<const peer_identity> peer_;
  bool greeted_ = false; ///< the handshake is over
  bool known_ = false;   ///< why it failed
};

} // namespace

std::unique_ptr<channel> make_tls_channel(std::shared_ptr<tls_context> context, bool accepted) {
  return std::make_unique<tls_channel>(std::move(context), accepted);
}

} // namespace dybw
