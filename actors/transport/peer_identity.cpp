#include "actors/transport/peer_identity.hpp"

#include "actors/transport/address.hpp"
#include "actors/transport/openssl_objects.hpp"
#include "messages/peer_text.hpp"

#include <openssl/x509v3.h>

#include <array>
#include <string_view>
#include <utility>

namespace dybw {

namespace {

struct role_name {
  peer_role role;
  std::string_view name;
};
constexpr std::array role_names = {role_name{peer_role::node, "node"},
                                   role_name{peer_role::launcher, "launcher"},
                                   role_name{peer_role::monitor, "monitor"}};
constexpr std::string_view unit_prefix = "dybw-";

std::string text_of(const ASN1_STRING* value) {
  unsigned char* bytes = nullptr;
  const auto count = ASN1_STRING_to_UTF8(&bytes, value);
  if (count < 0)
    return {};
  std::string text{reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count)};
  OPENSSL_free(bytes);
  return text;
}

/// The values of this field of the subject.
template <class Use>
void for_each_entry(X509& certificate, int field, Use use) {
  const auto* subject = X509_get_subject_name(&certificate);
  for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, field, at)) >= 0;)
    use(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
}

std::uint8_t roles_of(X509& certificate) {
  std::uint8_t roles = 0;
  for_each_entry(certificate, NID_organizationalUnitName, [&](const std::string& unit) {
    for (const auto& [role, name] : role_names)
      if (unit.starts_with(unit_prefix) && unit.substr(unit_prefix.size()) == name)
        roles |= static_cast<std::uint8_t>(role);
  });
  return roles;
}

bool names_host(X509& certificate, const std::string& host) {
  return X509_check_ip_asc(&certificate, host.c_str(), 0) == 1 ||
         X509_check_host(&certificate, host.data(), host.size(),
                         X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                         nullptr) == 1;
}

std::string fingerprint_of(const X509& certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned bytes = 0;
  X509_digest(&certificate, EVP_sha256(), digest.data(), &bytes);
  return {digest.begin(), digest.begin() + bytes};
}

std::time_t end_of(const X509& certificate) {
  std::tm x{};
  return ASN1_TIME_to_tm(X509_get0_notAfter(&certificate), &x) == 1 ? ::timegm(&x) : 0;
}

} // namespace

std::string roles_text(const peer_identity& x) {
  std::string text;
  for (const auto& [role, name] : role_names)
    if (x.is(role))
      text += (text.empty() ? "" : " and ") + std::string{name};
  return text.empty() ? "no role" : text;
}

std::shared_ptr<const peer_identity> identity_of(X509& certificate) {
  X509_up_ref(&certificate);
  const std::shared_ptr<X509> held{&certificate, X509_free};
  auto x = std::make_shared<peer_identity>();
  for_each_entry(certificate, NID_commonName, [&](std::string name) { x->name = std::move(name); });
  clean_peer_text(x->name);
  if (x->name.empty())
    x->name = "somebody";
  x->roles = roles_of(certificate);
  x->ends = end_of(certificate);
  x->fingerprint = fingerprint_of(certificate);
  x->is_for = [held](const std::string& host) {
    if (names_host(*held, host))
      return true;
    if (!is_loopback(host))
      return false;
    return names_host(*held, "localhost") || names_host(*held, "127.0.0.1") || names_host(*held, "::1");
  };
  return x;
}

} // namespace dybw
