#include "tests/support/certificates.hpp"

#include "actors/transport/openssl_objects.hpp"

#include <cstdio>
#include <cstdlib>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdexcept>
#include <unistd.h>

namespace dybw::test {

namespace {

void require(bool good, const char* what) {
  if (!good)
    throw std::runtime_error{std::string{"test certificates: "} + what};
}

void extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  auto* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  require(extension != nullptr, "extension");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

void add_to_subject(X509* certificate, const char* field, const std::string& value) {
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), field, MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1, 0);
}

certificate_ptr blank(const std::string& name, EVP_PKEY* key, std::chrono::seconds from,
                      std::chrono::seconds until) {
  static long serial = 1;
  certificate_ptr x{X509_new()};
  X509_set_version(x.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(x.get()), from.count());
  X509_gmtime_adj(X509_getm_notAfter(x.get()), until.count());
  add_to_subject(x.get(), "CN", name);
  require(X509_set_pubkey(x.get(), key) == 1, "public key");
  return x;
}

template <class Write>
void write_file(const std::filesystem::path& path, Write write) {
  auto* file = std::fopen(path.c_str(), "w");
  require(file != nullptr, "file");
  const auto written = write(file) == 1;
  std::fclose(file);
  require(written, "writing");
}

void write_certificate(const std::filesystem::path& path, X509* x) {
  write_file(path, [&](FILE* file) { return PEM_write_X509(file, x); });
}

} // namespace

struct test_authority::secret {
  key_ptr key;
  certificate_ptr certificate;
};

test_authority::test_authority(const std::string& name) : secret_(std::make_unique<secret>()) {
  auto pattern = (std::filesystem::temp_directory_path() / "dybw-certs-XXXXXX").string();
  require(::mkdtemp(pattern.data()) != nullptr, "directory");
  directory_ = pattern;
  secret_->key.reset(EVP_EC_gen("P-256"));
  secret_->certificate = blank(name, secret_->key.get(), std::chrono::hours{-3}, std::chrono::days{90});
  auto* x = secret_->certificate.get();
  X509_set_issuer_name(x, X509_get_subject_name(x));
  extend(x, x, NID_basic_constraints, "critical,CA:TRUE");
  require(X509_sign(x, secret_->key.get(), EVP_sha256()) > 0, "signature");
  write_certificate(directory_ / "authority.pem", x);
}

test_authority::~test_authority() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

tls_files test_authority::issue(const std::string& name, const wishes& wanted) const {
  const key_ptr key{EVP_EC_gen("P-256")};
  const auto x = blank(name, key.get(), wanted.from, wanted.until);
  X509_set_issuer_name(x.get(), X509_get_subject_name(secret_->certificate.get()));
  for (const auto& role : wanted.roles)
    add_to_subject(x.get(), "OU", "dybw-" + role);
  if (!wanted.names.empty())
    extend(x.get(), secret_->certificate.get(), NID_subject_alt_name, wanted.names);
  if (!wanted.purposes.empty())
    extend(x.get(), secret_->certificate.get(), NID_ext_key_usage, wanted.purposes);
  require(X509_sign(x.get(), secret_->key.get(), EVP_sha256()) > 0, "signature");
  const tls_files files{
      directory_ / (name + ".pem"), directory_ / (name + ".key"), directory_ / "authority.pem", {}};
  write_certificate(files.certificate, x.get());
  write_file(files.key, [&](FILE* file) {
    return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  std::filesystem::permissions(files.key,
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  return files;
}

std::filesystem::path test_authority::revoke(const std::vector<tls_files>& those,
                                             std::chrono::seconds until) const {
  const std::unique_ptr<X509_CRL, freed_by<X509_CRL_free>> list{X509_CRL_new()};
  X509_CRL_set_version(list.get(), X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(secret_->certificate.get()));
  const std::unique_ptr<ASN1_TIME, freed_by<ASN1_TIME_free>> from{X509_gmtime_adj(nullptr, -3600)};
  const std::unique_ptr<ASN1_TIME, freed_by<ASN1_TIME_free>> end{X509_gmtime_adj(nullptr, until.count())};
  X509_CRL_set1_lastUpdate(list.get(), from.get());
  X509_CRL_set1_nextUpdate(list.get(), end.get());
  for (const auto& files : those) {
    const bio_ptr in{BIO_new_file(files.certificate.c_str(), "r")};
    const certificate_ptr gone{PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)};
    auto* entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(gone.get()));
    X509_REVOKED_set_revocationDate(entry, from.get());
    X509_CRL_add0_revoked(list.get(), entry);
  }
  X509_CRL_sort(list.get());
  require(X509_CRL_sign(list.get(), secret_->key.get(), EVP_sha256()) > 0, "revocation list");
  const auto path = directory_ / "revoked.pem";
  write_file(path, [&](FILE* file) { return PEM_write_X509_CRL(file, list.get()); });
  return path;
}

tls_environment::tls_environment(const tls_files& files) {
  ::setenv("DYBW_TLS_CERT", files.certificate.c_str(), 1);
  ::setenv("DYBW_TLS_KEY", files.key.c_str(), 1);
  ::setenv("DYBW_TLS_CA", files.authority.c_str(), 1);
  if (!files.revoked.empty())
    ::setenv("DYBW_TLS_CRL", files.revoked.c_str(), 1);
}

tls_environment::~tls_environment() {
  for (const auto* name : {"DYBW_TLS_CERT", "DYBW_TLS_KEY", "DYBW_TLS_CA", "DYBW_TLS_CRL"})
    ::unsetenv(name);
}

} // namespace dybw::test
