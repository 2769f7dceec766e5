#include "actors/transport/tls_context.hpp"

#include "actors/transport/openssl_objects.hpp"
#include "learning/base/error.hpp"
#include "learning/base/option_text.hpp"

#include <openssl/x509v3.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <sys/stat.h>
#include <utility>

namespace dybw {

namespace {

/// Names of others that are remembered.
constexpr std::size_t peers_max = 1024;

/// What a list is called where names of certificates stand.
constexpr auto* list_name = "revocation list";

/// One of the files.
struct tls_file {
  const char* option;
  const std::filesystem::path& path;

  [[noreturn]] void refuse(const std::string& what, const std::string& mend) const {
    ERR_clear_error();
    throw input_error{input_fault::configuration, what, std::string{option} + "=" + path.string(), mend};
  }

  bio_ptr open() const {
    bio_ptr in{BIO_new_file(path.c_str(), "r")};
    if (!in || std::filesystem::is_directory(path))
      refuse("cannot read the file", "check its name and who may read it");
    return in;
  }
};

/// The certificates in the file, in their order.
chain_ptr read_certificates(const tls_file& file) {
  const auto in = file.open();
  chain_ptr chain{sk_X509_new_null()};
  while (auto* x = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr))
    sk_X509_push(chain.get(), x);
  if (sk_X509_num(chain.get()) == 0)
    file.refuse("the file holds no certificate in PEM form", "scripts/make-certs makes some");
  ERR_clear_error();
  return chain;
}

/// Its owner may read and write it; a group may read what root gives it, as Debian's ssl-cert has it.
void check_mode(const tls_file& file) {
  struct stat x {};
  if (::stat(file.path.c_str(), &x) != 0)
    return; // cannot be read either
  const auto open_to = x.st_mode & (x.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO);
  if (open_to != 0)
    file.refuse("other users of this machine may read the private key",
                "chmod 600 " + shell_word(file.path.string()));
}

key_ptr read_key(const tls_file& file) {
  const auto in = file.open();
  bool asked = false;
  const auto no_passphrase = [](char*, int, int, void* was_asked) {
    *static_cast<bool*>(was_asked) = true;
    return -1;
  };
  key_ptr key{PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, &asked)};
  if (!key && asked)
    file.refuse("the key is protected by a passphrase", "give one without: openssl pkey -in KEY -out NEW");
  if (!key)
    file.refuse("the file holds no private key in PEM form", "scripts/make-certs makes one");
  check_mode(file);
  return key;
}

/// When the list is to be replaced; 0 if it does not say so.
std::time_t list_end(const X509_CRL& list) {
  const auto* end = X509_CRL_get0_nextUpdate(&list);
  std::tm x{};
  return end != nullptr && ASN1_TIME_to_tm(end, &x) == 1 ? ::timegm(&x) : 0;
}

/// Adds the revocation lists; from then on each certificate in a chain needs one of its authority. Returns
/// when the first of them ends; 0 if none does.
std::time_t add_revoked(X509_STORE* trusted, const tls_file& file) {
  const auto in = file.open();
  auto count = 0;
  std::time_t first = 0;
  for (crl_ptr list; list.reset(PEM_read_bio_X509_CRL(in.get(), nullptr, nullptr, nullptr)), list; ++count) {
    X509_STORE_add_crl(trusted, list.get());
    if (const auto end = list_end(*list); end != 0 && (first == 0 || end < first))
      first = end;
  }
  if (count == 0)
    file.refuse("the file holds no revocation list in PEM form", "scripts/make-certs makes one");
  ERR_clear_error();
  X509_STORE_set_flags(trusted, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  return first;
}

/// What the files hold.
class credentials {
public:
  /// Throws unless they can be read and the key fits the certificate.
  explicit credentials(const tls_files& files)
      : certificate_file_{"--tls-cert", files.certificate}, key_file_{"--tls-key", files.key},
        authority_file_{"--tls-ca", files.authority}, revoked_file_{"--tls-crl", files.revoked},
        chain_(read_certificates(certificate_file_)), key_(read_key(key_file_)),
        certificate_(sk_X509_shift(chain_.get())) {
    if (X509_check_private_key(certificate_.get(), key_.get()) != 1)
      key_file_.refuse("the key does not belong to the certificate of --tls-cert",
                       "give the key it was made with");
    const auto trusted = read_certificates(authority_file_);
    for (int i = 0; i < sk_X509_num(trusted.get()); ++i)
      X509_STORE_add_cert(trusted_.get(), sk_X509_value(trusted.get(), i));
    if (!files.revoked.empty())
      list_ends_ = add_revoked(trusted_.get(), revoked_file_);
  }

  std::shared_ptr<const peer_identity> identity() const { return identity_of(*certificate_); }

  /// When what is in use here ends: our certificate, or the first of those that it hangs on, as far as they
  /// are there; and the first revocation list.
  std::vector<certificate_end> ends() const {
    std::vector all{chain_end()};
    if (list_ends_ != 0)
      all.push_back({list_name, list_ends_});
    return all;
  }

  /// Throws unless the other side will accept the certificate.
  const credentials& check() const {
    if (X509_cmp_current_time(X509_get0_notAfter(certificate_.get())) < 0)
      certificate_file_.refuse("the certificate has expired", "make a new one (scripts/make-certs)");
    if (X509_cmp_current_time(X509_get0_notBefore(certificate_.get())) > 0)
      certificate_file_.refuse("the certificate is not valid yet", "check the clock of this machine");
    if (X509_check_purpose(certificate_.get(), X509_PURPOSE_SSL_SERVER, 0) != 1 ||
        X509_check_purpose(certificate_.get(), X509_PURPOSE_SSL_CLIENT, 0) != 1)
      certificate_file_.refuse("the certificate may not be used for both ends of a TLS connection",
                               "make one for serverAuth and clientAuth (scripts/make-certs)");
    const verification_ptr verification{X509_STORE_CTX_new()};
    X509_STORE_CTX_init(verification.get(), trusted_.get(), certificate_.get(), chain_.get());
    if (X509_verify_cert(verification.get()) != 1) {
      const auto error = X509_STORE_CTX_get_error(verification.get());
      const std::string why = X509_verify_cert_error_string(error);
      if (error == X509_V_ERR_CERT_REVOKED)
        certificate_file_.refuse("the certificate is revoked", "make a new one (scripts/make-certs)");
      if (error == X509_V_ERR_CRL_HAS_EXPIRED || error == X509_V_ERR_CRL_NOT_YET_VALID ||
          error == X509_V_ERR_UNABLE_TO_GET_CRL || error == X509_V_ERR_CRL_SIGNATURE_FAILURE)
        revoked_file_.refuse("the revocation list does not serve (" + why + ")",
                             "give one in force of each authority (scripts/make-certs renews ca.crl)");
      certificate_file_.refuse("the certificate is not signed by the authority of --tls-ca (" + why + ")",
                               "give the authority's own certificate, or have this one signed by it");
    }
    return *this;
  }

  std::shared_ptr<SSL_CTX> make_context() const {
    const std::shared_ptr<SSL_CTX> made{SSL_CTX_new(TLS_method()), SSL_CTX_free};
    auto* x = made.get();
    if (x == nullptr)
      throw std::bad_alloc{};
    SSL_CTX_set_min_proto_version(x, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(x, "HIGH:!aNULL:!MD5"); // for 1.2; next those for 1.3, the quickest first
    SSL_CTX_set_ciphersuites(x, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
    SSL_CTX_set_verify(x, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_set1_cert_store(x, trusted_.get());
    // Every connection has its whole handshake: none is taken up again with what was checked before.
    SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(x, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_num_tickets(x, 0);
    // A block is written record by record, straight from its buffer.
    SSL_CTX_set_mode(x, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_use_cert_and_key(x, certificate_.get(), key_.get(), chain_.get(), 1) != 1)
      certificate_file_.refuse("OpenSSL does not take this certificate with its key (" +
                                   error_text(ERR_peek_last_error()) + ")",
                               "make new ones (scripts/make-certs)");
    ERR_clear_error();
    return made;
  }

private:
  certificate_end chain_end() const {
    const auto own = identity();
    certificate_end first{own->name, own->ends};
    const verification_ptr verification{X509_STORE_CTX_new()};
    X509_STORE_CTX_init(verification.get(), trusted_.get(), certificate_.get(), chain_.get());
    X509_verify_cert(verification.get());
    ERR_clear_error();
    const auto* whole = X509_STORE_CTX_get0_chain(verification.get());
    for (int i = 1; i < sk_X509_num(whole); ++i)
      if (const auto above = identity_of(*sk_X509_value(whole, i)); above->ends < first.ends)
        first = {above->name, above->ends};
    return first;
  }

  tls_file certificate_file_;
  tls_file key_file_;
  tls_file authority_file_;
  tls_file revoked_file_;
  chain_ptr chain_; ///< what signed the certificate, without the authority
  key_ptr key_;
  certificate_ptr certificate_;
  store_ptr trusted_{X509_STORE_new()};
  std::time_t list_ends_ = 0;
};

/// Inode, size and time of the last change of each file, zeros if it is not there.
std::vector<std::int64_t> look_at(const tls_files& files) {
  std::vector<std::int64_t> seen;
  for (const auto* path : {&files.certificate, &files.key, &files.authority, &files.revoked}) {
    struct stat x {};
    ::stat(path->c_str(), &x);
    seen.insert(seen.end(),
                {static_cast<std::int64_t>(x.st_ino), x.st_size, x.st_mtim.tv_sec, x.st_mtim.tv_nsec});
  }
  return seen;
}

} // namespace

std::shared_ptr<const peer_identity> check_tls(const tls_files& files) {
  const credentials found{files};
  found.check().make_context();
  return found.identity();
}

tls_context::tls_context(tls_files files) : files_(std::move(files)), seen_(look_at(files_)) {
  const credentials found{files_};
  take(found.make_context(), *found.identity(), found.ends());
}

SSL_CTX& tls_context::current() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_look_)
    return *context_;
  next_look_ = now + std::chrono::seconds{1};
  if (const auto found = look_at(files_); found != std::exchange(seen_, found)) {
    try {
      const credentials fresh{files_};
      take(fresh.check().make_context(), *fresh.identity(), fresh.ends());
      spdlog::info("the TLS files have changed; new connections use them");
    } catch (const std::exception& e) {
      spdlog::warn("the TLS files have changed, but what they held before stays in use: {}", e.what());
    }
  }
  return *context_;
}

void tls_context::take(std::shared_ptr<SSL_CTX> context, const peer_identity& own,
                       std::vector<certificate_end> ends) {
  context_ = std::move(context);
  fingerprint_ = own.fingerprint;
  own_ = std::move(ends);
  publish_ends();
}

void tls_context::note_peer(const peer_identity& who) {
  if (peers_.size() >= peers_max && !peers_.contains(who.name))
    return;
  if (std::exchange(peers_[who.name], who.ends) != who.ends)
    publish_ends();
}

void tls_context::remind() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_reminder_)
    return;
  next_reminder_ = now + std::chrono::seconds{1};
  constexpr std::time_t day = 24 * 60 * 60;
  const auto today = std::time(nullptr);
  for (const auto& x : ends()) {
    if (x.ends - today > warn_before.count() * day)
      continue;
    auto& last = reminded_[x.name];
    if (today - last < day)
      continue;
    last = today;
    const auto what = x.name == list_name ? "the revocation list" : "the certificate of " + x.name;
    if (x.ends <= today)
      spdlog::warn("{} has expired; put a new one in its place, programs that run take it", what);
    else
      spdlog::warn("{} ends in {} days; put a new one in its place, programs that run take it", what,
                   (x.ends - today) / day);
  }
}

void tls_context::publish_ends() {
  auto all = std::make_shared<std::vector<certificate_end>>(own_);
  for (const auto& [name, end] : peers_)
    if (std::ranges::find(own_, name, &certificate_end::name) == own_.end())
      all->push_back({name, end});
  ends_ = std::move(all);
}

std::vector<certificate_end> tls_context::ends() const {
  return *ends_.load();
}

std::function<std::vector<certificate_end>()> ends_of(std::shared_ptr<const tls_context> context) {
  if (!context)
    return {};
  return [context = std::move(context)] { return context->ends(); };
}

} // namespace dybw
