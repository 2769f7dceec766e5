#include "actors/transport/tls_channel.hpp"
#include "learning/base/error.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <fstream>

namespace dybw {

namespace {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* x) const noexcept {
    Free(x);
  }
};
using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_free>>;
using certificate_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using store_ptr = std::unique_ptr<X509_STORE, freed_by<X509_STORE_free>>;
using verification_ptr = std::unique_ptr<X509_STORE_CTX, freed_by<X509_STORE_CTX_free>>;

struct free_stack {
  void operator()(STACK_OF(X509) * x) const noexcept { sk_X509_pop_free(x, X509_free); }
};
using chain_ptr = std::unique_ptr<STACK_OF(X509), free_stack>;

/// One of the three files.
struct tls_file {
  const char* option;
  const std::filesystem::path& path;

  [[noreturn]] void refuse(const std::string& what, const std::string& mend) const {
    ERR_clear_error();
    throw input_error{input_fault::configuration, what, std::string{option} + "=" + path.string(), mend};
  }

  bio_ptr open() const {
    if (!std::ifstream{path} || std::filesystem::is_directory(path))
      refuse("cannot read the file", "check its name and who may read it");
    return bio_ptr{BIO_new_file(path.c_str(), "r")};
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
  return key;
}

void check_time(const tls_file& file, const X509* certificate) {
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
    file.refuse("the certificate has expired", "make a new one (scripts/make-certs)");
  if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
    file.refuse("the certificate is not valid yet", "check the clock of this machine");
}

void check_purposes(const tls_file& file, X509* certificate) {
  if (X509_check_purpose(certificate, X509_PURPOSE_SSL_SERVER, 0) != 1 ||
      X509_check_purpose(certificate, X509_PURPOSE_SSL_CLIENT, 0) != 1)
    file.refuse("the certificate may not be used for both ends of a TLS connection",
                "make one for serverAuth and clientAuth (scripts/make-certs)");
}

void check_signature(const tls_file& file, const tls_file& authority, X509* certificate,
                     STACK_OF(X509) * chain) {
  const auto trusted = read_certificates(authority);
  const store_ptr store{X509_STORE_new()};
  for (int i = 0; i < sk_X509_num(trusted.get()); ++i)
    X509_STORE_add_cert(store.get(), sk_X509_value(trusted.get(), i));
  const verification_ptr verification{X509_STORE_CTX_new()};
  X509_STORE_CTX_init(verification.get(), store.get(), certificate, chain);
  if (X509_verify_cert(verification.get()) == 1)
    return;
  const std::string why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(verification.get()));
  file.refuse("the certificate is not signed by the authority of --tls-ca (" + why + ")",
              "give the authority's own certificate, or have this one signed by it");
}

} // namespace

void check_tls(const tls_files& files) {
  const tls_file of_certificate{"--tls-cert", files.certificate};
  const tls_file of_key{"--tls-key", files.key};
  const tls_file of_authority{"--tls-ca", files.authority};
  const auto chain = read_certificates(of_certificate);
  auto* certificate = sk_X509_value(chain.get(), 0);
  const auto key = read_key(of_key);
  if (X509_check_private_key(certificate, key.get()) != 1)
    of_key.refuse("the key does not belong to the certificate of --tls-cert",
                  "give the key it was made with");
  check_time(of_certificate, certificate);
  check_purposes(of_certificate, certificate);
  check_signature(of_certificate, of_authority, certificate, chain.get());
  ERR_clear_error();
}

} // namespace dybw
