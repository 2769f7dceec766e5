#pragma once

#include <memory>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string>

namespace dybw {

/// Frees OpenSSL's objects when their owner goes.
template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* x) const noexcept {
    Free(x);
  }
};
inline void free_certificates(STACK_OF(X509) * x) noexcept {
  sk_X509_pop_free(x, X509_free);
}
using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_free>>;
using certificate_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using crl_ptr = std::unique_ptr<X509_CRL, freed_by<X509_CRL_free>>;
using chain_ptr = std::unique_ptr<STACK_OF(X509), freed_by<free_certificates>>;
using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using store_ptr = std::unique_ptr<X509_STORE, freed_by<X509_STORE_free>>;
using verification_ptr = std::unique_ptr<X509_STORE_CTX, freed_by<X509_STORE_CTX_free>>;
using session_ptr = std::unique_ptr<SSL, freed_by<SSL_free>>;

inline std::string error_text(unsigned long error) {
  std::string text(256, '\0');
  ERR_error_string_n(error, text.data(), text.size());
  return text.c_str();
}

} // namespace dybw
